#!/usr/bin/python3
"""Prints the Python of a virtual environment with Spark, and the jars of its Kafka source; makes both once.

Usage: tests/services/spark/install.py        two lines: the Python, the jars with commas between them

They stay in $SEALSTREAM_TEST_CACHE (default ~/.cache/sealstream-tests), about 1 GB. Spark's parent pom names a
repository of its own, so each jar is named here, without what it asks for; TokenStub.scala is compiled for the one
that is missing.
"""
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
KAFKA = ("org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0", "org.apache.kafka:kafka-clients:3.9.2",
         "org.apache.commons:commons-pool2:2.13.1")
SCALA = ("org.scala-lang:scala-compiler:2.13.18", "org.scala-lang:scala-library:2.13.18",
         "org.scala-lang:scala-reflect:2.13.18")
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>local</groupId>
<artifactId>jars</artifactId><version>1</version><dependencies>{}</dependencies></project>"""
DEPENDENCY = """<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version><exclusions><exclusion>
<groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency>"""


def run(*words):
    subprocess.run([*map(str, words)], check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def copy_jars(names, folder):
    pom = folder.with_suffix(".pom.xml")
    pom.write_text(POM.format("".join(DEPENDENCY.format(*name.split(":")) for name in names)))
    run("mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies", f"-DoutputDirectory={folder}")


def make_venv(folder):
    run("/usr/bin/python3", "-m", "venv", folder)
    run(folder / "bin" / "pip", "install", "-q", "--disable-pip-version-check", "-r", HERE / "requirements.txt")


def make_jars(folder, python):
    """The Kafka source, and beside it the stub, compiled against Spark's own jars."""
    copy_jars(KAFKA, folder / "jars")
    copy_jars(SCALA, folder / "scala")
    spark = next((python.parents[1] / "lib").glob("python3*/site-packages/pyspark/jars"))
    (folder / "stub").mkdir()
    run("java", "-cp", f"{folder}/scala/*", "scala.tools.nsc.Main", "-usejavacp", "-nobootcp",
        "-classpath", f"{spark}/*:{folder}/scala/*", "-d", folder / "stub", HERE / "TokenStub.scala")
    run("jar", "cf", folder / "jars" / "token-stub.jar", "-C", folder / "stub", ".")


def once(folder, make, *more):
    """What `make` puts into a folder, which is done when `ready` is in it."""
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            make(folder, *more)
            (folder / "ready").touch()
    return folder


def digest(*paths):
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:12]


def install():
    """(the Python, the jars)"""
    everybodys = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    cache = pathlib.Path(os.environ.get("SEALSTREAM_TEST_CACHE") or everybodys / "sealstream-tests")
    cache.mkdir(parents=True, exist_ok=True)
    wanted = HERE / "requirements.txt"
    python = once(cache / f"venv-{digest(wanted)}", make_venv) / "bin" / "python"
    parts = (pathlib.Path(__file__), HERE / "TokenStub.scala", wanted)
    jars = once(cache / f"spark-jars-{digest(*parts)}", make_jars, python)
    return python, sorted((jars / "jars").glob("*.jar"))


if __name__ == "__main__":
    found, with_kafka = install()
    print(found)
    print(",".join(map(str, with_kafka)))
