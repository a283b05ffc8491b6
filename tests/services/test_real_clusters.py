"""What real clusters are like: certificates, IPv6, every kind of compression, odd records and topics, and connections that idle."""
import json
import random
import subprocess
import time

import flow
import foreign
import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME
from login_flow import VALUE, grant, pump
from program import wait_until

BIG = 8 << 20


def arrived(kafka, topic):
    [message] = foreign.consume(kafka.brokers, topic)
    flow.check_protected(message, VALUE)


# ---- logins ----

def test_client_certificate(kafka, sealstream, two_topics):
    grant(kafka, "frank", *two_topics)
    pump(sealstream, kafka.client_certificate("frank"), two_topics)
    arrived(kafka, two_topics[1])


def test_client_certificate_with_a_passphrase(kafka, sealstream, two_topics, tmp_path):
    grant(kafka, "frank", *two_topics)
    properties = kafka.client_certificate("frank")
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", properties["ssl.key.location"], "-out", tmp_path / "key.pem", "-passout",
                    "pass:passphrase-7"], check=True)
    properties["ssl.key.location"] = tmp_path / "key.pem"
    pump(sealstream, properties | {"ssl.key.password": "passphrase-7"}, two_topics)
    arrived(kafka, two_topics[1])
    message = pump(sealstream, properties | {"ssl.key.password": "passphrase-8"}, two_topics, exit_code=78)
    assert "ssl.key.location" in message and "passphrase-8" not in message


def test_no_client_certificate(kafka, sealstream, two_topics):
    properties = {name: value for name, value in kafka.client_certificate("frank").items()
                  if not name.startswith(("ssl.key", "ssl.certificate"))}
    message = pump(sealstream, properties, two_topics, exit_code=77)
    assert kafka.mtls_brokers in message and "ssl.certificate.location" in message


def test_certificate_without_rights(kafka, sealstream, two_topics):
    message = pump(sealstream, kafka.client_certificate("grace"), two_topics, exit_code=77)
    assert "authorization failed" in message and "ACL" in message


def test_ipv6(kafka, sealstream, two_topics):
    if kafka.ipv6_brokers is None:
        pytest.skip("this machine has no IPv6")
    pump(sealstream, {"bootstrap.servers": kafka.ipv6_brokers}, two_topics)
    arrived(kafka, two_topics[1])


def test_confluent_clouds_getting_started(kafka, sealstream, two_topics):
    """The file as it is handed out, with an address and a key in it; the CA is one that the system trusts."""
    grant(kafka, "alice", *two_topics)
    (sealstream.folder / "getting_started.ini").write_text(f"""[default]
bootstrap.servers={kafka.sasl_brokers}
security.protocol=SASL_SSL
sasl.mechanisms=PLAIN
sasl.username=alice
sasl.password=alice-secret

[consumer]
group.id=sealstream.python_example_group_1

# 'auto.offset.reset=earliest' to start reading from the beginning of
# the topic if no committed offsets exist.
auto.offset.reset=earliest
""")
    source, target = two_topics
    sealstream.run("pump", "-F", "getting_started.ini", "--from", source, "--to", target, "-p", "policy.yaml", "-e",
                   environment={"SSL_CERT_FILE": str(kafka.folder / "ca.pem")})
    arrived(kafka, target)


# ---- records ----

@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_compression(kafka, topic, sealstream, codec):
    flow.prepare(sealstream)
    source, target = topic("packed", 1), topic("packed-protected", 1, **{"compression.type": "producer"})
    foreign.produce({"bootstrap.servers": kafka.brokers, "compression.type": codec}, source,
                    flow.numbered([VALUE] * 1000))
    sealstream.run(*flow.pump(kafka.brokers, source, target, "-X", f"compression.codec={codec}"))
    seen = flow.read_numbered(kafka.brokers, target, lambda message, number: flow.check_protected(message, VALUE))
    assert seen == {n: 1 for n in range(1000)}


def big_record(size):
    rest = json.loads(VALUE) | {"note": "".join(random.Random(8).choices("abcdefghijklmnop", k=size - 100))}
    return json.dumps(rest).encode()


