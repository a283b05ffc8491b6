"""spark: does the module do in Spark what the engine does?

Left out unless SEALSTREAM_SPARK_TESTS=1, which tests/services/spark/run sets.

One session for all tests: a standalone cluster in small, two executors, each a process with an environment of its own.
"""
import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / name) for name in ("build/python", "tests/python", "tests/interop", "tests/services/spark")]
collect_ignore_glob = [] if os.environ.get("SEALSTREAM_SPARK_TESTS") == "1" else ["*"]


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
def spark(shop, events):
    from spark_kit import session
    made = session(shop, events)
    yield made
    made.stop()


@pytest.fixture
def policy():
    from package_kit import POLICY
    from sealstream import Policy

    return Policy.from_text(POLICY, "shop.yaml")
