"""Does a pump keep to transactions: those of the topic that it reads, its own, and those of another process of its name?

What survives kills and brokers that bounce is the business of test_exactly_once.py.
"""
import json
import signal
import subprocess
import time

import flow
import foreign
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

COMMITTED = {"isolation.level": "read_committed"}
# The group tells a member quickly that it was replaced; the coordinator ends what is open.
QUICK = ("-X", "heartbeat.interval.ms=300", "-X", "session.timeout.ms=3000", "-X", "transaction.timeout.ms=3000")


def purchase(number, **more):
    return json.dumps({"n": number, "Address": f"{number} High St", "credit_card": "4111-1111-1111-1111"} | more)


def send(kafka, topic, numbers, **more):
    foreign.produce(kafka.brokers, topic, [{"key": b"%d" % n, "value": purchase(n, **more).encode(), "partition": n % 2}
                                           for n in numbers])


def held(kafka, topic):
    """Numbers of the committed records of a topic, in order."""
    return sorted(int(message.key()) for message in foreign.consume({"bootstrap.servers": kafka.brokers} | COMMITTED, topic))


def committed(kafka, group, topic, partitions=2):
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, p) for p in range(partitions)])
    admin = AdminClient({"bootstrap.servers": kafka.brokers})
    told = admin.list_consumer_group_offsets([asked])[group].result(120)
    return {part.partition: part.offset for part in told.topic_partitions}


def wait_until(condition, seconds=180):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def start(shop, kafka, source, target, log, *more):
    """A pump that goes on until it is stopped; what it says is in `log`."""
    return shop.start("pump", "-b", kafka.brokers, "--from", source, "--to", target, "-G", target, "-p", "policy.yaml", *more,
                      stdin=subprocess.DEVNULL, stderr=log.open("w"))


@pytest.fixture
def shop(sealstream):
    flow.prepare(sealstream)
    return sealstream


def test_what_was_aborted_is_not_read(kafka, topic, shop):
    source, target = topic("source", 1), topic("target", 1)
    producer = Producer({"bootstrap.servers": kafka.brokers, "transactional.id": source})
    producer.init_transactions(120)
    for numbers, end in ((range(10), producer.commit_transaction), (range(10, 20), producer.abort_transaction),
                         (range(20, 30), producer.commit_transaction)):
        producer.begin_transaction()
        for n in numbers:
            producer.produce(source, key=b"%d" % n, value=purchase(n))
        end(120)
    shop.run(*flow.pump(kafka.brokers, source, target, "-G", target))
    assert held(kafka, target) == [*range(10), *range(20, 30)]
    shop.run(*flow.pump(kafka.brokers, source, target, "-G", target))
    assert len(held(kafka, target)) == 20


def test_a_rejected_record_is_where_the_next_run_begins(kafka, topic, shop):
    source, target = topic("source", 1), topic("target", 1)
    foreign.produce(kafka.brokers, source, [(b"%d" % n, purchase(n, **({"credit_card": "none"} if n == 30 else {})).encode())
                                            for n in range(60)])
    for _ in range(2):
        _, told = shop.run(*flow.pump(kafka.brokers, source, target, "-G", target), exit_code=65)
        assert f"{source}/0/30" in told
        assert held(kafka, target) == list(range(30)) and committed(kafka, target, source, 1) == {0: 30}


def test_dead_letters_are_in_the_transaction(kafka, topic, shop):
    source, target, dead = topic("source", 2), topic("target", 2), topic("dead", 1)
    policy = flow.POLICY.replace('- match: "*"', f'- match: "*"\n  on_error: dead_letter\n  dead_letter: {{topic: {dead}, key: pii}}')
    (shop.folder / "policy.yaml").write_text(policy)
    send(kafka, source, range(100), credit_card="none")
    send(kafka, source, range(100, 200))
    shop.run(*flow.pump(kafka.brokers, source, target, "-G", target, "-j", "4"), exit_code=1)
    shop.run(*flow.pump(kafka.brokers, source, target, "-G", target))
    assert held(kafka, target) == list(range(100, 200))
    assert len(list(foreign.consume({"bootstrap.servers": kafka.brokers} | COMMITTED, dead))) == 100
    # Control records of transactions stand behind them: nothing was written outside of one.
    ends = foreign.ends(foreign.Consumer({"bootstrap.servers": kafka.brokers, "group.id": "none"}), dead)
    assert ends[0] > 100


