package tallystick.peer;

import com.google.protobuf.InvalidProtocolBufferException;
import java.util.Properties;
import ml.dmlc.xgboost4j.java.Booster;
import ml.dmlc.xgboost4j.java.XGBoost;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.Stores;
import tallystick.v1.TransactionOuterClass.Transaction;

/** The peer on Kafka Streams; told what it needs in PEER_*. */
public final class ScoringApp {
    private ScoringApp() {}

    public static void main(String[] arguments) throws Exception {
        Booster booster = XGBoost.loadModel(setting("MODEL"));
        booster.setParam("nthread", 1);
        float reviewMargin = Float.parseFloat(setting("REVIEW_MARGIN"));
        float declineMargin = Float.parseFloat(setting("DECLINE_MARGIN"));

        StreamsBuilder builder = new StreamsBuilder();
        builder.addStateStore(Stores.keyValueStoreBuilder(
                        Stores.persistentKeyValueStore(Scorer.STORE), Serdes.String(), History.serde())
                .withCachingEnabled());
        builder.stream(setting("SOURCE"), Consumed.with(Serdes.String(), transactions()))
                .processValues(() -> new Scorer(booster, reviewMargin, declineMargin), Scorer.STORE)
                .to(setting("TARGET"), Produced.with(Serdes.String(), Decision.serde()));

        KafkaStreams streams = new KafkaStreams(builder.build(), properties());
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    private static Properties properties() {
        Properties properties = new Properties();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, setting("GROUP"));
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, setting("BROKER"));
        properties.put(StreamsConfig.STATE_DIR_CONFIG, setting("STATE"));
        properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, Runtime.getRuntime().availableProcessors());
        properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        return properties;
    }

    private static Serde<Transaction> transactions() {
        return Serdes.serdeFrom((topic, transaction) -> transaction.toByteArray(), (topic, bytes) -> {
            try {
                return Transaction.parseFrom(bytes);
            } catch (InvalidProtocolBufferException error) {
                throw new SerializationException(error);
            }
        });
    }

    private static String setting(String name) {
        String value = System.getenv("PEER_" + name);
        if (value == null) {
            throw new IllegalArgumentException("PEER_" + name + " is not set");
        }
        return value;
    }
}
