"""A keyring with the keys of a shop, its policy, and records: what tests of the package share."""
import os

import pytest
import sealstream

POLICY = """version: 1
namespace: shop
keys: {pii: "local:pii", cards: "local:cards", join: "local:join"}
topics:
- match: purchases
  on_error: dead_letter
  dead_letter: {topic: purchases_dead, key: pii}
  protect:
    $.Address: {type: encrypt, key: pii}
    $.credit_card: {type: fpe, key: cards, keep: {first: 6, last: 4}}
- match: raw
  format: bytes
  protect: {$: {type: encrypt, key: pii}}
- match: orders
  on_error: dead_letter
  dead_letter: {topic: orders_dead, key: pii}
  protect: {$.note: {type: encrypt, key: pii}}
  key: {type: deterministic, key: join}
  headers: {customer: {type: encrypt, key: pii}}
- match: carried
  protect: {$.note: {type: envelope, key: pii, carry: header}}
"""
PURCHASE = '{"Name":"Zoë","Address":"1 High St","credit_card":"4111-1111-1111-1111","price":129.990}'
BAD_CARD = '{"credit_card":"4111"}'


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith(("SEALSTREAM", "VAULT_", "BAO_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def keyring(tmp_path):
    with sealstream.Keyring(tmp_path / "keyring", create=True) as opened:
        opened.create_key("pii")
        opened.create_key("cards", "ff1")
        opened.create_key("join", derived=True, convergent=True)
        yield opened


@pytest.fixture
def policy():
    return sealstream.Policy.from_text(POLICY, "shop.yaml")


@pytest.fixture
def engine(policy, keyring):
    with sealstream.Engine(policy, keyring=keyring) as made:
        yield made
