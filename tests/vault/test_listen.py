"""--listen while the key server is away: a run is not ready, says for what it waits and for how long, lives, and goes on."""
import re

import pytest

from test_waiting import FORMS, Shop
from broker import Broker, FAST_GROUP, purchase, wait_until
from listening import Run


@pytest.fixture
def broker():
    it = Broker()
    for topic in ("purchases", "purchases_encrypted", "files"):
        it.tell(f"topic {topic} 1")
    it.tell("topic purchases.dead 1")
    yield it
    it.stop()


@pytest.fixture
def shop(tmp_path, vault, broker):
    return Shop(tmp_path, broker, vault)


@pytest.fixture
def start(shop):
    runs = []

    def begin(*args):
        runs.append(Run(shop, *args, "--vault-retries", "0", "--listen", "127.0.0.1:0"))
        wait_until(lambda: runs[-1].ask("/readyz") == (200, "ok\n"))
        return runs[-1]

    yield begin
    for run in runs:
        run.process.kill()
        run.process.wait(timeout=60)


def requests(found, outcome):
    return sum(value for name, value in found.items()
               if name.startswith("sealstream_key_requests_total{") and f'outcome="{outcome}"' in name)


def is_away(run, vault):
    """As its pages tell it."""
    wait_until(lambda: run.ask("/readyz")[0] == 503)
    text = run.ask("/readyz?verbose")[1]
    assert re.search(r"^\[-\]services failed: waiting for \d+ s: (service|busy)$", text, re.M), text
    assert text.count("[-]") == 1 and vault.address.split("//")[1] not in text
    assert run.ask("/livez") == run.ask("/startupz") == (200, "ok\n")
    found = run.metrics()
    assert (found["sealstream_ready"], found["sealstream_waiting"], found["sealstream_waits_total"]) == (0, 1, 1)
    assert requests(found, "unavailable") >= 1


def is_back(run, condition):
    wait_until(lambda: condition(run.metrics()))
    wait_until(lambda: run.ask("/readyz") == (200, "ok\n"))
    found = run.metrics()
    assert (found["sealstream_ready"], found["sealstream_waiting"], found["sealstream_waits_total"]) == (1, 0, 1)
    assert requests(found, "success") >= 1
    assert run.stop() == 143


@pytest.mark.parametrize("form", FORMS)
def test_a_pump(shop, vault, start, form):
    leave, come_back = FORMS[form]
    run = start(*shop.pump_args())
    leave(vault.control)
    shop.produce_plain("purchases", [purchase(n) for n in range(3)])
    is_away(run, vault)
    come_back(vault.control)
    is_back(run, lambda found: found['sealstream_records_total{topic="purchases",outcome="protected"}'] == 3)


def test_files_that_are_sent(shop, vault, start):
    leave, come_back = FORMS["gone"]
    (shop.directory / "out").mkdir()
    run = start("file", "send", "-b", shop.broker.address, "-t", "files", "--key", "vault:transit/pii", "--from", "out",
                "--settle", "300ms")
    leave(vault.control)
    (shop.directory / "out" / "a").write_bytes(b"a" * 1000)
    is_away(run, vault)
    come_back(vault.control)
    is_back(run, lambda found: found['sealstream_files_total{topic="files",outcome="sent"}'] == 1)


def test_files_that_are_received(shop, vault, start):
    (shop.directory / "out").mkdir()
    (shop.directory / "out" / "a").write_bytes(b"a" * 1000)
    where = ["-b", shop.broker.address, "-t", "files", "--key", "vault:transit/pii"]
    run = start("file", "receive", *where, "--to", "in", *FAST_GROUP)
    shop.run("file", "send", *where, "out/a")
    wait_until(lambda: run.metrics()['sealstream_files_total{topic="files",outcome="received"}'] == 1)
    (shop.directory / "out" / "b").write_bytes(b"b" * 1000)
    vault.control.fault(path="transit/decrypt", times=0, status=503)
    shop.run("file", "send", *where, "out/b")
    is_away(run, vault)
    vault.control.clear()
    is_back(run, lambda found: found['sealstream_files_total{topic="files",outcome="received"}'] == 2)
