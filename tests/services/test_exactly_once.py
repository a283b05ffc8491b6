"""Exactly once on three brokers, under fire. Its long form is soak_exactly_once.py; what it found stands in docs/RELIABILITY.md."""
import base64
import os
import random
import subprocess

import foreign
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fault_rounds import CLEAN, PARTITIONS, SIX, Trial, assert_exactly_once, check, record

RECORDS = 100_000
SEED = int(os.environ.get("SEED", 7))


def test_six_rounds(cluster, own_vault, sealstream):
    """Each of the six kinds of fault once, in an order that the seed gives."""
    own_vault.mount("transit")
    own_vault.key("pii", exportable=True)
    trial = Trial(cluster, own_vault, sealstream, SEED, RECORDS, random.Random(SEED).sample(SIX, len(SIX)))
    found = trial.run()
    print(f"seed {SEED}: {trial.rows}\n{found}")
    assert_exactly_once(found, RECORDS, f"seed {SEED}: {trial.rows}")


def test_at_least_once_is_told_from_it(cluster, own_vault, sealstream):
    """Killed until something is there twice: none is missing then, and the checker sees what is too much."""
    own_vault.mount("transit")
    own_vault.key("pii", exportable=True)
    trial = Trial(cluster, own_vault, sealstream, SEED, RECORDS, ["kill"] * 20,
                  ["--delivery", "at-least-once", "-X", "session.timeout.ms=2000"], ahead=500)
    trial.named = dict.fromkeys(trial.named, False)
    watcher = trial.feeder.watcher

    def written():
        return sum(foreign.ends(watcher, trial.target).values()) + sum(foreign.ends(watcher, trial.dead).values())

    with trial.running():
        for n, name in enumerate(trial.faults):
            trial.round(n, name)
            if written() > trial.feeder.sent:  # without transactions offsets count records
                break
        trial.feeder.goal = trial.feeder.sent
    found = trial.check()
    print(f"{len(trial.rows)} kills: {found}")
    assert found["twice"] > 0 and found["missing"] == found["changed"] == found["moved"] == found["unknown"] == 0


def test_offsets_that_are_not_stable_yet(kafka, topic, sealstream):
    """Members come while a transaction holds the group's offsets: none of them takes that for "no offsets"."""
    source, target = topic("unstable", 2), topic("unstable-copy", 2)
    sealstream.run("key", "create", "pii")
    (sealstream.folder / "policy.yaml").write_text(f"version: 1\nkeys: {{pii: local:pii}}\ntopics: [{{match: {source}, "
                                                   "protect: {$.Address: {type: encrypt, key: pii}}}]\n")
    foreign.produce(kafka.brokers, source, [record(n) | {"value": "{}", "partition": n % 2} for n in range(1000)])
    consumer = Consumer({"bootstrap.servers": kafka.brokers, "group.id": source, "isolation.level": "read_uncommitted"})
    half = [TopicPartition(source, p, 250) for p in range(2)]
    consumer.commit(offsets=half, asynchronous=False)
    producer = Producer({"bootstrap.servers": kafka.brokers, "transactional.id": source,
                         "transaction.timeout.ms": 300_000})
    producer.init_transactions(120)
    producer.begin_transaction()
    producer.send_offsets_to_transaction([TopicPartition(source, p, 300) for p in range(2)], consumer.consumer_group_metadata(), 120)
    pumps, admin = [], AdminClient({"bootstrap.servers": kafka.brokers})
    try:
        for count in (1, 2):
            pumps.append(sealstream.start("pump", "-b", kafka.brokers, "--from", source, "--to", target, "-G", source, "-p",
                                          "policy.yaml", stdin=subprocess.DEVNULL))
            foreign.wait_until(lambda: len(foreign.members(admin, source)) == count, f"{count} members")
        producer.abort_transaction(120)
        foreign.wait_until(lambda: [at.offset for at in consumer.committed(half, 60)] == [500, 500], "all is copied")
    finally:
        for pump in pumps:
            pump.terminate()
        assert [pump.wait(180) for pump in pumps] == [143] * len(pumps)
        consumer.close()
    copied = sorted(int(dict(message.headers())["n"]) for message in foreign.consume(kafka.brokers, target))
    assert copied == list(range(500, 1000))


class Forger:
    """Writes by hand what a pump without a fault would write, and then with each fault."""

    def __init__(self, kafka, topic, folder):
        self.kafka, self.topic, self.folder = kafka, topic, folder
        self.key, self.source = os.urandom(32), topic("source", PARTITIONS)
        self.written = [record(n) | {"partition": n % PARTITIONS} for n in range(4000)]
        foreign.produce(kafka.brokers, self.source, self.written)

    def seal(self, plain, place):
        nonce = os.urandom(12)
        return "vault:v1:" + base64.b64encode(nonce + AESGCM(self.key).encrypt(nonce, plain.encode(), place)).decode()

    def copied(self):
        """(target, dead letters), without a fault."""
        target, dead = [], []
        for n, made in enumerate(self.written):
            value = made["value"]
            if value is None:
                target.append(made)
            elif value.startswith("{"):
                address = self.seal(f"{n} High Street", b"\1\1" + bytes(4) + b"\0\0\0\x0c$['Address']\1")
                target.append(made | {"value": value.replace(f"{n} High Street", address)})
            else:
                letter = self.seal(value, b"\1\2" + bytes(4) + b"\0\0\0\x0bdead-letter\3")
                dead.append(made | {"value": letter, "headers": [*made["headers"], ("seal-error", "x")]})
        return target, dead

    def found(self, target, dead):
        names = self.topic("target", PARTITIONS), self.topic("dead", PARTITIONS)
        for name, records in zip(names, (target, dead)):
            foreign.produce(self.kafka.brokers, name, records)
        keys = {1: base64.b64encode(self.key).decode()}
        found = check(self.kafka.jars, self.folder, self.kafka.brokers, self.source, *names, keys)
        return {name: n for name, n in found.items() if name in CLEAN and n > 0}


def test_the_checker_finds_each_fault(kafka, topic, tmp_path):
    forger = Forger(kafka, topic, tmp_path)
    assert forger.found(*forger.copied()) == {}

    target, dead = forger.copied()
    number = {int(made["headers"][0][1]): made for made in target}
    letter = dead.pop()                                                # missing
    dead.append(dead[0])                                               # twice
    dead.append(number[9] | {"value": forger.seal("x", b"")})          # wrongly dead …
    target.remove(number[9])
    target.remove(number[100])                                         # missing
    target.append(number[101])                                         # twice
    target.remove(number[16])                                          # reordered: behind all others of its partition
    target.append(number[16])
    number[24]["partition"] = 1                                        # moved
    number[32]["timestamp"] += 1                                       # changed, seven times
    number[40]["key"] = "another"
    number[48]["headers"] = [*number[48]["headers"], ("one", "more")]
    number[56]["value"] = forger.written[56]["value"]                  # … in clear
    number[64]["value"] = number[72]["value"]
    number[80]["value"] = None
    target.append(letter)                                              # … a broken one, in clear: not missing now, but late
    target.append(number[104] | {"headers": [("n", "5000")]})          # unknown
    assert forger.found(target, dead) == {"missing": 1, "twice": 2, "reordered": 2, "moved": 1, "changed": 7, "unknown": 1,
                                          "wrongly_dead": 1}
