/*
 * Compares what a topic was given with what came out of it: written from docs/FORMAT.md alone, on Java's Kafka client and Java's AES,
 * so that it shares no code with the program under test.
 *
 * Usage: java -cp 'JARS/*' ExactlyOnce.java BROKERS SOURCE TARGET DEAD-LETTERS KEYS
 *
 *   SOURCE         records, each with its number (0, 1, 2 ...) in a header "n"
 *   TARGET         must have each of them once, in the partition that it came from and in that order, with the same key, headers,
 *                  timestamp and value, but for the address, which must decrypt to what it was
 *   DEAD-LETTERS   must have those whose value is no object, once, encrypted whole
 *   KEYS           a file with a line "VERSION BASE64" for each version of the key
 *
 * Prints one line of JSON: how many there are of each, how many of each fault, the first few faults; ends with 0 whatever it found.
 */
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class ExactlyOnce {
    static final Pattern ADDRESS = Pattern.compile("(?<=\"Address\":\")[^\"\\\\]*(?=\")");
    static final Pattern SEALED = Pattern.compile("vault:v([0-9]+):([A-Za-z0-9+/]+=*)");
    static final String[] FAULTS = {"missing", "twice", "reordered", "moved", "changed", "unknown", "wrongly_dead", "open", "source"};

    final Map<Integer, SecretKeySpec> keys = new HashMap<>();
    final Map<String, Integer> faults = new TreeMap<>();
    final List<String> first = new ArrayList<>();
    final Properties settings = new Properties();

    /* Of each number: what it was. Grown by doubling. */
    byte[][] content = new byte[1 << 16][];
    int[] partition = new int[1 << 16];
    long[] offset = new long[1 << 16];
    boolean[] poison = new boolean[1 << 16];
    String[] seen = new String[1 << 16];
    int count;
    long inTarget, inDead;

    public static void main(String[] arguments) throws Exception {
        ExactlyOnce check = new ExactlyOnce(arguments[0], Path.of(arguments[4]));
        check.read(arguments[1], check::written);
        check.read(arguments[2], new Consumer<>() {
            final Map<Integer, Long> newest = new HashMap<>();

            @Override
            public void accept(ConsumerRecord<byte[], byte[]> record) {
                check.copied(record, newest);
            }
        });
        check.read(arguments[3], check::dead);
        check.tell();
    }

    ExactlyOnce(String brokers, Path keyFile) throws IOException {
        for (String line : Files.readAllLines(keyFile)) {
            String[] parts = line.split(" ");
            keys.put(Integer.valueOf(parts[0]), new SecretKeySpec(Base64.getDecoder().decode(parts[1]), "AES"));
        }
        for (String fault : FAULTS)
            faults.put(fault, 0);
        settings.put("bootstrap.servers", brokers);
        settings.put("enable.auto.commit", "false");
        settings.put("key.deserializer", ByteArrayDeserializer.class.getName());
        settings.put("value.deserializer", ByteArrayDeserializer.class.getName());
    }

    /** All committed records. A transaction that stays open behind them is a fault: readers would wait for it for ever. */
    void read(String topic, Consumer<ConsumerRecord<byte[], byte[]>> each) {
        settings.put("isolation.level", "read_uncommitted");
        Map<TopicPartition, Long> ends;
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings)) {
            ends = consumer.endOffsets(partitions(consumer, topic));
        }
        settings.put("isolation.level", "read_committed");
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings)) {
            consumer.assign(ends.keySet());
            consumer.seekToBeginning(ends.keySet());
            long deadline = System.nanoTime() + 60_000_000_000L;
            Map<TopicPartition, Long> left = new HashMap<>(ends);
            while (!left.isEmpty() && System.nanoTime() < deadline) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    each.accept(record);
                    deadline = System.nanoTime() + 60_000_000_000L;
                }
                left.entrySet().removeIf(end -> consumer.position(end.getKey()) >= end.getValue());
            }
            for (TopicPartition behind : left.keySet())
                fault("open", behind + ": readers cannot pass " + consumer.position(behind) + " of " + left.get(behind));
        }
    }

    static List<TopicPartition> partitions(KafkaConsumer<?, ?> consumer, String topic) {
        return consumer.partitionsFor(topic).stream().map(at -> new TopicPartition(topic, at.partition())).toList();
    }

    void fault(String kind, String text) {
        faults.merge(kind, 1, Integer::sum);
        if (first.size() < 20)
            first.add(kind + ": " + text);
    }

    static String place(ConsumerRecord<?, ?> record) {
        return record.topic() + "/" + record.partition() + "/" + record.offset();
    }

    static int number(ConsumerRecord<?, ?> record) {
        Header header = record.headers().lastHeader("n");
        return header == null ? -1 : Integer.parseInt(new String(header.value(), StandardCharsets.US_ASCII));
    }

    void written(ConsumerRecord<byte[], byte[]> record) {
        int n = number(record);
        while (n >= content.length) {
            int room = 2 * content.length;
            content = Arrays.copyOf(content, room);
            partition = Arrays.copyOf(partition, room);
            offset = Arrays.copyOf(offset, room);
            poison = Arrays.copyOf(poison, room);
            seen = Arrays.copyOf(seen, room);
        }
        if (n < 0 || content[n] != null) {
            fault("source", place(record) + ": the test itself wrote " + n + " twice, or a record without a number");
            return;
        }
        content[n] = digest(record, record.value());
        partition[n] = record.partition();
        offset[n] = record.offset();
        poison[n] = record.value() != null && record.value()[0] != '{';
        count = Math.max(count, n + 1);
    }

    /** Of the n-th record: false where it is none, or has been there before. */
    boolean isFirst(int n, ConsumerRecord<byte[], byte[]> record) {
        if (n < 0 || n >= count || content[n] == null) {
            fault("unknown", place(record) + ": " + n + " was never written");
            return false;
        }
        if (seen[n] != null) {
            fault("twice", n + " is " + seen[n] + " and " + place(record));
            return false;
        }
        seen[n] = place(record);
        return true;
    }

    void copied(ConsumerRecord<byte[], byte[]> record, Map<Integer, Long> newest) {
        int n = number(record);
        inTarget++;
        if (!isFirst(n, record))
            return;
        if (record.partition() != partition[n])
            fault("moved", n + " came from partition " + partition[n] + " to " + place(record));
        else if (newest.merge(record.partition(), offset[n], Math::max) != offset[n])
            fault("reordered", n + " of offset " + offset[n] + " comes too late: " + place(record));
        try {
            if (poison[n] || !Arrays.equals(digest(record, revealed(record.value())), content[n]))
                fault("changed", n + ": " + place(record));
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            fault("changed", n + ": " + place(record) + ": " + e);
        }
    }

    void dead(ConsumerRecord<byte[], byte[]> record) {
        int n = number(record);
        inDead++;
        if (!isFirst(n, record))
            return;
        try {
            String sealed = new String(record.value(), StandardCharsets.US_ASCII);
            if (!poison[n])
                fault("wrongly_dead", n + ": " + place(record));
            else if (!Arrays.equals(digest(record, open(sealed, domain("dead-letter"))), content[n]))
                fault("changed", n + ": " + place(record));
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            fault("changed", n + ": " + place(record) + ": " + e);
        }
    }

    /** Of key, headers, timestamp and value; headers that sealstream has added are left out. */
    static byte[] digest(ConsumerRecord<byte[], byte[]> record, byte[] value) {
        try {
            MessageDigest sha = MessageDigest.getInstance("SHA-256");
            add(sha, record.key());
            add(sha, (record.timestampType() + " " + record.timestamp()).getBytes(StandardCharsets.US_ASCII));
            for (Header header : record.headers()) {
                if (header.key().startsWith("seal-"))
                    continue;
                add(sha, header.key().getBytes(StandardCharsets.UTF_8));
                add(sha, header.value());
            }
            add(sha, null);
            add(sha, value);
            return Arrays.copyOf(sha.digest(), 16);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    static void add(MessageDigest sha, byte[] part) {
        sha.update(ByteBuffer.allocate(4).putInt(part == null ? -1 : part.length).array());
        if (part != null)
            sha.update(part);
    }

    /** The value with its address in clear. One that is in clear already is a change, too. */
    byte[] revealed(byte[] value) throws GeneralSecurityException {
        if (value == null)
            return null;
        String text = new String(value, StandardCharsets.UTF_8);
        Matcher address = ADDRESS.matcher(text);
        if (!address.find())
            throw new IllegalArgumentException("no address");
        String plain = new String(open(address.group(), path("$['Address']")), StandardCharsets.UTF_8);
        return (text.substring(0, address.start()) + plain + text.substring(address.end())).getBytes(StandardCharsets.UTF_8);
    }

    /** FORMAT.md, section 2: a string at this path, no namespace. */
    static byte[] path(String path) {
        return place(1, path, 1);
    }

    static byte[] domain(String name) {
        return place(2, name, 3);
    }

    static byte[] place(int bound, String name, int kind) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(11 + bytes.length).put((byte) 1).put((byte) bound).putInt(0).putInt(bytes.length).put(bytes)
            .put((byte) kind).array();
    }

    byte[] open(String sealed, byte[] place) throws GeneralSecurityException {
        Matcher parts = SEALED.matcher(sealed);
        if (!parts.matches())
            throw new IllegalArgumentException("not encrypted");
        byte[] bytes = Base64.getDecoder().decode(parts.group(2));
        Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
        cipher.init(Cipher.DECRYPT_MODE, keys.get(Integer.valueOf(parts.group(1))), new GCMParameterSpec(128, bytes, 0, 12));
        cipher.updateAAD(place);
        return cipher.doFinal(bytes, 12, bytes.length - 12);
    }

    void tell() {
        for (int n = 0; n < count; n++)
            if (content[n] == null)
                fault("source", "the test itself left out " + n);
            else if (seen[n] == null)
                fault("missing", n + ": partition " + partition[n] + ", offset " + offset[n]);
        StringBuilder out = new StringBuilder("{\"records\":" + count + ",\"target\":" + inTarget + ",\"dead\":" + inDead);
        faults.forEach((kind, n) -> out.append(",\"" + kind + "\":" + n));
        out.append(",\"first\":[");
        for (int i = 0; i < first.size(); i++)
            out.append(i == 0 ? "" : ",").append('"').append(first.get(i).replaceAll("[\\\\\"\\p{Cntrl}]", " ")).append('"');
        System.out.println(out.append("]}"));
    }
}
