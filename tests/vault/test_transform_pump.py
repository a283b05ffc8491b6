"""pump with Transform in mid-stream: bad cards are dead letters, a role that changes or a server that is away makes none."""
import json
import subprocess

import pytest

from double import Double
from shop import Shop, lines, wait_until
from broker import FAST_GROUP, stop
from test_pump import Topics, broker  # noqa: F401

POLICY = """version: 1
namespace: shop
keys: {failed: vault:transit/pii}
topics:
  - match: purchases
    on_error: dead_letter
    dead_letter: {topic: purchases.dead, key: failed}
    protect:
      $.card: {type: transform, role: payments, transformation: card}
      $.drawn: {type: transform, role: payments, transformation: drawn, tweak_source: generated}
      $.name: {type: transform, role: payments, transformation: name, ttl: 1h}
"""


def card(number):
    return f"4111-1111-1111-{number:04}"


def purchase(number, **more):
    return {"n": number, "card": card(number), "drawn": card(number), "name": f"Jürgen {number}", **more}


class Cards(Topics):
    def __init__(self, broker, shop):  # noqa: F811
        super().__init__(broker, shop)
        shop.policy(POLICY.replace("purchases.dead", self.dead))
        for kind, name, body in (("fpe", "card", {"tweak_source": "internal"}), ("fpe", "drawn", {"tweak_source": "generated"}),
                                 ("tokenization", "name", {"max_ttl": "24h"})):
            template = {} if kind == "tokenization" else {"template": "builtin/creditcardnumber"}
            shop.vault.api("POST", f"transform/transformations/{kind}/{name}", {"allowed_roles": ["*"], **template, **body})
        self.role("card", "drawn", "name")

    def role(self, *transformations):
        self.shop.vault.api("POST", "transform/role/payments", {"transformations": transformations})

    def send(self, *records):
        self.shop.run("produce", "-b", self.broker.address, "-t", self.source, "--plain", input=lines(*records))

    def whole(self, numbers):
        assert self.revealed() == [purchase(number) for number in numbers]
        held = self.held()
        assert len({one["drawn"].split(":")[2] for one in held}) == len(held), "a tweak of its own for each"
        assert len({one["name"] for one in held}) == len(held) and "Jürgen" not in json.dumps(held, ensure_ascii=False)

    def dead_letters(self):
        """How many: they are encrypted whole."""
        return len(self.shop.run("consume", "-b", self.broker.address, "-t", self.dead, "--plain", "-e")[0].splitlines())

    def start(self, *words):
        return self.shop.start("pump", "-b", self.broker.address, "--from", self.source, "--to", self.target, "--policy-topic",
                               "purchases", "--delivery", "at-least-once", *FAST_GROUP, *words,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def cards(broker, certificates, tmp_path):  # noqa: F811
    with Double("vault-enterprise", tls=certificates, mounts=("transform", "transit")) as vault:
        yield Cards(broker, Shop(tmp_path, vault))


def test_bad_cards_are_dead_letters(cards):
    cards.send(*(purchase(number, **({"card": "none"} if number in (7, 40) else {})) for number in range(60)))
    pump = cards.start()
    wait_until(lambda: len(cards.held()) == 58 and cards.dead_letters() == 2)
    code, _, err = stop(pump)
    assert code in (1, 143), err
    cards.whole([number for number in range(60) if number not in (7, 40)])


def test_a_server_that_is_away_is_waited_for(cards):
    cards.send(*map(purchase, range(40)))
    pump = cards.start("--vault-retries", "0")
    wait_until(lambda: len(cards.held()) == 40)
    cards.shop.vault.control.reset()
    cards.shop.vault.control.record()
    cards.shop.vault.control.fault(path="transform/encode", times=3, status=503)  # as if it were sealed
    cards.send(*map(purchase, range(40, 80)))
    wait_until(lambda: len(cards.held()) == 80)
    code, _, err = stop(pump)
    assert code == 143 and "waiting, and trying again" in err and "is sealed" in err, err
    cards.whole(range(80))
    assert cards.dead_letters() == 0


def test_a_role_that_changes_stops_the_pump_and_loses_nothing(cards):
    cards.send(*map(purchase, range(40)))
    pump = cards.start()
    wait_until(lambda: len(cards.held()) == 40)
    cards.role("card", "drawn")
    cards.send(*map(purchase, range(40, 80)))
    _, err = pump.communicate(timeout=120)
    assert pump.returncode == 78 and "does not have transformation name (it has card, drawn)" in err, err
    assert cards.dead_letters() == 0
    cards.role("name", "card", "drawn")
    pump = cards.start()
    wait_until(lambda: len(cards.held()) == 80)
    stop(pump)
    cards.whole(range(80))
    assert cards.dead_letters() == 0
