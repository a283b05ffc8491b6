"""A Kafka client that knows nothing of sealstream: thin helpers over confluent-kafka for Python."""
import time

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic


def create_topic(brokers, name, partitions=2, config=None, copies=1):
    admin = AdminClient({"bootstrap.servers": brokers})
    for done in admin.create_topics([NewTopic(name, partitions, copies, config=config or {})]).values():
        done.result(120)


def delete_topics(brokers, names):
    if names:
        admin = AdminClient({"bootstrap.servers": brokers})
        for done in admin.delete_topics(names).values():
            done.result(120)


def allow(brokers, acls):
    admin = AdminClient({"bootstrap.servers": brokers})
    for done in admin.create_acls(acls).values():
        done.result(120)


def produce(config, topic, records):
    """Sends (key, value) or dicts of produce()'s arguments; returns when all are acknowledged."""
    config = {"bootstrap.servers": config} if isinstance(config, str) else config
    failures = []

    def report(error, message):
        if error is not None:
            failures.append(error)

    producer = Producer({"queue.buffering.max.messages": 200_000, "linger.ms": 20, "compression.type": "lz4",
                         "enable.idempotence": True, "on_delivery": report} | config)
    for n, record in enumerate(records):
        arguments = record if isinstance(record, dict) else {"key": record[0], "value": record[1]}
        while True:
            try:
                producer.produce(topic, **arguments)
                break
            except BufferError:
                producer.poll(0.05)
        if n % 1000 == 0:
            producer.poll(0)
    assert producer.flush(180) == 0
    assert failures == []


def ends(consumer, topic):
    """{partition: end offset}"""
    partitions = consumer.list_topics(topic, timeout=60).topics[topic].partitions
    return {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=60)[1] for p in partitions}


def consume(config, topic, idle=60):
    """Yields every message of a topic, all partitions from the start to where they end now."""
    config = {"bootstrap.servers": config} if isinstance(config, str) else config
    consumer = Consumer({"group.id": "foreign", "enable.auto.commit": False, "enable.partition.eof": True,
                         "fetch.queue.backoff.ms": 50, "isolation.level": "read_committed"} | config)
    try:
        to_read = {p: end for p, end in ends(consumer, topic).items() if end > 0}
        consumer.assign([TopicPartition(topic, p, 0) for p in to_read])
        deadline = time.monotonic() + idle
        while to_read and time.monotonic() < deadline:
            for message in consumer.consume(10_000, 0.2):
                deadline = time.monotonic() + idle
                if message.error():
                    assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                    to_read.pop(message.partition(), None)
                    continue
                yield message
        assert not to_read, f"{topic}: partitions {sorted(to_read)} gave nothing for {idle} s"
    finally:
        consumer.close()
