"""Keys in Vault, from Python. The double runs in threads of this process: it could not answer an engine that held the
interpreter's lock, so each test proves, too, that none does."""
import multiprocessing
import pathlib
import sys
import threading

import pytest
import sealstream

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "vault"))
from double import Double

POLICY = """version: 1
keys: {pii: "vault:transit/pii"}
topics: [{match: purchases, protect: {$.Address: {type: encrypt, key: pii}}}]
"""
RECORDS = [f'{{"Address":"{n} High St"}}' for n in range(300)]


@pytest.fixture
def vault(monkeypatch):
    with Double() as double:
        double.api("POST", "transit/keys/pii", {})
        for name, value in double.environment().items():
            monkeypatch.setenv(name, str(value))
        yield double


@pytest.fixture
def engine(vault):
    with sealstream.Engine(sealstream.Policy.from_text(POLICY), timeout=60) as made:
        yield made


def test_round_trip(engine):
    sealed = engine.protect("purchases", RECORDS)
    assert all('"vault:v1:' in line for line in sealed) and engine.reveal("purchases", sealed) == RECORDS


def test_many_threads_wait_for_one_server(engine):
    failed = []

    def work():
        try:
            assert engine.reveal("purchases", engine.protect("purchases", RECORDS)) == RECORDS
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def use(engine, queue):
    queue.put(engine.reveal("purchases", engine.protect("purchases", RECORDS)) == RECORDS)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_children_of_fork_log_in_themselves(engine):
    engine.protect("purchases", RECORDS)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    children = [context.Process(target=use, args=(engine, queue)) for _ in range(2)]
    for child in children:
        child.start()
    assert [queue.get(timeout=120) for _ in children] == [True, True]
    for child in children:
        child.join()
        assert child.exitcode == 0


def test_a_server_that_is_away(vault, monkeypatch):
    """The whole call fails, and says that later may work. Without a second try nothing waits, however long it might."""
    monkeypatch.setenv("VAULT_MAX_RETRIES", "0")
    with sealstream.Engine(sealstream.Policy.from_text(POLICY), timeout=60) as engine:
        sealed = engine.protect("purchases", RECORDS)
        vault.stop()
        for call in (engine.protect, engine.reveal):
            with pytest.raises(sealstream.RetryError) as caught:
                call("purchases", sealed if call == engine.reveal else RECORDS, on_error="return")
            assert caught.value.index is None and "High St" not in str(caught.value)


def test_a_token_that_may_not(vault, monkeypatch):
    monkeypatch.setenv("VAULT_TOKEN", "hvs.none")
    with pytest.raises(sealstream.DeniedError) as caught:
        sealstream.Engine(sealstream.Policy.from_text(POLICY))
    assert "hvs.none" not in str(caught.value)
