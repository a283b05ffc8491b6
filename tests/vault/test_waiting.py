"""While the key server is away, runs wait, say so once, and go on: no record is lost, repeated or made a dead letter for it."""
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "stream")]
from broker import DELIVERY, FAST_GROUP, PROGRAM, Broker, Program, purchase, stop, wait_until  # noqa: E402

POLICY = """version: 1
namespace: shop
keys: {pii: "vault:transit/pii"}
topics:
  - match: [purchases, purchases_encrypted]
    on_error: dead_letter
    dead_letter: {topic: purchases.dead, key: pii}
    protect: {$.Address: {type: encrypt, key: pii}}
"""
WAITS, GOES_ON = "waiting, and trying again: ", "going on, after "
# How it is away, and how that ends.
FORMS = {
    "sealed": (lambda control: control.seal(), lambda control: control.unseal()),
    "gone": (lambda control: control.away(), lambda control: control.back()),
    "throttling": (lambda control: control.throttle(path="transit/(en|de)crypt", times=0), lambda control: control.clear()),
    "hanging up": (lambda control: control.fault(path="transit/(en|de)crypt", times=0, drop=True), lambda control: control.clear()),
}


class Shop(Program):
    """The program with a policy whose one key is in the double."""

    def __init__(self, directory, broker, vault):
        self.directory, self.broker, self.vault, self.log = directory, broker, vault, directory / "stderr"
        self.env = {name: value for name, value in os.environ.items()
                    if not name.startswith(("SEALSTREAM_", "VAULT_", "BAO_")) or name == "SEALSTREAM_SANDBOX"}
        self.env |= vault.environment() | {"SEALSTREAM_POLICY": "policy.yaml", "NO_COLOR": "1",
                                           "SEALSTREAM_KEYRING": str(directory / "keyring")} | DELIVERY
        (directory / "policy.yaml").write_text(POLICY)
        vault.api("POST", "transit/keys/pii", {})

    def start(self, *args, **kwargs):
        """Its standard error goes into a file, which can be read while it runs."""
        self.vault.control.reset()
        return subprocess.Popen([PROGRAM, *args], env=self.env, cwd=self.directory, text=True, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=self.log.open("w"), **kwargs)

    def keys_are_open(self):
        """The key was looked at, and the program has the answer: without one it would not begin."""
        return self.vault.control.stats().get("transit/keys/pii", 0) > 0 and self.vault.control.quiet()

    def said(self, words):
        return self.log.read_text().count(words)


@pytest.fixture
def broker():
    it = Broker()
    for topic in ("purchases", "purchases_encrypted"):
        it.tell(f"topic {topic} 2")
    it.tell("topic purchases.dead 1")
    yield it
    it.stop()


@pytest.fixture
def shop(tmp_path, vault, broker):
    return Shop(tmp_path, broker, vault)


@pytest.fixture
def files(tmp_path, vault):
    """Without a broker."""
    return Shop(tmp_path, None, vault)


def feed(process, lines):
    process.stdin.write("".join(line + "\n" for line in lines))
    process.stdin.flush()


def told_once(shop):
    assert (shop.said(WAITS), shop.said(GOES_ON)) == (1, 1), shop.log.read_text()


# ---- files ----

@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("workers", ["1", "3"])
def test_a_file_waits(files, vault, form, workers):
    leave, come_back = FORMS[form]
    process = files.start("protect", "-j", workers)
    wait_until(files.keys_are_open)
    feed(process, [purchase(1)])
    first = process.stdout.readline()
    leave(vault.control)
    feed(process, [purchase(2)])
    wait_until(lambda: files.said(WAITS))
    time.sleep(0.3)
    come_back(vault.control)
    out, _ = process.communicate(json.dumps({"Address": 3}) + "\n", timeout=120)
    assert process.returncode == 0
    told_once(files)
    assert [json.loads(line).get("n") for line in (first + out).splitlines()] == [1, 2, None]
    assert files.run("reveal", "-t", "purchases", stdin=first + out).stdout.splitlines() == \
        [purchase(1), purchase(2), json.dumps({"Address": 3})]


