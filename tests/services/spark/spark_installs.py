"""What the tests of Spark need besides PySpark 4; fetched once a machine and kept in $SEALSTREAM_TEST_CACHE.

Usage: tests/services/run --python tests/services/spark/spark_installs.py
           prints the jars of Spark's Kafka source, with commas between them, and the Python of a virtual environment
           that has PySpark 3.5
"""
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent)]
from once import mark, once, run

REQUIREMENTS = HERE / "requirements-3.5.txt"
KAFKA = "org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0"  # as docs/SPARK.md has it; of PySpark's version
NOT_IN_SPARK = ("org.apache.spark_*.jar", "org.apache.kafka_*.jar", "org.apache.commons_*.jar")
FETCH = """import sys
from pyspark.sql import SparkSession
builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
builder.config("spark.jars.packages", sys.argv[1]).config("spark.jars.ivy", sys.argv[2]).getOrCreate().stop()
"""


def ivy(cache=None):
    """A folder for spark.jars.ivy, with what `--packages` asks for."""

    def make(folder):
        run(sys.executable, "-c", FETCH, KAFKA, folder, env=os.environ | {"SPARK_LOCAL_IP": "127.0.0.1"}, cwd=folder)

    return once(cache, f"spark-ivy-{mark(KAFKA, FETCH)}", make)


def jars(cache=None):
    """Those of them that Spark has not, with commas between them."""
    folder = ivy(cache) / "jars"
    return ",".join(sorted(str(jar) for names in NOT_IN_SPARK for jar in folder.glob(names)))


def older_python(cache=None):
    """With PySpark 3.5."""

    def make(folder):
        run("/usr/bin/python3", "-m", "venv", folder)
        run(folder / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", REQUIREMENTS)

    return once(cache, f"spark-3.5-{mark(REQUIREMENTS.read_text())}", make) / "bin" / "python"


if __name__ == "__main__":
    print(jars())
    print(older_python())
