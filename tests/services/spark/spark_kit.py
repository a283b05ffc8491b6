"""What tests of Spark share: a cluster in small."""
import os
import pathlib
import sys
import unittest.mock

import pyspark
from pyspark.sql import SparkSession

PACKAGE = pathlib.Path(__file__).resolve().parents[3] / "build" / "python"
MASTER = "local-cluster[2,1,1024]"


def make_home(folder):
    """A SPARK_HOME whose executors write what they say below its work/."""
    for part in pathlib.Path(pyspark.__file__).parent.iterdir():
        if part.name != "work":
            (folder / part.name).symlink_to(part)
    return folder


def environment(home):
    """What Java and its Python workers need, and nothing of ours."""
    ours = ("SEALSTREAM", "VAULT_", "BAO_", "SPARK_", "PYTHONPATH")
    own = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    # without PYSPARK_PYTHON workers are whatever python3 they find
    return own | {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable,
                  "PATH": f"{home}/bin:{os.environ['PATH']}"}


def settings(keyring, events, jars):
    """Two executors, each with one core."""
    return {
        "spark.master": MASTER,
        "spark.jars": jars,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.executor.memory": "1g",
        "spark.executorEnv.PYTHONPATH": str(PACKAGE),
        "spark.executorEnv.SEALSTREAM_KEYRING": str(keyring),
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "2000",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": f"file://{events}",
        "spark.eventLog.compress": "false",
    }


def session(home, keyring, events, jars):
    builder = SparkSession.builder.appName("sealstream tests")
    for name, value in settings(keyring, events, jars).items():
        builder = builder.config(name, value)
    with unittest.mock.patch.dict(os.environ, environment(home), clear=True):
        made = builder.getOrCreate()
    made.sparkContext.setLogLevel("ERROR")
    return made
