"""What tests of Spark share: a cluster in small."""
import os

from pyspark.sql import SparkSession


def settings(keyring, events, master="local-cluster[2,1,1024]"):
    """Two executors, each with one core."""
    return {
        "spark.master": master,
        "spark.jars": os.environ["SEALSTREAM_SPARK_JARS"],
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.executor.memory": "1g",
        "spark.executorEnv.PYTHONPATH": os.environ["PYTHONPATH"],
        "spark.executorEnv.SEALSTREAM_KEYRING": str(keyring),
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "2000",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": f"file://{events}",
        "spark.eventLog.compress": "false",
    }


def session(keyring, events, **more):
    builder = SparkSession.builder.appName("sealstream tests")
    for name, value in settings(keyring, events, **more).items():
        builder = builder.config(name, value)
    made = builder.getOrCreate()
    made.sparkContext.setLogLevel("ERROR")
    return made