def test_a_process_of_the_same_name_takes_over(kafka, topic, shop, tmp_path):
    source, target = topic("source", 2), topic("target", 2)
    first, second = tmp_path / "first", tmp_path / "second"
    arguments = ("--member", "one", *QUICK)
    old = start(shop, kafka, source, target, first, *arguments)
    new = None
    try:
        send(kafka, source, range(100))
        wait_until(lambda: held(kafka, target) == list(range(100)))
        new = start(shop, kafka, source, target, second, *arguments)
        send(kafka, source, range(100, 200))
        wait_until(lambda: held(kafka, target) == list(range(200)))
        send(kafka, source, range(200, 300))
        assert old.wait(180) == 69
        assert "another process" in first.read_text()
        # Longer than the coordinator waits: its transaction is aborted and it is fenced, but nobody has taken its place.
        new.send_signal(signal.SIGSTOP)
        send(kafka, source, range(300, 400))
        time.sleep(14)
        new.send_signal(signal.SIGCONT)
        wait_until(lambda: held(kafka, target) == list(range(400)))
        new.send_signal(signal.SIGTERM)
        assert new.wait(180) == 143
    finally:
        for process in (old, new):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
    assert held(kafka, target) == list(range(400))


def test_one_that_slept_longer_than_its_session_leaves_its_successor_alone(kafka, topic, shop, tmp_path):
    source, target = topic("source", 2), topic("target", 2)
    arguments = ("--member", "one", *QUICK)
    pumps = [start(shop, kafka, source, target, tmp_path / "old", *arguments)]
    try:
        send(kafka, source, range(100))
        wait_until(lambda: held(kafka, target) == list(range(100)))
        pumps[0].send_signal(signal.SIGSTOP)
        slept = time.monotonic()
        pumps.append(start(shop, kafka, source, target, tmp_path / "new", *arguments))
        send(kafka, source, range(100, 200))
        wait_until(lambda: held(kafka, target) == list(range(200)))
        wait_until(lambda: time.monotonic() - slept > 4)
        pumps[0].send_signal(signal.SIGCONT)
        assert pumps[0].wait(180) == 69
        assert "another process of the same --member" in (tmp_path / "old").read_text()
        send(kafka, source, range(200, 300))
        wait_until(lambda: held(kafka, target) == list(range(300)))
        pumps[1].send_signal(signal.SIGTERM)
        assert pumps[1].wait(180) == 143
        assert "in the place of member" not in (tmp_path / "new").read_text()
    finally:
        for process in pumps:
            process.kill()
            process.wait()


def test_cooperative_rebalancing(kafka, topic, shop, tmp_path):
    source, target = topic("source", 2), topic("target", 2)
    arguments = ("-X", "partition.assignment.strategy=cooperative-sticky", *QUICK)
    pumps = [start(shop, kafka, source, target, tmp_path / "0", *arguments)]
    try:
        send(kafka, source, range(1000))
        wait_until(lambda: len(held(kafka, target)) == 1000)
        pumps.append(start(shop, kafka, source, target, tmp_path / "1", *arguments))
        send(kafka, source, range(1000, 2000))
        wait_until(lambda: len(held(kafka, target)) == 2000)
        pumps[0].kill()
        send(kafka, source, range(2000, 3000))
        wait_until(lambda: len(held(kafka, target)) == 3000)
        pumps[1].send_signal(signal.SIGTERM)
        assert pumps[1].wait(180) == 143
    finally:
        for process in pumps:
            process.kill()
            process.wait()
    assert held(kafka, target) == list(range(3000))
