"""services: does it hold with real Kafka, real clients and records that nobody here made up?"""
import os
import pathlib
import sys
import uuid

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "services"), str(ROOT / "tests")]
import flow
import foreign
import sharing
import login_flow
from kafka_cluster import KafkaCluster
from kafka_node import KafkaNode
from program import Program
from vault_node import DevVault, Vault, VaultNode


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return sharing.ByFile(config, log)


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


@pytest.fixture(scope="module")
def cluster(cache, tmp_path_factory):
    """Three brokers, each of which the test may kill."""
    node = KafkaCluster(cache, tmp_path_factory.mktemp("cluster"))
    yield node
    node.stop()


@pytest.fixture(scope="session")
def vault(cache, tmp_path_factory):
    """The server under test: the one that VAULT_ADDR and VAULT_TOKEN name, else one of our own, over TLS."""
    if os.environ.get("VAULT_ADDR"):
        yield Vault(os.environ["VAULT_ADDR"], os.environ.get("VAULT_TOKEN"), os.environ.get("VAULT_CACERT"))
        return
    node = VaultNode(cache, tmp_path_factory.mktemp("vault"))
    yield node
    node.stop()


@pytest.fixture
def own_vault(cache, tmp_path):
    """A server that the test may kill, seal or starve."""
    if os.environ.get("VAULT_ADDR"):
        pytest.skip("needs a server of its own; VAULT_ADDR names somebody's")
    node = VaultNode(cache, tmp_path / "vault")
    yield node
    node.stop()


@pytest.fixture
def dev_vault(cache, tmp_path):
    """A fresh dev server: plain HTTP, token "root"."""
    node = DevVault(cache, tmp_path / "vault")
    yield node
    node.stop()


@pytest.fixture
def transit(vault):
    """A Transit mount of the test's own on the server under test; its path. Policies whose names start so go with it."""
    path = f"transit-{uuid.uuid4().hex[:8]}"
    vault.mount(path)
    yield path
    vault.unmount(path)
    for name in vault.call("GET", "sys/policies/acl?list=true")["keys"]:
        if name.startswith(path):
            vault.call("DELETE", f"sys/policies/acl/{name}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of what its Vault wrote."""
    report = yield
    for name in ("own_vault", "vault", "dev_vault"):
        node = getattr(item, "funcargs", {}).get(name)
        if report.failed and hasattr(node, "log"):
            report.sections.append((f"{name}: {node.folder / 'vault.log'}", node.log()[-4000:]))
    return report


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
def two_topics(kafka, topic, sealstream):
    """A policy, keys, a topic with one record, and an empty one."""
    flow.prepare(sealstream)
    source, target = topic("secure", 1), topic("secure-protected", 1)
    foreign.produce(kafka.brokers, source, [(b"k", login_flow.VALUE)])
    return source, target


@pytest.fixture
def sealstream(tmp_path):
    return Program(tmp_path)


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """For what needs no keyring and no place of its own."""
    return Program(tmp_path_factory.mktemp("program"))
