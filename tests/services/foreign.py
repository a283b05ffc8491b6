"""A Kafka client that knows nothing of sealstream: thin helpers over confluent-kafka for Python.

What the controller has done the brokers hear a moment later; who comes here waits for that.
"""
import contextlib
import time
import warnings

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AclBindingFilter, AclOperation, AclPermissionType, AdminClient, NewTopic, ResourcePatternType, ResourceType


def wait_until(condition, what, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{seconds} s, and not yet: {what}"
        time.sleep(0.05)


def settle(answers, *done_already):
    """Waits for what the controller was asked for. Where its answer was late it is asked again, and may have done it by then."""
    for answer in answers.values():
        try:
            answer.result(120)
        except KafkaException as problem:
            if problem.args[0].code() not in done_already:
                raise


def create_topic(brokers, name, partitions=2, config=None, copies=1):
    """The broker that answers knows it when this returns."""
    admin = AdminClient({"bootstrap.servers": brokers})
    settle(admin.create_topics([NewTopic(name, partitions, copies, config=config or {})]), KafkaError.TOPIC_ALREADY_EXISTS,
           KafkaError.REQUEST_TIMED_OUT)

    def is_known():
        with contextlib.suppress(KafkaException):
            found = admin.list_topics(name, timeout=30).topics[name].partitions.values()
            return len(found) == partitions and all(partition.leader >= 0 for partition in found)

    wait_until(is_known, f"{name} is known")


def delete_topics(brokers, names):
    if names:
        admin = AdminClient({"bootstrap.servers": brokers})
        settle(admin.delete_topics(names), KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.REQUEST_TIMED_OUT)


def every_acl(principal=None):
    """… of one, or of all."""
    return AclBindingFilter(ResourceType.ANY, None, ResourcePatternType.ANY, principal, None, AclOperation.ANY, AclPermissionType.ANY)


def acls_of(admin, principal=None):
    """As the broker's own authorizer has them."""
    return set(admin.describe_acls(every_acl(principal)).result(120))


def allow(brokers, acls):
    """They are in force when this returns."""
    admin = AdminClient({"bootstrap.servers": brokers})
    settle(admin.create_acls(acls))
    wait_until(lambda: set(acls) <= acls_of(admin), "rights are granted")


def allow_nothing(brokers, principal):
    admin = AdminClient({"bootstrap.servers": brokers})
    settle(admin.delete_acls([every_acl(principal)]))
    wait_until(lambda: not acls_of(admin, principal), f"{principal} has no rights")


def members(admin, group):
    """Those of a group that has come to rest; none while they come and go."""
    with contextlib.suppress(KafkaException), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its successor, describe_consumer_groups, aborts while members come and go
        for found in admin.list_groups(group, timeout=10):
            return found.members if found.state == "Stable" else []
    return []


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
