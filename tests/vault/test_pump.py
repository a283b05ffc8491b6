"""pump on an embedded broker with its keys in a Vault: trouble, rotation and revocation in mid-stream; nothing lost, nothing twice.

test_waiting.py has the other ways of being away.
"""
import json
import subprocess
import time

import pytest

from shop import CANARY, Shop, purchases, record, wait_until
from broker import FAST_GROUP, Broker, stop
from test_tokens import approle, login_shop

POLICY = """version: 1
namespace: shop
keys: {pii: "vault:transit/pii"}
methods:
  secret: {type: encrypt, key: pii}
topics:
  - match: purchases
    on_error: dead_letter
    dead_letter: {topic: purchases.dead, key: pii}
    protect:
      $.Name: secret
      $.Address: secret
"""


@pytest.fixture(scope="module")
def broker():
    it = Broker()
    yield it
    it.stop()


class Topics:
    """One test's topics on the broker: from → to, and the dead letters."""

    count = 0

    def __init__(self, broker, shop, partitions=2):
        Topics.count += 1
        self.broker, self.shop = broker, shop
        self.source, self.target = f"purchases{Topics.count}", f"protected{Topics.count}"
        for topic in (self.source, self.target):
            broker.tell(f"topic {topic} {partitions}")
        self.dead = f"dead{Topics.count}"
        broker.tell(f"topic {self.dead} 1")
        shop.policy(POLICY.replace("purchases.dead", self.dead))

    def produce(self, count, first=0):
        self.shop.run("produce", "-b", self.broker.address, "-t", self.source, "--plain", input=purchases(count, first))

    def pump(self, *words):
        return self.shop.start("pump", "-b", self.broker.address, "--from", self.source, "--to", self.target, "--policy-topic",
                               "purchases", "--delivery", "at-least-once", *FAST_GROUP, *words,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def held(self, topic=None):
        out = self.shop.run("consume", "-b", self.broker.address, "-t", topic or self.target, "--plain", "-e")[0]
        return [json.loads(line) for line in out.splitlines()]

    def revealed(self):
        out = self.shop.run("consume", "-b", self.broker.address, "-t", self.target, "--policy-topic", "purchases", "-e")[0]
        return sorted((json.loads(line) for line in out.splitlines()), key=lambda one: one["n"])

    def whole(self, count):
        """Every record once, protected; no dead letter."""
        assert self.revealed() == [record(number) for number in range(count)]
        assert self.held(self.dead) == []
        assert CANARY not in json.dumps(self.held())


def test_a_stream_through_all_trouble(broker, tmp_path, vault):
    """One pump: an absence, cut answers, a proxy's page, a full audit disk, a revoked token, and a rotation before each."""
    role, secret = approle(vault)
    control, path = vault.control, "transit/encrypt"
    trouble = ((control.away, control.back), (lambda: control.fault(path=path, times=0, cut=300), control.clear),
               (lambda: control.fault(path=path, times=0, html=True), control.clear),
               (control.audit_full, lambda: control.audit_full(False)),
               (lambda: control.revoke(all_but_root=True), lambda: None))
    topics = Topics(broker, login_shop(tmp_path, vault, "approle", role, secret))
    topics.produce(200)
    pump = topics.pump("--vault-batch", "40", "--vault-retries", "0")
    wait_until(lambda: len(topics.held()) == 200)
    for step, (begin, end) in enumerate(trouble, 1):
        vault.engine().keys["pii"].add_version(vault.core.chance)
        begin()
        topics.produce(200, 200 * step)
        if step < len(trouble):
            time.sleep(1)
            assert pump.poll() is None, pump.stderr.read()
            assert len(topics.held()) == 200 * step
        end()
        wait_until(lambda: len(topics.held()) >= 200 * (step + 1))
    code, _, err = stop(pump)
    assert code == 143, err
    assert control.stats()["auth/approle/login"] >= 2
    assert len(err.strip().splitlines()) <= 2 * len(trouble) + 1, err
    versions = {one["Name"].split(":")[1] for one in topics.held()}
    assert versions == {f"v{number}" for number in range(1, len(trouble) + 2)}
    topics.whole(200 * (len(trouble) + 1))


def test_stop_while_it_waits(broker, tmp_path, vault):
    """Neither written nor committed: the next run does it."""
    topics = Topics(broker, Shop(tmp_path, vault))
    topics.produce(50)
    vault.control.fault(path="transit/encrypt", times=0, status=503)
    pump = topics.pump("--vault-retries", "0")
    wait_until(lambda: vault.control.stats().get("transit/encrypt/pii", 0) >= 1)
    time.sleep(0.5)
    began = time.monotonic()
    code, _, err = stop(pump)
    assert code == 143 and time.monotonic() - began < 60, err
    assert topics.held() == []
    vault.control.clear()
    assert topics.pump("-e").wait(timeout=120) == 0
    topics.whole(50)


def test_denied_stops_it(broker, tmp_path, vault):
    """A policy that was taken away is no dead letter and no outage: it ends, and commits nothing past it."""
    shop = Shop(tmp_path, vault)
    topics = Topics(broker, shop)
    topics.produce(20)
    shop.environment["VAULT_TOKEN"] = vault.token_for(("transit/keys/pii", "read"))
    pump = topics.pump("-e")
    out, err = pump.communicate(timeout=120)
    assert pump.returncode == 77 and 'path "transit/encrypt/pii"' in err, err
    shop.environment["VAULT_TOKEN"] = "root"
    assert topics.held() == [] and topics.held(topics.dead) == []
    assert topics.pump("-e").wait(timeout=120) == 0
    topics.whole(20)


def test_a_bad_record_is_a_dead_letter(broker, tmp_path, vault):
    """Beside good ones, and in the middle of an outage: it alone."""
    shop = Shop(tmp_path, vault)
    topics = Topics(broker, shop, 1)
    topics.produce(10)
    shop.run("produce", "-b", broker.address, "-t", topics.source, "--plain", input=b"no json\n")
    topics.produce(10, 10)
    vault.control.fault(path="transit/encrypt", times=3, status=503)
    pump = topics.pump("-e", "--vault-retries", "0")
    out, err = pump.communicate(timeout=120)
    assert pump.returncode == 1, err
    assert len(topics.held()) == 20
    assert len(shop.run("consume", "-b", broker.address, "-t", topics.dead, "--plain", "-e")[0].splitlines()) == 1
