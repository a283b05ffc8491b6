"""What bench/run-spark measures: queries over purchases, in an application of Spark with executors of its own, and what each costs."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import time
from typing import Any, Callable, NamedTuple

from kafka_bench import ROOT, environment

BUILD = ROOT / "build"
PATHS = [BUILD / "python", ROOT / "bench"]  # of the workers: the package, and sealer.py
PARTITIONS = 4
POLICY = """version: 1
namespace: bench
keys: {pii: "local:pii", cards: "local:cards"}
topics:
- match: address
  protect: {$.Address: {type: encrypt, key: pii}}
- match: both
  protect: {$.Address: {type: encrypt, key: pii}, $.credit_card: {type: fpe, key: cards, alphabet: digits}}
"""
KIND = {"CoarseGrainedExecutorBackend": "executors", "pyspark.daemon": "workers", "kafka.Kafka": "broker"}


class Cost(NamedTuple):
    """Of one query; seconds."""

    wall: float
    executors: float
    workers: float

    @classmethod
    def of(cls, query):
        before, began = processes(), time.monotonic()
        query()
        wall, spent = time.monotonic() - began, {"executors": 0.0, "workers": 0.0}
        for pid, (kind, seconds) in processes().items():
            if kind in spent:
                spent[kind] += seconds - before.get(pid, (kind, 0.0))[1]
        return cls(wall, **spent)

    @property
    def cpu(self):
        return self.executors + self.workers

    def each(self, records):
        """Of a record, microseconds."""
        return Cost(*(seconds / records * 1e6 for seconds in self))


def processes():
    """{pid: (kind, seconds of CPU)} of all that descend from this process."""
    found, children = {}, {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            words = (entry / "cmdline").read_text()
        except OSError:
            continue  # it has ended
        kind = next((name for mark, name in KIND.items() if mark in words), "driver")
        found[int(entry.name)] = kind, (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
        children.setdefault(int(stat[1]), []).append(int(entry.name))
    ours, todo = {}, [os.getpid()]
    while todo:
        pid = todo.pop()
        ours[pid] = found[pid]
        todo += children.get(pid, ())
    return ours


class Case(NamedTuple):
    """A query to be measured; `base` names the one whose transformation gives back what it got."""

    direction: str
    fields: str
    name: str
    records: int
    run: Callable[[], Any]
    base: str | None = None

    @property
    def key(self):
        return self.direction, self.fields, self.name


def session(folder, executors=2):
    from pyspark.sql import SparkSession
    settings = {
        "spark.master": f"local-cluster[{executors},1,2048]",
        "spark.executor.memory": "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.jars": os.environ["SEALSTREAM_SPARK_JARS"],
        "spark.local.dir": str(folder / "spark"),
        "spark.executorEnv.PYTHONPATH": ":".join(map(str, PATHS)),
        "spark.executorEnv.SEALSTREAM_KEYRING": str(folder / "keyring"),
        # Spark 4.2.0 waits for ever in a Python UDF by Arrow that reads columns, as of Parquet: SPARK-58241
        "spark.sql.execution.arrow.pythonUDF.columnarInput.enabled": "false",
    }
    builder = SparkSession.builder.appName("sealstream bench")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def through_python(df):
    """There and back, unchanged."""
    return df.mapInArrow(lambda batches: batches, df.schema)


class Bench:
    def __init__(self, folder, records):
        import sealstream
        self.folder, self.records, self.made = folder, records, 0
        with sealstream.Keyring(folder / "keyring", create=True) as keyring:
            keyring.create_key("pii")
            keyring.create_key("cards", "ff1")
        self.policy = sealstream.Policy.from_text(POLICY)

    @contextlib.contextmanager
    def application(self, executors=2):
        import pyspark
        import sealstream.spark
        self.seal, self.spark = sealstream.spark, session(self.folder, executors)
        work = pathlib.Path(pyspark.__file__).parent / "work" / self.spark.sparkContext.applicationId  # of the executors
        try:
            self.seal.register(self.spark, self.policy)
            yield
        finally:
            self.spark.stop()
            shutil.rmtree(work, ignore_errors=True)

    def prepare(self):
        """plain: all records; few: a tenth."""
        with open(self.folder / "lines", "wb") as lines:
            subprocess.run([BUILD / "bench" / "purchases", str(self.records)], stdout=lines, check=True)
        self.save(self.spark.read.text(str(self.folder / "lines")), "plain")
        self.save(self.table("plain").limit(self.records // 10), "few")
        (self.folder / "lines").unlink()

    def table(self, name):
        return self.spark.read.parquet(str(self.folder / name))

    def save(self, df, name):
        df.repartition(PARTITIONS).write.parquet(str(self.folder / name))
        return name

    def next_name(self):
        self.made += 1
        return f"made-{self.made}"

    def nothing(self, df):
        """A query whose rows all come to an end, nowhere."""
        df.write.format("noop").mode("overwrite").save()

    def udf(self, fields, direction, by_arrow):
        from pyspark.sql import functions

        def convert(value):
            from sealer import standard
            sealer = standard(fields == "both")
            return sealer.seal(value) if direction == "protect" else sealer.open(value)
        return functions.udf(convert, "string", useArrow=by_arrow)

    # ---- queries ----

    def queries(self):
        """All cases; saves what is to be revealed."""
        for direction in ("protect", "reveal"):
            revealed = direction == "reveal"
            ours = {fields: self.save(self.seal.protect(self.table("plain"), self.policy, topic=fields), f"sealed-{fields}")
                    if revealed else "plain" for fields in ("address", "both")}
            yield from self.bases(direction, self.table(ours["both"]))
            for fields, name in ours.items():
                yield from self.our_cases(direction, fields, self.table(name))
                theirs = "plain" if fields == "address" else "few"
                if revealed:
                    made = self.udf(fields, "protect", True)("value").alias("value")
                    theirs = self.save(self.table(theirs).select(made), f"python-{fields}")
                yield from self.udf_cases(direction, fields, self.table(theirs))

    def bases(self, direction, df):
        """What takes records there and back, and does nothing with them."""
        from pyspark.sql import functions
        yield Case(direction, "", "no transformation", self.records, lambda: self.nothing(df))
        yield Case(direction, "", "mapInArrow, nothing", self.records, lambda: self.nothing(through_python(df)))
        for name, by_arrow in (("UDF, pickled", False), ("UDF by Arrow", True)):
            same = functions.udf(lambda value: value, "string", useArrow=by_arrow)
            yield Case(direction, "", f"{name}, nothing", self.records, lambda same=same: self.nothing(df.select(same("value"))))

    def our_cases(self, direction, fields, df):
        convert = getattr(self.seal, direction)
        yield Case(direction, fields, f"sealstream.spark.{direction}", self.records,
                   lambda: self.nothing(convert(df, self.policy, topic=fields)), "mapInArrow, nothing")
        yield Case(direction, fields, f"seal_{direction}_text", self.records,
                   lambda: self.nothing(df.selectExpr(f"seal_{direction}_text(value, '{fields}')")), "mapInArrow, nothing")

    def udf_cases(self, direction, fields, df):
        records = self.records if fields == "address" else self.records // 10
        for name, by_arrow in (("UDF, pickled", False), ("UDF by Arrow", True)):
            udf = self.udf(fields, direction, by_arrow)
            yield Case(direction, fields, name, records, lambda udf=udf: self.nothing(df.select(udf("value"))), f"{name}, nothing")

    # ---- copies ----

    def copies(self, brokers):
        import foreign
        foreign.create_topic(brokers, "source", PARTITIONS)
        subprocess.run([BUILD / "bench" / "topic_load", "fill", brokers, "source", str(self.records)], check=True,
                       env=environment(self.folder))
        changes = {"copy": lambda df: df, "mapInArrow, nothing": through_python,
                   "protect": lambda df: self.seal.protect(df, self.policy, topic="both")}
        for name, change in changes.items():
            yield Case("Parquet to Parquet", "both", name, self.records, lambda change=change: self.write(change(self.table("plain"))))
        for name, change in changes.items():
            yield Case("Kafka to Kafka", "both", name, self.records, lambda change=change: self.stream(brokers, change))

    def write(self, df):
        path = self.folder / self.next_name()
        df.write.parquet(str(path))
        shutil.rmtree(path)

    def stream(self, brokers, change):
        """docs/SPARK.md's query, until the source's end."""
        import foreign
        target = self.next_name()
        foreign.create_topic(brokers, target, PARTITIONS)
        df = (self.spark.readStream.format("kafka").option("kafka.bootstrap.servers", brokers).option("subscribe", "source")
              .option("startingOffsets", "earliest").load().select("key", "value"))
        (change(df).writeStream.format("kafka").option("kafka.bootstrap.servers", brokers).option("topic", target)
         .option("checkpointLocation", str(self.folder / target)).trigger(availableNow=True).start().awaitTermination())
        foreign.delete_topics(brokers, [target])
