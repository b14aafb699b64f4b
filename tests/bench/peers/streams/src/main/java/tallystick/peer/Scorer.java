package tallystick.peer;

import ml.dmlc.xgboost4j.java.Booster;
import ml.dmlc.xgboost4j.java.Booster.PredictionType;
import ml.dmlc.xgboost4j.java.XGBoostError;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.state.KeyValueStore;
import tallystick.v1.TransactionOuterClass.Transaction;

/** Scores every transaction on its customer's history, which is in the state store. */
final class Scorer implements FixedKeyProcessor<String, Transaction, Decision> {
    static final String STORE = "histories";
    private static final int[] ALL_TREES = {0, 0};

    private final Booster booster;
    private final float reviewMargin;
    private final float declineMargin;
    private FixedKeyProcessorContext<String, Decision> context;
    private KeyValueStore<String, History> histories;

    Scorer(Booster booster, float reviewMargin, float declineMargin) {
        this.booster = booster;
        this.reviewMargin = reviewMargin;
        this.declineMargin = declineMargin;
    }

    @Override
    public void init(FixedKeyProcessorContext<String, Decision> context) {
        this.context = context;
        histories = context.getStateStore(STORE);
    }

    @Override
    public void process(FixedKeyRecord<String, Transaction> record) {
        Transaction transaction = record.value();
        History history = histories.get(record.key());
        if (history == null) {
            history = new History();
        }
        float[] features = history.observe(transaction.getEventTimeMs(), transaction.getAmountMinor());
        histories.put(record.key(), history);
        float margin = margin(features);
        String outcome = margin >= declineMargin ? "DECLINE" : margin >= reviewMargin ? "REVIEW" : "APPROVE";
        context.forward(record.withValue(new Decision(transaction.getTransactionId(), margin, outcome)));
    }

    private float margin(float[] features) {
        try {
            return booster.inplace_predict(
                    features, 1, features.length, Float.NaN, ALL_TREES, PredictionType.kMargin, null)[0][0];
        } catch (XGBoostError error) {
            throw new IllegalStateException(error);
        }
    }
}
