"""The codecs in the clients that they are for, against a real Apache Kafka, and beside the program."""
import asyncio
import json
import warnings

import aiokafka
import kafka as kafka_python
import pytest
from confluent_kafka import DeserializingConsumer, SerializingProducer
from confluent_kafka.error import ValueDeserializationError, ValueSerializationError
from confluent_kafka.serialization import StringSerializer
from package_kit import BAD_CARD
from sealstream import Engine, Policy
from sealstream.kafka import SealDeserializer, SealSerializer, deserializer, serializer

POLICY = """version: 1
keys: {{pii: "local:pii", cards: "local:cards", join: "local:join"}}
topics:
- match: "{plain}*"
  protect: {{$.Address: {{type: encrypt, key: pii}}, $.credit_card: {{type: fpe, key: cards}}}}
- match: "{full}*"
  protect: {{$.Address: {{type: envelope, key: pii, carry: header}}}}
  key: {{type: deterministic, key: join}}
  headers: {{customer: {{type: encrypt, key: pii}}}}
"""
COUNT = 200


@pytest.fixture
def shop(sealstream, topic):
    """Topics with rules for values, and for all of a record; their policy and keys, for the program and for Python."""
    sealstream.run("key", "create", "pii")
    sealstream.run("key", "create", "cards", "--type", "ff1")
    sealstream.run("key", "create", "join", "--derived", "--convergent")
    names = topic("python-plain", 1), topic("python-full", 1)
    (sealstream.folder / "policy.yaml").write_text(POLICY.format(plain=names[0], full=names[1]))
    return names


@pytest.fixture
def engine(shop, sealstream):
    policy = Policy.from_file(sealstream.folder / "policy.yaml")
    with Engine(policy, keyring=sealstream.folder / "keyring") as made:
        yield made


def purchases():
    return [{"Address": f"{n} High St", "credit_card": f"4111-1111-1111-{n:04}", "price": 1.25} for n in range(COUNT)]


def to_json(value, ctx=None):
    return json.dumps(value)


def from_json(value, ctx=None):
    return json.loads(value)


def read(brokers, topic, **codecs):
    config = {"bootstrap.servers": brokers, "group.id": f"g-{topic}", "auto.offset.reset": "earliest"}
    consumer = DeserializingConsumer(config | {name.replace("_", "."): codec for name, codec in codecs.items()})
    consumer.subscribe([topic])
    messages = []
    try:
        while len(messages) < COUNT:
            message = consumer.poll(60)
            assert message is not None
            messages.append(message)
    finally:
        consumer.close()
    return messages


def test_confluent_kafka(kafka, shop, engine, sealstream):
    """Values, keys, headers and wrapped data keys; the program reveals what Python wrote."""
    producer = SerializingProducer({"bootstrap.servers": kafka.brokers, "key.serializer": SealSerializer(
        engine, inner=StringSerializer()), "value.serializer": SealSerializer(engine, inner=to_json)})
    for n, purchase in enumerate(purchases()):
        producer.produce(shop[1], key=f"key {n}", value=purchase, headers=[("customer", b"Ada"), ("n", str(n))])
    producer.flush()
    raw = read(kafka.brokers, shop[1])
    for n, message in enumerate(raw):
        headers = dict(message.headers())
        assert headers["customer"].startswith(b"vault:v1:") and headers["n"] == str(n).encode()
        assert list(headers) == ["customer", "n", "seal-key"]
        assert b"High St" not in message.value() and b"key " not in message.key()
    opened = read(kafka.brokers, shop[1], group_id=f"open-{shop[1]}", key_deserializer=SealDeserializer(engine),
                  value_deserializer=SealDeserializer(engine, inner=from_json))
    assert [message.value() for message in opened] == purchases()
    assert [message.key() for message in opened] == [f"key {n}".encode() for n in range(COUNT)]
    assert all(message.headers() == [("customer", b"Ada"), ("n", str(n).encode())] for n, message in enumerate(opened))
    lines, _ = sealstream.run("consume", "-b", kafka.brokers, "-t", shop[1], "-p", "policy.yaml", "-e")
    assert [json.loads(line) for line in lines.splitlines()] == purchases()


def test_what_confluent_kafka_makes_of_failures(kafka, shop, engine):
    """Nothing is sent, or given; the reason is the cause, without the value."""
    producer = SerializingProducer({"bootstrap.servers": kafka.brokers, "value.serializer": SealSerializer(engine)})
    with pytest.raises(ValueSerializationError, match="the value is too short") as caught:
        producer.produce(shop[0], value=BAD_CARD)
    assert "4111" not in str(caught.value) and len(producer) == 0
    plain = SerializingProducer({"bootstrap.servers": kafka.brokers})
    plain.produce(shop[0], value=b'{"Address":"plain"}')
    plain.flush()
    with pytest.raises(ValueDeserializationError) as caught:
        read(kafka.brokers, shop[0], value_deserializer=SealDeserializer(engine))
    assert caught.value.kafka_message.offset() == 0 and "plain\"" not in str(caught.value)


def test_aiokafka(kafka, shop, engine):
    async def both():
        producer = aiokafka.AIOKafkaProducer(bootstrap_servers=kafka.brokers,
                                             value_serializer=serializer(engine, shop[0], json.dumps))
        consumer = aiokafka.AIOKafkaConsumer(shop[0], bootstrap_servers=kafka.brokers, auto_offset_reset="earliest",
                                             value_deserializer=deserializer(engine, shop[0], json.loads))
        await producer.start()
        await consumer.start()
        try:
            for purchase in purchases():
                await producer.send(shop[0], purchase)
            await producer.flush()
            return [(await consumer.getone()).value for _ in range(COUNT)]
        finally:
            await producer.stop()
            await consumer.stop()

    assert asyncio.run(asyncio.wait_for(both(), 120)) == purchases()
    assert all(json.loads(message.value())["Address"].startswith("vault:v1:")
               for message in read(kafka.brokers, shop[0]))


def test_kafka_python(kafka, shop, engine, sealstream):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it would rather have classes of its own
        producer = kafka_python.KafkaProducer(bootstrap_servers=kafka.brokers,
                                              value_serializer=serializer(engine, shop[0], json.dumps))
        for purchase in purchases():
            producer.send(shop[0], purchase)
        producer.close()
        consumer = kafka_python.KafkaConsumer(shop[0], bootstrap_servers=kafka.brokers, auto_offset_reset="earliest",
                                              consumer_timeout_ms=60_000,
                                              value_deserializer=deserializer(engine, shop[0], json.loads))
        found = [message.value for _, message in zip(range(COUNT), consumer)]
        consumer.close()
    assert found == purchases()
    lines, _ = sealstream.run("consume", "-b", kafka.brokers, "-t", shop[0], "-p", "policy.yaml", "-e")
    assert [json.loads(line) for line in lines.splitlines()] == purchases()