def test_a_file_waits_only_so_long(files, vault):
    process = files.start("protect", "--retry-for", "1s", "-o", "out.ndjson")
    wait_until(files.keys_are_open)
    vault.control.away()
    start = time.monotonic()
    process.communicate(purchase(1) + "\n", timeout=120)
    assert process.returncode == 69 and time.monotonic() - start < 60
    assert files.said(WAITS) == 1 and files.said(GOES_ON) == 0 and files.said("error: given up after ") == 1
    assert not (files.directory / "out.ndjson").exists()
    assert "High St" not in files.log.read_text()


def test_away_at_the_start(files, vault):
    """Keys that were never seen cannot be told from wrong ones: nothing waits."""
    vault.control.seal()
    done = files.run("protect", stdin=purchase(1) + "\n", code=69)
    assert "is sealed" in done.stderr and vault.address in done.stderr and done.stdout == ""


def test_a_stop_request_ends_a_wait(files, vault):
    process = files.start("protect", "-o", "out.ndjson")
    wait_until(files.keys_are_open)
    vault.control.seal()
    feed(process, [purchase(1)])
    wait_until(lambda: files.said(WAITS))
    start = time.monotonic()
    code, _, _ = stop(process)
    assert code == 143 and time.monotonic() - start < 60
    assert files.said("error") == 0 and files.said("stopped after 0 records") == 1
    assert not (files.directory / "out.ndjson").exists()


def test_a_rewrap_waits(files, vault):
    hidden = files.run("protect", "-t", "purchases", stdin=purchase(1) + "\n").stdout
    vault.api("POST", "transit/keys/pii/rotate", {})
    process = files.start("rewrap", "-t", "purchases")
    wait_until(files.keys_are_open)
    vault.control.seal()
    feed(process, [hidden.rstrip()])
    wait_until(lambda: files.said(WAITS))
    vault.control.unseal()
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0 and "vault:v2:" in out and files.said("1 values rewrapped") == 1
    told_once(files)


# ---- streams ----

@pytest.mark.parametrize("form", FORMS)
def test_a_pump_waits(shop, vault, form):
    """In the middle of a stream, with a bad record before, in and after the outage: each of them one dead letter, no other."""
    leave, come_back = FORMS[form]
    bad = "not json"
    lines = [purchase(n) for n in range(90)]
    shop.produce_plain("purchases", [*lines[:30], bad])
    process = shop.start(*shop.pump_args("-j", "2"))
    wait_until(lambda: len(shop.envelopes("purchases_encrypted", "--plain")) == 30)
    leave(vault.control)
    shop.produce_plain("purchases", [*lines[30:60], bad])
    wait_until(lambda: shop.said(WAITS))
    assert len(shop.envelopes("purchases_encrypted", "--plain")) == 30
    come_back(vault.control)
    wait_until(lambda: shop.said(GOES_ON))
    shop.produce_plain("purchases", [*lines[60:], bad])
    wait_until(lambda: len(shop.envelopes("purchases_encrypted", "--plain")) == 90)
    wait_until(lambda: len(shop.envelopes("purchases.dead", "--plain")) == 3)
    assert stop(process)[0] == 143
    told_once(shop)
    assert shop.said("93 records in, 93 out") == 1 and shop.said("3 dead letters") == 1
    assert sorted(e["payload"] for e in shop.envelopes("purchases_encrypted")) == sorted(lines)
    assert len(shop.envelopes("purchases.dead", "--plain")) == 3


def test_a_pump_that_is_stopped_while_it_waits(shop, vault):
    """What waited is not committed: the next run begins with it, and sends nothing twice."""
    lines = [purchase(n) for n in range(20)]
    shop.produce_plain("purchases", lines[:10])
    process = shop.start(*shop.pump_args())
    wait_until(lambda: len(shop.envelopes("purchases_encrypted", "--plain")) == 10)
    vault.control.seal()
    shop.produce_plain("purchases", lines[10:])
    wait_until(lambda: shop.said(WAITS))
    assert stop(process)[0] == 143
    assert shop.said("10 records in, 10 out") == 1 and shop.said("error") == 0
    vault.control.unseal()
    assert "10 records in, 10 out" in shop.pump("-e").stderr
    assert sorted(e["payload"] for e in shop.envelopes("purchases_encrypted")) == sorted(lines)
    assert shop.envelopes("purchases.dead", "--plain") == []


