"""A million records through the pump: every one compared after reveal, and none lost however the pump dies."""
import collections
import json
import signal
import subprocess
import time

import flow
import foreign
import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

RECORDS = 1_000_000
KILLS = 5
# A killed consumer's partitions are free again after this; Kafka's default is 45 s.
SESSION = ("-X", "session.timeout.ms=6000")


@pytest.fixture(scope="module")
def lines(program):
    out, _ = program.run("sample", "--count", RECORDS, "--seed", "7", timeout=120)
    lines = out.splitlines()
    assert len(lines) == RECORDS
    return lines


@pytest.fixture(scope="module")
def source(kafka, lines):
    """A topic of 4 partitions with all records, sent by a foreign client."""
    foreign.create_topic(kafka.brokers, "million", 4)
    foreign.produce(kafka.brokers, "million", flow.numbered(lines))
    yield "million"
    foreign.delete_topics(kafka.brokers, ["million"])


def compare(lines):
    def each(message, number):
        assert message.value() == lines[number], f"record {number} came back changed"
    return each


def test_every_record_comes_back(kafka, topic, sealstream, lines, source):
    flow.prepare(sealstream)
    protected, revealed = topic("protected", 4), topic("revealed", 4)
    began = time.monotonic()
    sealstream.run(*flow.pump(kafka.brokers, source, protected, "--keep-partition"), timeout=600)
    print(f"pump: {RECORDS / (time.monotonic() - began):.0f} records/s with the broker on the same cores")
    sealstream.run(*flow.pump(kafka.brokers, protected, revealed, "--keep-partition", "--reveal"), timeout=600)

    seen = flow.read_numbered(kafka.brokers, protected,
                              lambda message, number: flow.check_protected(message, lines[number]))
    assert len(seen) == RECORDS and set(seen.values()) == {1}
    seen = flow.read_numbered(kafka.brokers, revealed, compare(lines))
    assert len(seen) == RECORDS and set(seen.values()) == {1}


def groups(brokers):
    return {group.group_id for group in AdminClient({"bootstrap.servers": brokers}).list_consumer_groups().result(30).valid}


def test_a_scan_of_them_all(kafka, sealstream, source):
    """What there is to protect, without a group; a sample of the end; nothing of a value in what it tells."""
    before = groups(kafka.brokers)
    began = time.monotonic()
    out, _ = sealstream.run("scan", "--json", "-b", kafka.brokers, "-t", source, timeout=120)
    print(f"scan: {RECORDS / (time.monotonic() - began):.0f} records/s with the broker on the same cores")
    told = json.loads(out)
    assert told["records"] == RECORDS and told["failed"] == 0
    paths = {path["path"]: path for path in told["paths"]}
    assert set(paths) == {"$.Name", "$.Address", "$.credit_card", "key"}
    assert paths["$.credit_card"]["findings"][0]["detector"] == "card" and paths["$.credit_card"]["values"] == RECORDS
    last = json.loads(sealstream.run("scan", "--json", "-b", kafka.brokers, "-t", source, "-o", "-1000")[0])
    assert last["records"] == 4 * 1000
    assert groups(kafka.brokers) <= before  # those whose topics are gone go, too, at a time of their own


def wait_until(consumer, topic, count, process):
    """Until `topic` has `count` messages; the pump goes on."""
    deadline = time.monotonic() + 300
    while sum(foreign.ends(consumer, topic).values()) < count:
        assert process.poll() is None, f"the pump ended with {process.returncode} before {count} records were there"
        assert time.monotonic() < deadline, f"no {count} records within 300 s"
        time.sleep(0.01)


def test_none_is_lost_when_the_pump_is_killed(kafka, topic, sealstream, lines, source):
    flow.prepare(sealstream)
    protected, revealed = topic("killed", 4), topic("killed-revealed", 4)
    more = ("--keep-partition", "--delivery", "at-least-once", *SESSION)
    endless = flow.pump(kafka.brokers, source, protected, *more, end=())  # is there to be killed, however late that comes
    watcher = Consumer({"bootstrap.servers": kafka.brokers, "group.id": "watcher"})
    for kill in range(1, KILLS + 1):
        with sealstream.start(*endless, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            wait_until(watcher, protected, kill * RECORDS // (KILLS + 2), process)
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
    watcher.close()
    sealstream.run(*flow.pump(kafka.brokers, source, protected, *more), timeout=600)
    sealstream.run(*flow.pump(kafka.brokers, protected, revealed, "--keep-partition", "--reveal"), timeout=600)

    highest = collections.defaultdict(lambda: -1)
    newest = {}

    def each(message, number):
        assert message.value() == lines[number]
        if number not in newest:  # a repeat is an old record again; what is new comes in the source's order
            assert number > highest[message.partition()], "records changed their order"
            newest[number] = highest[message.partition()] = number

    seen = flow.read_numbered(kafka.brokers, revealed, each)
    repeats = sum(seen.values()) - RECORDS
    print(f"{KILLS} kills: {len(seen)} of {RECORDS} records, {repeats} repeats")
    assert len(seen) == RECORDS, f"{RECORDS - len(seen)} records are missing"
