"""Protected record keys on a real Kafka: what keys are for still works, and nobody but those who have the keys sees them."""
import json
import time

import flow
import foreign

POLICY = """version: 1
namespace: tests
keys: {pii: "local:pii", cards: "local:cards", ids: "local:ids"}
methods:
  id: {type: deterministic, key: ids, bind: {domain: customer}}
topics:
- match: "*"
  protect:
    $.Address: {type: encrypt, key: pii}
    $.customer: id
  key: id
  headers: {x-customer: id, x-note: {type: encrypt, key: pii}}
"""


def prepare(sealstream):
    flow.prepare(sealstream, POLICY)
    sealstream.run("key", "create", "ids", "--convergent")


def person(n):
    return f"customer-{n}@example.org"


def value(number, **more):
    return json.dumps({"Address": f"{number} High St", "customer": person(number), **more}).encode()


def messages(kafka, topic):
    return list(foreign.consume(kafka.brokers, topic))


def test_compaction_of_a_protected_topic(kafka, topic, sealstream):
    """Of each key the last record stays, and nothing where that is a tombstone: as in the topic in clear."""
    prepare(sealstream)
    plain = topic("customers", 1)
    compacted = topic("customers-protected", 1, **{"cleanup.policy": "compact", "segment.ms": "500",
                                                   "min.cleanable.dirty.ratio": "0.001", "delete.retention.ms": "1",
                                                   "min.compaction.lag.ms": "0"})
    records = [(person(n % 50), value(n % 50, turn=n // 50)) for n in range(500)]
    records += [(person(n), None) for n in range(10)]
    foreign.produce(kafka.brokers, plain, records)
    sealstream.run(*flow.pump(kafka.brokers, plain, compacted))
    assert len(messages(kafka, compacted)) == 510
    end, turn = time.monotonic() + 400, 0
    while len(found := messages(kafka, compacted)) > 40 + turn:
        assert time.monotonic() < end, f"{len(found)} records left"
        time.sleep(5)
        # What is written last is never compacted; a new record ends its segment.
        turn += 1
        foreign.produce(kafka.brokers, plain, [(person(1000 + turn), value(1000 + turn))])
        sealstream.run(*flow.pump(kafka.brokers, plain, compacted))
    assert not any(b"customer" in m.key() or b"High St" in m.value() for m in found if m.value())
    out, _ = sealstream.run("consume", "-b", kafka.brokers, "-t", compacted, "-e", "-J", "-p", "policy.yaml")
    left = {e["key"]: e["payload"] for e in map(json.loads, out.splitlines())}
    assert {key: left.get(key) for key in map(person, range(50))} == {
        person(n): value(n, turn=9).decode() if n >= 10 else None for n in range(50)}


def test_same_key_same_partition(kafka, topic, sealstream):
    """Wherever it comes from and whoever sends it: a protected key is one key, in one partition, and the records keep their order."""
    prepare(sealstream)
    plain, pumped, produced = topic("plain", 3), topic("pumped", 7), topic("produced", 7)
    records = [(person(n % 40), value(n % 40, n=n)) for n in range(400)]
    foreign.produce(kafka.brokers, plain, records)
    sealstream.run(*flow.pump(kafka.brokers, plain, pumped, "-j", "2"))
    lines = b"".join(key.encode() + b"|" + text + b"\n" for key, text in records)
    sealstream.run("produce", "-b", kafka.brokers, "-t", produced, "-p", "policy.yaml", "-K", "|", input=lines)
    where = {}
    for name in (pumped, produced):
        last = {}
        for message in messages(kafka, name):
            n = json.loads(message.value())["n"]
            where.setdefault(n % 40, set()).add((message.key(), message.partition()))
            assert last.get(n % 40, -1) < n
            last[n % 40] = n
    assert len(where) == 40 and all(len(found) == 1 for found in where.values())
    assert len({key for found in where.values() for key, _ in found}) == 40
    assert len({partition for found in where.values() for _, partition in found}) > 3


def test_join_by_key(kafka, topic, sealstream):
    """
    As a stream processor joins: partition by partition, orders look their customer up by the bytes of the key. It needs no key
    of ours, and sees no name. A field and a header of the same domain join as well.
    """
    prepare(sealstream)
    orders, customers = topic("orders", 4), topic("customers", 4)
    orders_p, customers_p = topic("orders-protected", 4), topic("customers-protected", 4)
    foreign.produce(kafka.brokers, customers, [(person(n), value(n)) for n in range(60)])
    foreign.produce(kafka.brokers, orders, [
        {"key": person(n % 75), "value": value(n % 75, order=n), "headers": [("x-customer", person(n % 75).encode())]}
        for n in range(300)])
    for source, target in ((orders, orders_p), (customers, customers_p)):
        sealstream.run(*flow.pump(kafka.brokers, source, target))
    table = {(m.partition(), m.key()): m for m in messages(kafka, customers_p)}
    assert len(table) == 60
    joined = []
    for message in messages(kafka, orders_p):
        order = json.loads(message.value())
        assert dict(message.headers())["x-customer"] == message.key() == order["customer"].encode()
        customer = table.get((message.partition(), message.key()))
        assert (customer is not None) == (order["order"] % 75 < 60)
        if customer is not None:
            joined.append({"key": message.key().decode(), "payload": customer.value().decode()})
    assert len(joined) == 240
    # Whoever has the keys sees that they are the right ones.
    out, _ = sealstream.run("reveal", "-J", "-p", "policy.yaml",
                            input=b"".join(json.dumps(e).encode() + b"\n" for e in joined))
    for envelope in map(json.loads, out.splitlines()):
        assert json.loads(envelope["payload"])["customer"] == envelope["key"]


def test_a_rotation_breaks_no_join(kafka, topic, sealstream):
    """The version of a deterministic key is the policy's: the same before and after, and what was read before is read still."""
    prepare(sealstream)
    plain, protected = topic("rotating", 2), topic("rotating-protected", 2)
    for _ in range(2):
        foreign.produce(kafka.brokers, plain, [(person(n), value(n)) for n in range(20)])
        sealstream.run(*flow.pump(kafka.brokers, plain, protected))
        sealstream.run("key", "rotate", "ids")
        sealstream.run("key", "rotate", "pii")
    held = messages(kafka, protected)
    assert len(held) == 40 and len({m.key() for m in held}) == 20
    assert {json.loads(m.value())["Address"].split(":")[1] for m in held} == {"v1", "v2"}
    out, _ = sealstream.run("consume", "-b", kafka.brokers, "-t", protected, "-e", "-J", "-p", "policy.yaml")
    assert {e["key"] for e in map(json.loads, out.splitlines())} == set(map(person, range(20)))


def test_keys_move_to_another_version(kafka, topic, sealstream):
    """A rewrap brings keys to the version that the policy names now, and each record to the partition where others of its key go."""
    prepare(sealstream)
    plain, before, after = topic("plain", 3), topic("before", 7), topic("after", 7)
    foreign.produce(kafka.brokers, plain, [(person(n), value(n)) for n in range(40)])
    sealstream.run(*flow.pump(kafka.brokers, plain, before))
    sealstream.run("key", "rotate", "ids")
    policy = POLICY.replace("key: ids,", "key: ids, version: 2,")
    (sealstream.folder / "policy.yaml").write_text(policy)
    sealstream.run("rewrap", "-b", kafka.brokers, "--from", before, "--to", after, "-p", "policy.yaml", "-e")
    sealstream.run(*flow.pump(kafka.brokers, plain, after))
    held = messages(kafka, after)
    assert len(held) == 80 and all(m.key().startswith(b"vault:v2:") for m in held)
    assert len({m.key() for m in held}) == len({(m.key(), m.partition()) for m in held}) == 40
    assert {m.key() for m in held}.isdisjoint({m.key() for m in messages(kafka, before)})
    out, _ = sealstream.run("consume", "-b", kafka.brokers, "-t", after, "-e", "-J", "-p", "policy.yaml")
    assert {e["key"] for e in map(json.loads, out.splitlines())} == set(map(person, range(40)))