def test_odd_records(kafka, topic, sealstream):
    """8 MiB, no key, a tombstone, headers that are null or empty or there twice, times of their own: all as they were."""
    flow.prepare(sealstream)
    limit = {"max.message.bytes": str(BIG + 100_000)}
    source, target, stamped = topic("odd", 1, **limit), topic("odd-protected", 1, **limit), \
        topic("odd-stamped", 1, **limit | {"message.timestamp.type": "LogAppendTime"})
    headers = [("a", b"1"), ("null", None), ("empty", b""), ("a", b"2")]
    before = [{"key": None, "value": VALUE}, {"key": b"gone", "value": None}, {"key": b"", "value": VALUE},
              {"key": b"big", "value": big_record(BIG), "headers": headers},
              {"key": b"old", "value": VALUE, "timestamp": 1_000_000_000_000}]
    foreign.produce({"bootstrap.servers": kafka.brokers, "message.max.bytes": BIG + 50_000}, source, before)
    started = time.time()
    for to in (target, stamped):
        sealstream.run(*flow.pump(kafka.brokers, source, to, "-X", f"message.max.bytes={BIG + 50_000}"))
    config = {"bootstrap.servers": kafka.brokers, "message.max.bytes": BIG + 100_000, "receive.message.max.bytes": BIG * 2,
              "fetch.max.bytes": BIG + 100_000}
    read = [list(foreign.consume(config, name)) for name in (source, target, stamped)]
    for after in read[1:]:
        assert [message.key() for message in after] == [None, b"gone", b"", b"big", b"old"]
        assert after[1].value() is None
        assert after[3].headers() == headers
        for message, record in zip(after, before):
            if record["value"] is not None:
                flow.check_protected(message, record["value"])
    assert [message.timestamp() for message in read[1]] == [message.timestamp() for message in read[0]]
    assert read[1][4].timestamp() == (TIMESTAMP_CREATE_TIME, 1_000_000_000_000)
    for message in read[2]:
        kind, when = message.timestamp()
        assert kind == TIMESTAMP_LOG_APPEND_TIME and when >= (started - 60) * 1000


def test_too_large_for_the_topic(kafka, topic, sealstream):
    flow.prepare(sealstream)
    source, target = topic("large", 1), topic("small", 1, **{"max.message.bytes": "2000"})
    foreign.produce(kafka.brokers, source, [(b"k", big_record(5000))])
    _, message = sealstream.run(*flow.pump(kafka.brokers, source, target), exit_code=65)
    assert target in message and "max.message.bytes of the topic" in message


def test_compacted_topics(kafka, topic, sealstream):
    """From one into another; a record without a key cannot go there, and the message says so."""
    flow.prepare(sealstream)
    compacted = {"cleanup.policy": "compact"}
    source, target, plain = topic("compacted", 1, **compacted), topic("compacted-too", 1, **compacted), topic("keyless", 1)
    foreign.produce(kafka.brokers, source, [(b"k", VALUE), (b"k", None)])
    sealstream.run(*flow.pump(kafka.brokers, source, target))
    first, second = foreign.consume(kafka.brokers, target)
    flow.check_protected(first, VALUE)
    assert (second.key(), second.value()) == (b"k", None)
    foreign.produce(kafka.brokers, plain, [(None, VALUE)])
    _, message = sealstream.run(*flow.pump(kafka.brokers, plain, target), exit_code=65)
    assert target in message and "compacted" in message


def test_too_few_partitions(kafka, topic, sealstream):
    flow.prepare(sealstream)
    source, target = topic("wide", 3), topic("narrow", 2)
    foreign.produce(kafka.brokers, source, [{"value": VALUE, "partition": n} for n in range(3)])
    _, message = sealstream.run(*flow.pump(kafka.brokers, source, target, "--keep-partition"), exit_code=78)
    assert target in message and "2 partitions" in message and "partition 2" in message
    sealstream.run(*flow.pump(kafka.brokers, source, target))


def test_idle_connections(kafka, topic, sealstream):
    """Nothing happens for longer than the broker keeps connections; what comes then goes through, and nobody is alarmed."""
    flow.prepare(sealstream)
    source, target = topic("idle", 1), topic("idle-protected", 1)
    foreign.produce(kafka.brokers, source, [(b"k", VALUE)])
    log = sealstream.folder / "pump.log"
    with open(log, "wb") as said:
        pumping = sealstream.start("pump", "-b", kafka.brokers, "--from", source, "--to", target, "-p", "policy.yaml", "-c", 2,
                                   "--log-level", "debug", stderr=said)
    try:
        wait_until(lambda: "Disconnected (after" in log.read_text() or pumping.poll() is not None)
        foreign.produce(kafka.brokers, source, [(b"k", VALUE)])
        assert pumping.wait(180) == 0, log.read_text()
    finally:
        pumping.kill()
        pumping.wait()
    assert "warning:" not in log.read_text()
    assert len(list(foreign.consume(kafka.brokers, target))) == 2
