package tallystick.peer;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** What is published of a transaction. */
record Decision(@JsonProperty("transaction_id") String transactionId, float margin, String outcome) {
    private static final ObjectMapper JSON = new ObjectMapper();

    static Serde<Decision> serde() {
        return Serdes.serdeFrom((topic, decision) -> toBytes(decision), (topic, bytes) -> {
            throw new UnsupportedOperationException("decisions are only written");
        });
    }

    private static byte[] toBytes(Decision decision) {
        try {
            return JSON.writeValueAsBytes(decision);
        } catch (JsonProcessingException error) {
            throw new SerializationException(error);
        }
    }
}
