"""Kafka to Kafka while an executor is killed, restarts from the checkpoint, files, the program on the other side, and
nothing of keys or plaintext where Spark keeps its books.

SEALSTREAM_SPARK_RECORDS: how many records (1,000,000).
"""
import contextlib
import json
import os
import pathlib
import signal

import foreign
import pytest
from package_kit import POLICY
from program import wait_until
from sealstream import DataError
from sealstream import spark as seal
from spark_records import MARK, check_all, check_sealed, forms, line, materials, numbered, search

COUNT = int(os.environ.get("SEALSTREAM_SPARK_RECORDS", "1000000"))


def read(spark, kafka, topic, **options):
    reader = spark.readStream.format("kafka").option("kafka.bootstrap.servers", kafka.brokers)
    for name, value in ({"subscribe": topic, "startingOffsets": "earliest"} | options).items():
        reader = reader.option(name, value)
    return reader.load()


def write(df, kafka, topic, checkpoint):
    return (df.select("key", "value").writeStream.format("kafka").option("kafka.bootstrap.servers", kafka.brokers)
            .option("topic", topic).option("checkpointLocation", str(checkpoint)))


def written(kafka, topic):
    consumer = foreign.Consumer({"bootstrap.servers": kafka.brokers, "group.id": "watcher"})
    try:
        return sum(foreign.ends(consumer, topic).values())
    finally:
        consumer.close()