def test_a_pump_that_is_killed_while_it_waits(shop, vault):
    """What went out before the outage has been committed since: not even a kill -9 makes it come twice."""
    lines = [purchase(n) for n in range(20)]
    shop.produce_plain("purchases", lines[:10])
    process = shop.start(*shop.pump_args("--group", "g"))
    wait_until(lambda: len(shop.envelopes("purchases_encrypted", "--plain")) == 10)
    vault.control.seal()
    shop.produce_plain("purchases", lines[10:])
    wait_until(lambda: shop.said(WAITS))
    wait_until(lambda: shop.broker.committed("g", "purchases", 2) == 10)
    process.kill()
    process.communicate()
    vault.control.unseal()
    assert "10 records in, 10 out" in shop.pump("-e", "--group", "g").stderr
    assert sorted(e["payload"] for e in shop.envelopes("purchases_encrypted")) == sorted(lines)


def test_a_long_wait_keeps_the_group(shop, vault):
    """Longer than a member may be silent: the group must not take its partitions away, or all would come twice."""
    lines = [purchase(n) for n in range(20)]
    shop.produce_plain("purchases", lines[:10])
    process = shop.start(*shop.pump_args("-X", "max.poll.interval.ms=6000"))
    wait_until(lambda: len(shop.envelopes("purchases_encrypted", "--plain")) == 10)
    vault.control.seal()
    shop.produce_plain("purchases", lines[10:])
    wait_until(lambda: shop.said(WAITS))
    time.sleep(9)
    vault.control.unseal()
    wait_until(lambda: len(shop.envelopes("purchases_encrypted", "--plain")) >= 20)
    assert stop(process)[0] == 143
    told_once(shop)
    assert sorted(e["payload"] for e in shop.envelopes("purchases_encrypted")) == sorted(lines)


def test_a_pump_that_may_not_any_more(shop, vault):
    """Refused is not away: it ends with 77, and the record is neither lost nor a dead letter."""
    shop.produce_plain("purchases", [purchase(1)])
    root = shop.env["VAULT_TOKEN"]
    shop.env["VAULT_TOKEN"] = vault.token_for(("transit/keys/pii", "read"))
    done = shop.pump("-e", code=77)
    assert 'path "transit/encrypt/pii" { capabilities = ["update"] }' in done.stderr and "High St" not in done.stderr
    assert shop.envelopes("purchases.dead", "--plain", "-p", "policy.yaml") == []
    shop.env["VAULT_TOKEN"] = root
    assert "1 records in, 1 out" in shop.pump("-e").stderr


def test_produce_and_consume_wait(shop, vault):
    lines = [purchase(n) for n in range(4)]
    process = shop.start("produce", "-b", shop.broker.address, "-t", "purchases")
    wait_until(shop.keys_are_open)
    vault.control.seal()
    feed(process, lines)
    wait_until(lambda: shop.said(WAITS))
    vault.control.unseal()
    process.communicate(timeout=120)
    assert process.returncode == 0
    told_once(shop)
    assert len(shop.envelopes("purchases", "--plain")) == 4

    vault.control.fault(path="transit/decrypt", times=0, status=503)  # from its first record on
    process = shop.start("consume", "-b", shop.broker.address, "-t", "purchases", "-G", "g", *FAST_GROUP)
    wait_until(lambda: shop.said(WAITS))
    vault.control.clear()
    wait_until(lambda: shop.said(GOES_ON))
    code, out, _ = stop(process)
    assert code == 143 and sorted(out.splitlines()) == sorted(lines)
    told_once(shop)
