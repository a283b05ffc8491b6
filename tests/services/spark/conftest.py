"""spark: does the module do in Spark what the engine does?

One session for all tests: a standalone cluster in small, two executors, each a process with an environment of its own.
"""
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / name) for name in ("build/python", "tests/python", "tests/interop", "tests/services/spark")]
import spark_installs


@pytest.fixture(scope="session")
def jars():
    """Of the Kafka source, with commas between them; those of PySpark 4 are none for 3.5."""
    import pyspark
    return spark_installs.jars() if pyspark.__version__.startswith("4.") else ""


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    """A keyring whose directory the executors know by their environment, and the driver does not."""
    import sealstream

    folder = tmp_path_factory.mktemp("shop") / "keyring"
    with sealstream.Keyring(folder, create=True) as keyring:
        keyring.create_key("pii")
        keyring.create_key("cards", "ff1")
        keyring.create_key("join", derived=True, convergent=True)
    return folder


@pytest.fixture(scope="session")
def events(tmp_path_factory):
    """Where the event log is written."""
    return tmp_path_factory.mktemp("events")


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """SPARK_HOME; executors write what they say below its work/."""
    import spark_kit

    return spark_kit.make_home(tmp_path_factory.mktemp("spark"))


@pytest.fixture(scope="session")
def spark(home, shop, events, jars):
    import spark_kit

    made = spark_kit.session(home, shop, events, jars)
    yield made
    made.stop()


@pytest.fixture
def policy():
    from package_kit import POLICY
    from sealstream import Policy

    return Policy.from_text(POLICY, "shop.yaml")


@pytest.fixture
def topics_of_docs(kafka):
    """Empty ones with the names that docs/SPARK.md has."""
    import foreign

    names = ["purchases", "purchases-protected"]
    for name in names:
        foreign.create_topic(kafka.brokers, name, 1)
    yield names
    foreign.delete_topics(kafka.brokers, names)
