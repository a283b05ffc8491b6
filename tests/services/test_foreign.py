"""A client that knows nothing of sealstream writes and reads; what is not the value stays as it was."""
import json
import subprocess

import flow
import foreign
import pytest

PURCHASE = {"Name": "Zoë", "Address": "1 High St, Münster", "credit_card": "4111-1111-1111-1111"}
VALUE = json.dumps(PURCHASE, ensure_ascii=False).encode()
ODD = [  # arguments of confluent_kafka's produce
    {"key": b"plain", "value": VALUE, "timestamp": 1_700_000_000_001},
    {"key": None, "value": VALUE, "timestamp": 1_700_000_000_002, "partition": 2},
    {"key": b"", "value": VALUE, "timestamp": 1_700_000_000_003},
    {"key": b"tombstone", "value": None, "timestamp": 1_700_000_000_004, "headers": [("why", b"erased")]},
    {"key": bytes(range(256)), "value": VALUE, "timestamp": 1_700_000_000_005},
    {"key": b"headers", "value": VALUE, "timestamp": 1_700_000_000_006,
     "headers": [("a", b"1"), ("a", b"2"), ("empty", b""), ("null", None), ("binary", bytes(range(256))), ("é", b"x")]},
    {"key": b"no rule applies", "value": b' {"other" : 1.10}\t', "timestamp": 1_700_000_000_007},
]


def facts(message):
    """What a pump must keep: all but the value, and whether there is one."""
    return (message.partition(), message.key(), message.timestamp(), message.headers(), message.value() is None)


def order(messages):
    return sorted(messages, key=lambda m: m.timestamp())


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_all_but_the_value_is_kept(kafka, topic, sealstream, codec):
    flow.prepare(sealstream)
    plain, protected, revealed = topic("odd", 3), topic("odd-protected", 3), topic("odd-revealed", 3)
    foreign.produce({"bootstrap.servers": kafka.brokers, "compression.type": codec}, plain, ODD)
    sealstream.run(*flow.pump(kafka.brokers, plain, protected, "--keep-partition", "-X", f"compression.type={codec}"))
    sealstream.run(*flow.pump(kafka.brokers, protected, revealed, "--keep-partition", "--reveal"))
    was, between, now = (order(foreign.consume(kafka.brokers, name)) for name in (plain, protected, revealed))
    assert len(was) == len(ODD)
    assert list(map(facts, was)) == list(map(facts, between)) == list(map(facts, now))
    assert [m.value() for m in was] == [m.value() for m in now]
    for before, after in zip(was, between):
        if before.value() == VALUE:
            flow.check_protected(after, VALUE)
        else:
            assert before.value() == after.value()


def test_same_key_same_partition_as_java(kafka, topic, sealstream):
    """Without --keep-partition a key goes where Java's default partitioner would put it: murmur2, so that joins work."""
    flow.prepare(sealstream)
    plain, protected = topic("keyed", 5), topic("keyed-protected", 5)
    records = [(b"customer-%d" % n, VALUE) for n in range(200)]
    foreign.produce({"bootstrap.servers": kafka.brokers, "partitioner": "murmur2_random"}, plain, records)
    sealstream.run(*flow.pump(kafka.brokers, plain, protected))
    where = [{m.key(): m.partition() for m in foreign.consume(kafka.brokers, name)} for name in (plain, protected)]
    assert len(where[0]) == 200 and where[0] == where[1]


def test_produce_then_foreign_reads_then_consume(kafka, topic, sealstream):
    flow.prepare(sealstream)
    name = topic("shop")
    lines = sealstream.run("sample", "--count", "500")[0]
    sealstream.run("produce", "-b", kafka.brokers, "-t", name, "-p", "policy.yaml", input=lines)
    values = [m.value() for m in foreign.consume(kafka.brokers, name)]
    assert len(values) == 500
    assert all(json.loads(v)["Address"].startswith("vault:v1:") for v in values)
    consume = ("consume", "-b", kafka.brokers, "-t", name, "-e")
    out, _ = sealstream.run(*consume, "-p", "policy.yaml")
    assert sorted(out.splitlines()) == sorted(lines.splitlines())
    out, _ = sealstream.run(*consume, "--plain")
    assert sorted(out.splitlines()) == sorted(values)


