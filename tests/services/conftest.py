"""services: does it hold with real Kafka, real clients and records that nobody here made up?"""
import os
import pathlib
import sys
import uuid

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "services"), str(ROOT / "tests")]
import foreign
from kafka_node import KafkaNode
from program import Program


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
        # records keep their timestamps, and old ones would be deleted by the broker's own retention
        foreign.create_topic(kafka.brokers, made[-1], partitions, {"retention.ms": "-1"} | config)
        return made[-1]

    yield make
    foreign.delete_topics(kafka.brokers, made)


@pytest.fixture
def sealstream(tmp_path):
    return Program(tmp_path)


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """For what needs no keyring and no place of its own."""
    return Program(tmp_path_factory.mktemp("program"))