def executors(spark):
    """Process ids of those that live: children of Java that run an executor."""
    found = []
    for children in pathlib.Path(f"/proc/{spark.sparkContext._gateway.proc.pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # the thread has ended meanwhile
            for pid in children.read_text().split():
                with contextlib.suppress(OSError):  # it has
                    if b"CoarseGrainedExecutorBackend" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                        found.append(int(pid))
    return found


def at_work(spark):
    tracker = spark.sparkContext.statusTracker()
    stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
    return any(stage and stage.numActiveTasks for stage in stages)


@pytest.fixture
def stream_policy(policy, topic):
    """A topic of the test's own, with the rules of purchases, and where it goes."""
    return policy, topic("purchases", 4), topic("purchases-sealed", 4)


def kill_an_executor(spark, query, kafka, target, at_least):
    """As soon as that many records are written and there is work; returns how many were written."""
    def far_enough():
        assert query.isActive, query.exception()
        return written(kafka, target) >= at_least and at_work(spark)

    before = executors(spark)
    wait_until(far_enough, seconds=900, pause=0.05)
    os.kill(before[0], signal.SIGKILL)
    at_kill = written(kafka, target)
    wait_until(lambda: len(executors(spark)) == 2 and before[0] not in executors(spark), seconds=300)
    return at_kill


def test_kafka_to_kafka_while_an_executor_is_killed(spark, kafka, stream_policy, shop, events, tmp_path):
    """Each record is there, and is what was sent; a start from the checkpoint goes on with what is new."""
    policy, source, target = stream_policy
    keys = materials(shop)
    foreign.produce(kafka.brokers, source, numbered(0, COUNT))
    df = seal.protect(read(spark, kafka, source, maxOffsetsPerTrigger=str(COUNT // 10)), policy, topic="purchases")
    wait_until(lambda: len(executors(spark)) == 2, seconds=300)
    query = write(df, kafka, target, tmp_path / "checkpoint").start()
    at_kill = kill_an_executor(spark, query, kafka, target, COUNT // 4)
    query.processAllAvailable()
    query.stop()
    assert COUNT // 4 <= at_kill < COUNT, "nothing was left to do when the executor was killed"
    seen, changed = check_all(keys, foreign.consume(kafka.brokers, target))
    total = sum(seen.values())
    assert set(seen) == set(range(COUNT)) and changed > 0.99 * total
    print(f"{COUNT} records, {at_kill} written when an executor was killed; {total - COUNT} written twice")

    foreign.produce(kafka.brokers, source, numbered(COUNT, COUNT + 100))
    query = write(df, kafka, target, tmp_path / "checkpoint").trigger(availableNow=True).start()
    query.awaitTermination()
    later = [message for message in foreign.consume(kafka.brokers, target) if int(message.key()) >= COUNT]
    assert len(later) == 100 and written(kafka, target) == total + 100
    for message in later:
        check_sealed(keys, int(message.key()), message.value())
    logs = (path.read_bytes() for path in events.rglob("*") if path.is_file())
    assert any(b'"SparkListenerExecutorRemoved"' in log for log in logs), "Spark has not noticed"


def test_nothing_of_keys_or_records_in_the_books(spark, kafka, stream_policy, shop, events, home, tmp_path, capfd):
    """Of a query that ends well, and of those that fail: checkpoint, event log, plan, what executors and driver say."""
    policy, source, target = stream_policy
    foreign.produce(kafka.brokers, source, numbered(0, 500))
    df = seal.protect(read(spark, kafka, source), policy, topic="purchases")
    write(df, kafka, target, tmp_path / "good").trigger(availableNow=True).start().awaitTermination()
    df.explain(True)
    plan = capfd.readouterr().out
    assert "MapInArrow" in plan

    foreign.produce(kafka.brokers, source, [(b"bad", b'{"credit_card":"4111 %s"}' % MARK.encode())])
    for name, failed in (("raise", True), ("column", False)):
        made = seal.protect(read(spark, kafka, source), policy, topic="purchases", failed=name)
        query = write(made, kafka, target, tmp_path / name).trigger(availableNow=True).start()
        with pytest.raises(DataError) if failed else contextlib.nullcontext(), seal.errors():
            query.awaitTermination()
        print(query.exception())
    said = "".join(capfd.readouterr())

    hidden = forms(materials(shop), shop)
    assert not any(form in (plan + said).encode() for form in hidden)
    for name in ("good", "raise", "column"):
        assert search(tmp_path / name, hidden)
    for folder, ours in ((events, source.encode()), (home / "work", b"sealstream-error")):
        assert any(ours in path.read_bytes() for path in search(folder, hidden)), "nothing of these queries there"


def test_the_program_reads_what_spark_wrote_and_the_other_way_round(spark, kafka, topic, shop, sealstream, tmp_path):
    source, middle, plain = topic("purchases", 2), topic("sealed", 2), topic("plain", 2)
    sealstream.environment["SEALSTREAM_KEYRING"] = str(shop)
    (sealstream.folder / "policy.yaml").write_text(POLICY)
    lines = [line(n) for n in range(500)]
    foreign.produce(kafka.brokers, source, ((b"%d" % n, text) for n, text in enumerate(lines)))
    write(seal.protect(read(spark, kafka, source), sealstream.folder / "policy.yaml", topic="purchases"), kafka, middle,
          tmp_path / "c1").trigger(availableNow=True).start().awaitTermination()
    common = ("-b", kafka.brokers, "-p", "policy.yaml", "--policy-topic", "purchases")
    out, _ = sealstream.run("consume", "-t", middle, "-e", *common)
    assert sorted(out.splitlines()) == sorted(lines)
    written_there = topic("by-program", 2)
    sealstream.run("produce", "-t", written_there, *common, input=b"\n".join(lines) + b"\n")
    assert not any(MARK.encode() in message.value() for message in foreign.consume(kafka.brokers, written_there))
    write(seal.reveal(read(spark, kafka, written_there), sealstream.folder / "policy.yaml", topic="purchases"), kafka,
          plain, tmp_path / "c2").trigger(availableNow=True).start().awaitTermination()
    assert sorted(message.value() for message in foreign.consume(kafka.brokers, plain)) == sorted(lines)


def test_kafka_to_files_once(spark, kafka, stream_policy, shop, tmp_path):
    policy, source, _ = stream_policy
    df = seal.protect(read(spark, kafka, source), policy, topic="purchases").select("key", "value")
    for first in (0, 300):
        foreign.produce(kafka.brokers, source, numbered(first, first + 300))
        (df.writeStream.format("parquet").option("checkpointLocation", f"{tmp_path}/checkpoint")
         .trigger(availableNow=True).start(f"{tmp_path}/out").awaitTermination())
    rows = spark.read.parquet(f"{tmp_path}/out").collect()
    assert sorted(int(bytes(row.key)) for row in rows) == list(range(600))
    keys = materials(shop)
    for row in rows:
        check_sealed(keys, int(bytes(row.key)), bytes(row.value))


def test_dead_letters_of_spark_and_of_the_program_are_the_same(spark, kafka, topic, shop, sealstream, tmp_path):
    """Spark's are written as docs/SPARK.md says; both give the record back, with its key and its headers."""
    source, dead, target = topic("orders", 1), topic("orders-dead", 1), topic("orders-sealed", 1)
    sealstream.environment["SEALSTREAM_KEYRING"] = str(shop)
    path = sealstream.folder / "policy.yaml"
    path.write_text(POLICY.replace("match: orders", f"match: {source}").replace("orders_dead", dead))
    foreign.produce(kafka.brokers, source, [{"key": b"k1", "value": b"no JSON", "headers": [("customer", b"Zoe")]},
                                            (b"k2", b'{"note":"a"}')])
    df = read(spark, kafka, source, includeHeaders="true")
    made = seal.protect(df, path, key="key", headers="headers", failed="column")
    letters = made.where("seal_error is not null").select("seal_error.dead_letter.*")
    (letters.writeStream.format("kafka").option("kafka.bootstrap.servers", kafka.brokers)
     .option("checkpointLocation", f"{tmp_path}/checkpoint").option("includeHeaders", "true")
     .trigger(availableNow=True).start().awaitTermination())
    written_there, = foreign.consume(kafka.brokers, dead)
    assert written_there.key() is None and b"k1" not in b"".join(value for _, value in written_there.headers())
    out, _ = sealstream.run("consume", "-J", "-t", dead, "-e", "-b", kafka.brokers, "-p", "policy.yaml")
    back = json.loads(out)
    headers = ["customer", "Zoe", "seal-error", "syntax", "seal-topic", source, "seal-partition", "0",
               "seal-offset", "0"]
    assert (back["key"], back["payload"], back["headers"]) == ("k1", "no JSON", headers)

    sealstream.run("pump", "-b", kafka.brokers, "--from", source, "--to", target, "-p", "policy.yaml", "-e",
                   exit_code=1)
    both = (spark.read.format("kafka").option("kafka.bootstrap.servers", kafka.brokers).option("subscribe", dead)
            .option("includeHeaders", "true").load())
    rows = seal.reveal(both, path, key="key", headers="headers").collect()
    assert len(rows) == 2
    for row in rows:
        assert (bytes(row.key), bytes(row.value)) == (b"k1", b"no JSON")
        assert [part if isinstance(part, str) else bytes(part).decode() for header in row.headers
                for part in header] == headers


def test_spark_gives_headers(spark, kafka, topic, policy):
    """Of Kafka's own source: what `carry: header` needs."""
    source = topic("carried", 1)
    foreign.produce(kafka.brokers, source, [{"value": b'{"note":"a"}', "headers": [("x", b"1")]}])
    df = (spark.read.format("kafka").option("kafka.bootstrap.servers", kafka.brokers).option("subscribe", source)
          .option("includeHeaders", "true").load())
    made = seal.protect(df, policy, topic="carried", headers="headers").select("value", "headers").cache()
    assert [header.key for header in made.first().headers] == ["x", "seal-key"]
    back = seal.reveal(made, policy, topic="carried", headers="headers").first()
    assert bytes(back.value) == b'{"note":"a"}' and [tuple(header) for header in back.headers] == [("x", b"1")]
