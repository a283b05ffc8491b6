"""Kafka to Kafka while an executor is killed, restarts from the checkpoint, files, the program on the other side, and
nothing of keys or plaintext where Spark keeps its books.

SEALSTREAM_SPARK_RECORDS: how many records (20000); the comparison is by tests/interop, which shares nothing with src/.
"""
import base64
import collections
import json
import os
import re
import signal
import subprocess

import foreign
import pytest
import sealed
from keyring_files import Keyring
from package_kit import POLICY
from program import ROOT, wait_until
from sealstream import spark as seal

COUNT = int(os.environ.get("SEALSTREAM_SPARK_RECORDS", "20000"))
MARK = "Plaintext-Street"
SEALED = re.compile(rb'\{"id":(\d+),"Address":"([^"]*)","credit_card":"([^"]*)","price":1.10\}')


def line(n):
    return b'{"id":%d,"Address":"%d %s","credit_card":"4111-1111-%04d-%04d","price":1.10}' % (
        n, n, MARK.encode(), n // 10000 % 10000, n % 10000)


def materials(shop):
    keyring = Keyring(shop)
    return {name: keyring.read(name)["versions"][0]["material"] for name in ("pii", "cards", "join")}


def check_sealed(keys, n, value):
    """Opens a record with another implementation: it must be what line(n) was. Whether its card is another one: of a
    million cards, one or so is encrypted to itself."""
    number, address, card = SEALED.fullmatch(value).groups()
    opened = sealed.decrypt({1: keys["pii"]}, address.decode(),
                            lambda kind: sealed.place("$['Address']", kind, "shop"))[1]
    place = sealed.place("$['credit_card']", sealed.STRING, "shop")
    plain = sealed.fpe(keys["cards"], card.decode(), place, first=6, last=4, decrypt=True)
    assert int(number) == n
    assert b'{"id":%s,"Address":"%s","credit_card":"%s","price":1.10}' % (number, opened, plain.encode()) == line(n)
    return card != plain.encode()


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
    """Process ids of those that live."""
    jvm = spark.sparkContext._gateway.proc.pid
    found = subprocess.run(["ps", "-ww", "-o", "pid=,args=", "--ppid", str(jvm)], capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in found.splitlines() if "CoarseGrainedExecutorBackend" in line]


def at_work(spark):
    tracker = spark.sparkContext.statusTracker()
    stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
    return any(stage and stage.numActiveTasks for stage in stages)


def search(folder, keys, shop):
    """Files below `folder`; none may hold a key, in any form that is written, or plaintext."""
    secret = [*keys.values(), (shop / "master.key").read_bytes()]
    forms = [MARK.encode()] + [form for key in secret for form in (
        key, key.hex().encode(), base64.b64encode(key).rstrip(b"="), base64.urlsafe_b64encode(key).rstrip(b"="))]
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        data = path.read_bytes()
        assert not [form for form in forms if form in data], path
    return files


@pytest.fixture
def stream_policy(policy, topic):
    """A topic of the test's own, with the rules of purchases, and where it goes."""
    return policy, topic("purchases", 4), topic("purchases-sealed", 4)


def test_kafka_to_kafka_while_an_executor_is_killed(spark, kafka, stream_policy, shop, events, tmp_path, capfd):
    policy, source, target = stream_policy
    foreign.produce(kafka.brokers, source, ((b"%d" % n, line(n)) for n in range(COUNT)))
    df = seal.protect(read(spark, kafka, source, maxOffsetsPerTrigger=str(COUNT // 10)), policy, topic="purchases")
    wait_until(lambda: len(executors(spark)) == 2, seconds=60)
    before = executors(spark)
    query = write(df, kafka, target, tmp_path / "checkpoint").start()
    wait_until(lambda: written(kafka, target) and at_work(spark), seconds=120, pause=0.05)
    os.kill(before[0], signal.SIGKILL)
    at_kill = written(kafka, target)
    query.processAllAvailable()
    query.stop()
    assert 0 < at_kill < COUNT, "nothing was left to do when the executor was killed"
    wait_until(lambda: len(executors(spark)) == 2, seconds=60)
    assert before[0] not in executors(spark)

    keys, seen, changed = materials(shop), collections.Counter(), 0
    for message in foreign.consume(kafka.brokers, target):
        n = int(message.key())
        changed += check_sealed(keys, n, message.value())
        seen[n] += 1
    assert set(seen) == set(range(COUNT)) and changed > 0.99 * sum(seen.values())

    # started again from its checkpoint it goes on with what is new, and with nothing else
    total = sum(seen.values())
    foreign.produce(kafka.brokers, source, ((b"%d" % n, line(n)) for n in range(COUNT, COUNT + 100)))
    query = write(df, kafka, target, tmp_path / "checkpoint").trigger(availableNow=True).start()
    query.awaitTermination()
    later = [message for message in foreign.consume(kafka.brokers, target) if int(message.key()) >= COUNT]
    assert len(later) == 100 and written(kafka, target) == total + 100
    for message in later:
        check_sealed(keys, int(message.key()), message.value())

    # nothing of keys or records in the checkpoint, the event log, the plan, and what Spark said
    assert search(tmp_path / "checkpoint", keys, shop)
    assert any(source.encode() in path.read_bytes() for path in search(events, keys, shop)), "not the log of this query"
    df.explain(True)
    plan, said = capfd.readouterr()
    assert "mapInArrow" in plan or "MapInArrow" in plan
    assert MARK not in plan + said and not any(key.hex() in plan + said for key in keys.values())
    print(f"{COUNT} records, {at_kill} written when an executor was killed; {total - COUNT} written twice")


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
        foreign.produce(kafka.brokers, source, ((b"%d" % n, line(n)) for n in range(first, first + 300)))
        (df.writeStream.format("parquet").option("checkpointLocation", f"{tmp_path}/checkpoint")
         .trigger(availableNow=True).start(f"{tmp_path}/out").awaitTermination())
    rows = spark.read.parquet(f"{tmp_path}/out").collect()
    assert sorted(int(bytes(row.key)) for row in rows) == list(range(600))
    keys = materials(shop)
    for row in rows:
        check_sealed(keys, int(bytes(row.key)), bytes(row.value))


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


def submit(kafka, policy, source, target, checkpoint, environment, *conf):
    """bindings/spark/examples/kafka_to_kafka.py, in an environment of its own."""
    import pyspark
    own = {name: value for name, value in os.environ.items() if not name.startswith(("SEALSTREAM", "VAULT_", "SPARK"))}
    example = ROOT / "bindings" / "spark" / "examples" / "kafka_to_kafka.py"
    words = ["spark-submit", "--master", "local-cluster[2,1,1024]", "--jars", os.environ["SEALSTREAM_SPARK_JARS"],
             "--conf", "spark.executorEnv.PYTHONPATH=" + os.environ["PYTHONPATH"], *conf, example,
             "--brokers", kafka.brokers, "--policy", policy, "--source", source, "--target", target,
             "--checkpoint", checkpoint, "--policy-topic", "purchases", "--once"]
    home = os.path.dirname(pyspark.__file__)
    return subprocess.run([f"{home}/bin/{words[0]}", *map(str, words[1:])], capture_output=True, text=True, timeout=300,
                          env=own | {"SPARK_HOME": home, "SPARK_LOCAL_IP": "127.0.0.1"} | environment)


def test_spark_submit_with_vault(kafka, topic, vault, transit, tmp_path):
    """docs/SPARK.md's second command: the executors read their token from a file; the driver has none."""
    vault.key("pii", transit)
    (tmp_path / "policy.yaml").write_text(f"""version: 1
keys: {{pii: "vault:{transit}/pii"}}
topics: [{{match: purchases, protect: {{$.Address: {{type: encrypt, key: pii, bind: none}}}}}}]
""")
    token = tmp_path / "token"
    token.write_text(vault.token)
    token.chmod(0o600)
    source, target = topic("submitted"), topic("submitted-sealed")
    foreign.produce(kafka.brokers, source, [(b"1", line(1))])
    conf = [word for name, value in (vault.environment("") | {"SEALSTREAM_VAULT_TOKEN_FILE": token}).items()
            for word in ("--conf", f"spark.executorEnv.{name}={value}")]
    done = submit(kafka, tmp_path / "policy.yaml", source, target, tmp_path / "checkpoint", {}, *conf)
    assert done.returncode == 0, done.stderr[-3000:]
    made, = foreign.consume(kafka.brokers, target)
    assert vault.decrypt("pii", json.loads(made.value())["Address"], transit).decode() == f"1 {MARK}"
    assert vault.token not in done.stdout + done.stderr and MARK not in done.stdout + done.stderr


def test_spark_submit_with_a_keyring(kafka, topic, shop, tmp_path):
    """docs/SPARK.md's first command; and what is said when there are no keys: one line of ours at the end."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    source, target = topic("submitted"), topic("submitted-sealed")
    foreign.produce(kafka.brokers, source, [(b"1", line(1))])
    for keyring, code in (("/nowhere", 1), (shop, 0)):
        done = submit(kafka, tmp_path / "policy.yaml", source, target, tmp_path / "checkpoint", {},
                      "--conf", f"spark.executorEnv.SEALSTREAM_KEYRING={keyring}")
        assert done.returncode == code, done.stderr[-3000:]
        said = [text for text in done.stdout.splitlines() if text.startswith("kafka_to_kafka: ")]  # of both
        assert len(said) == code and all("no keyring at /nowhere" in text for text in said), done.stderr[-3000:]
    made, = foreign.consume(kafka.brokers, target)
    check_sealed(materials(shop), 1, made.value())
