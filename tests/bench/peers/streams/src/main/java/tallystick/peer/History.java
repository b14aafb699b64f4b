package tallystick.peer;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** A customer's transactions of the last 30 days, oldest first. */
final class History {
    static final long DAY_MS = 86_400_000L;
    static final long HOUR_MS = 3_600_000L;
    static final int[] WINDOW_DAYS = {1, 7, 30};
    static final int FEATURES = 3 + 2 * WINDOW_DAYS.length;

    private long[] timesMs;
    private long[] cents;
    private int size;

    History() {
        this(new long[16], new long[16], 0);
    }

    private History(long[] timesMs, long[] cents, int size) {
        this.timesMs = timesMs;
        this.cents = cents;
        this.size = size;
    }

    /** Adds a transaction, forgets what is over 30 days old, and returns the model's features. */
    float[] observe(long timeMs, long amount) {
        append(timeMs, amount);
        long weekday = (timeMs / DAY_MS + 3) % 7; // 1970-01-01 was a Thursday
        long hour = timeMs % DAY_MS / HOUR_MS;
        float[] features = new float[FEATURES];
        features[0] = (float) (amount / 100.0);
        features[1] = weekday >= 5 ? 1 : 0;
        features[2] = hour <= 6 ? 1 : 0;
        long total = 0;
        int start = size;
        for (int window = 0; window < WINDOW_DAYS.length; window++) {
            long sinceMs = timeMs - WINDOW_DAYS[window] * DAY_MS;
            while (start > 0 && timesMs[start - 1] > sinceMs) {
                start--;
                total += cents[start];
            }
            int count = size - start;
            features[3 + 2 * window] = count;
            features[4 + 2 * window] = (float) (total / (100.0 * count));
        }
        return features;
    }

    private void append(long timeMs, long amount) {
        long oldestMs = timeMs - WINDOW_DAYS[WINDOW_DAYS.length - 1] * DAY_MS;
        int gone = 0;
        while (gone < size && timesMs[gone] <= oldestMs) {
            gone++;
        }
        if (gone > 0) {
            System.arraycopy(timesMs, gone, timesMs, 0, size - gone);
            System.arraycopy(cents, gone, cents, 0, size - gone);
            size -= gone;
        }
        if (size == timesMs.length) {
            timesMs = Arrays.copyOf(timesMs, 2 * size);
            cents = Arrays.copyOf(cents, 2 * size);
        }
        timesMs[size] = timeMs;
        cents[size] = amount;
        size++;
    }

    /** In the state store: pairs of event time and minor units, 16 bytes each. */
    static Serde<History> serde() {
        return Serdes.serdeFrom((topic, history) -> history.toBytes(), (topic, bytes) -> fromBytes(bytes));
    }

    private byte[] toBytes() {
        ByteBuffer buffer = ByteBuffer.allocate(16 * size);
        for (int place = 0; place < size; place++) {
            buffer.putLong(timesMs[place]).putLong(cents[place]);
        }
        return buffer.array();
    }

    private static History fromBytes(byte[] bytes) {
        if (bytes == null) {
            return null;
        }
        int size = bytes.length / 16;
        History history = new History(new long[size + 1], new long[size + 1], size);
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        for (int place = 0; place < size; place++) {
            history.timesMs[place] = buffer.getLong();
            history.cents[place] = buffer.getLong();
        }
        return history;
    }
}
