"""services: does it hold with real Kafka, real clients and records that nobody here made up?"""
import os
import pathlib
import subprocess
import sys
import uuid

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import foreign
from kafka_node import KafkaNode

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def cache():
    path = pathlib.Path(os.environ["SEALSTREAM_TEST_CACHE"])
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture(scope="session")
def kafka(cache, tmp_path_factory):
    node = KafkaNode(cache, tmp_path_factory.mktemp("kafka"))
    yield node
    node.stop()


@pytest.fixture
def topic(kafka):
    """Makes topics with names of their own: topic("purchases", partitions=4)."""
    made = []

    def make(name, partitions=2, **config):
        made.append(f"{name}-{uuid.uuid4().hex[:8]}")
        foreign.create_topic(kafka.brokers, made[-1], partitions, config)
        return made[-1]

    yield make
    foreign.delete_topics(kafka.brokers, made)


class Program:
    """build/sealstream with an environment and a keyring of its own."""

    def __init__(self, folder):
        self.path = ROOT / "build" / "sealstream"
        self.folder = folder
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(("SEALSTREAM_", "VAULT_"))}
        self.environment |= {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "share"),
                             "SEALSTREAM_KEYRING": str(folder / "keyring")}

    def start(self, *arguments, environment=None, **options):
        return subprocess.Popen([self.path, *map(str, arguments)], cwd=self.folder,
                                env=self.environment | (environment or {}), **options)

    def run(self, *arguments, input=None, exit_code=0, timeout=120, environment=None):
        """Returns (stdout, stderr); fails when it ends with another code."""
        done = subprocess.run([self.path, *map(str, arguments)], cwd=self.folder, input=input, capture_output=True,
                              env=self.environment | (environment or {}), timeout=timeout,
                              stdin=subprocess.DEVNULL if input is None else None)
        assert done.returncode == exit_code, \
            f"{' '.join(map(str, arguments[:2]))}: exit {done.returncode}, not {exit_code}:\n{done.stderr.decode()}"
        return done.stdout, done.stderr.decode()


@pytest.fixture
def sealstream(tmp_path):
    return Program(tmp_path)