def test_consumer_reveals_across_a_rotation(kafka, topic, sealstream):
    flow.prepare(sealstream)
    name = topic("rotated", 1)
    lines = sealstream.run("sample", "--count", "200")[0].splitlines(keepends=True)
    for half in (lines[:100], lines[100:]):
        sealstream.run("produce", "-b", kafka.brokers, "-t", name, "-p", "policy.yaml", input=b"".join(half))
        sealstream.run("key", "rotate", "pii")
    versions = {json.loads(m.value())["Address"].split(":")[1] for m in foreign.consume(kafka.brokers, name)}
    assert versions == {"v1", "v2"}
    out, _ = sealstream.run("consume", "-b", kafka.brokers, "-t", name, "-e", "-p", "policy.yaml")
    assert out == b"".join(lines)


def test_kcat_envelopes(kafka, topic, sealstream):
    """`kcat -J | sealstream reveal -J`: the stock tool reads, the program reveals."""
    flow.prepare(sealstream)
    plain, protected = topic("kcat", 1), topic("kcat-protected", 1)
    foreign.produce(kafka.brokers, plain, [(b"k", VALUE)])
    sealstream.run(*flow.pump(kafka.brokers, plain, protected))
    envelopes = subprocess.run(["kcat", "-C", "-q", "-e", "-J", "-b", kafka.brokers, "-t", protected], check=True,
                               capture_output=True, stdin=subprocess.DEVNULL).stdout
    out, _ = sealstream.run("reveal", "-p", "policy.yaml", "-J", input=envelopes)
    before, after = json.loads(envelopes), json.loads(out)
    assert json.loads(before["payload"])["Address"].startswith("vault:")
    assert after["payload"].encode() == VALUE
    assert {k: v for k, v in before.items() if k != "payload"} == {k: v for k, v in after.items() if k != "payload"}


DEAD_LETTER_POLICY = flow.POLICY.replace('- match: "*"', '- match: "*"\n  on_error: dead_letter\n'
                                         '  dead_letter: {topic: %s, key: pii}')


def test_dead_letters(kafka, topic, sealstream):
    """What fails goes aside encrypted whole, says where it came from, and can be revealed; the rest goes on."""
    plain, protected, dead = topic("mixed", 1), topic("mixed-protected", 1), topic("mixed-dead", 1)
    flow.prepare(sealstream, DEAD_LETTER_POLICY % dead)
    bad = b"not JSON, but secret"
    foreign.produce(kafka.brokers, plain, [(b"1", VALUE), {"key": b"2", "value": bad, "headers": [("h", b"v")]}, (b"3", VALUE)])
    sealstream.run(*flow.pump(kafka.brokers, plain, protected), exit_code=1)
    assert [m.key() for m in foreign.consume(kafka.brokers, protected)] == [b"1", b"3"]
    [letter] = foreign.consume(kafka.brokers, dead)
    assert letter.key() == b"2" and letter.value().startswith(b"vault:v1:") and b"secret" not in letter.value()
    headers = dict(letter.headers())
    assert headers["h"] == b"v" and headers["seal-topic"] == plain.encode()
    assert (headers["seal-partition"], headers["seal-offset"], headers["seal-error"]) == (b"0", b"1", b"syntax")
    out, _ = sealstream.run("consume", "-b", kafka.brokers, "-t", dead, "-e", "-p", "policy.yaml")
    assert out == bad + b"\n"


def test_reject_stops_before_the_bad_record(kafka, topic, sealstream):
    """The default: everything before it is safe, nothing after it is sent, and nothing leaks into the message."""
    flow.prepare(sealstream)
    plain, protected = topic("bad", 1), topic("bad-protected", 1)
    foreign.produce(kafka.brokers, plain, [(b"1", VALUE), (b"2", b"4111 not JSON"), (b"3", VALUE)])
    _, message = sealstream.run(*flow.pump(kafka.brokers, plain, protected), exit_code=65)
    assert f"{plain}" in message and "4111 not" not in message
    assert [m.key() for m in foreign.consume(kafka.brokers, protected)] == [b"1"]


def test_too_large_for_the_target(kafka, topic, sealstream):
    flow.prepare(sealstream)
    plain, protected = topic("large", 1), topic("large-protected", 1, **{"max.message.bytes": "2000"})
    foreign.produce({"bootstrap.servers": kafka.brokers, "compression.type": "none"}, plain,
                    [(b"1", json.dumps({"Address": "x" * 3000}).encode())])
    _, message = sealstream.run(*flow.pump(kafka.brokers, plain, protected), exit_code=65)
    assert protected in message and "max.message.bytes" in message


def test_topic_missing(kafka, topic, sealstream):
    flow.prepare(sealstream)
    plain = topic("here")
    for source, target, missing, code in ((plain, "nowhere-to", "nowhere-to", 73), ("nowhere-from", plain, "nowhere-from", 66)):
        _, message = sealstream.run(*flow.pump(kafka.brokers, source, target), exit_code=code)
        assert missing in message and "create it" in message
