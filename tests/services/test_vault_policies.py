"""The least that each party's policy must grant, what a missing line does, and that a mistyped name makes no key."""
import json

import pytest
import vault_flow

LINE = b'{"Address":"1 High St","credit_card":"4111-1111-1111-1111"}\n'
PROTECT = ("protect", "-p", "policy.yaml", "-t", "t")
REVEAL = ("reveal", "-p", "policy.yaml", "-t", "t")


@pytest.fixture
def granted(vault, transit, sealstream):
    """granted({path: capabilities}): the environment of somebody with these rights and no other."""
    vault_flow.prepare(sealstream, vault, transit)

    def make(paths):
        name = f"{transit}-{abs(hash(json.dumps(paths)))}"
        vault.policy(name, **paths)
        return vault.environment(vault.make_token(name))

    return make


def test_each_can_do_its_own_and_no_more(transit, sealstream, granted):
    producer = granted(vault_flow.rules(transit, "encrypt"))
    consumer = granted(vault_flow.rules(transit, "decrypt"))
    protected, _ = sealstream.run(*PROTECT, input=LINE, environment=producer)
    assert b"High St" not in protected
    assert sealstream.run(*REVEAL, input=protected, environment=consumer)[0] == LINE
    for command, who, right in ((REVEAL, producer, "decrypt"), (PROTECT, consumer, "encrypt")):
        out, message = sealstream.run(*command, input=protected if right == "decrypt" else LINE, environment=who, exit_code=77)
        assert out == b"" and f'path "{transit}/{right}/pii" {{ capabilities = ["update"] }}' in message
        assert "High St" not in message and "4111-1111" not in message and who["VAULT_TOKEN"] not in message


def test_a_keeper_may_rewrap_and_nothing_else(vault, transit, sealstream, granted):
    """Values that are bound to nothing move to the newest version by the server itself: no plaintext comes here."""
    vault_flow.write_policy(sealstream, transit, options=", bind: none")
    protected, _ = sealstream.run(*PROTECT, input=LINE, environment=vault.environment())
    vault.rotate("pii", transit)
    keeper = granted(vault_flow.rules(transit, "rewrap"))
    moved, _ = sealstream.run("rewrap", "-p", "policy.yaml", "-t", "t", input=protected, environment=keeper)
    assert json.loads(protected)["Address"].startswith("vault:v1:") and json.loads(moved)["Address"].startswith("vault:v2:")
    assert sealstream.run(*REVEAL, input=moved, environment=vault.environment())[0] == LINE
    sealstream.run(*REVEAL, input=moved, environment=keeper, exit_code=77)


def test_the_key_cannot_be_read(transit, sealstream, granted):
    """Said at start, with the line to grant."""
    blind = granted({f"{transit}/encrypt/pii": ["update"]})
    out, message = sealstream.run(*PROTECT, input=LINE, environment=blind, exit_code=77)
    assert out == b"" and f'path "{transit}/keys/pii" {{ capabilities = ["read"] }}' in message


def test_a_mistyped_name_makes_no_key(vault, transit, sealstream, granted):
    """Not even where the token may create keys: Transit itself would make one at the first record."""
    mighty = granted({f"{transit}/*": ["create", "read", "update", "list"]})
    assert sealstream.run(*PROTECT, input=LINE, environment=mighty)[0]
    vault_flow.write_policy(sealstream, transit, "piii")
    out, message = sealstream.run(*PROTECT, input=LINE, environment=mighty, exit_code=78)
    assert out == b"" and f"{transit}/piii" in message
    assert vault.keys(transit) == ["pii"]


def test_a_mistyped_mount(vault, transit, sealstream, granted):
    vault_flow.write_policy(sealstream, transit + "x")
    out, message = sealstream.run(*PROTECT, input=LINE, environment=vault.environment(), exit_code=78)
    assert out == b"" and transit + "x" in message


def test_a_token_that_is_none(vault, transit, sealstream, granted):
    _, message = sealstream.run(*PROTECT, input=LINE, environment=vault.environment("hvs.not-a-token"), exit_code=77)
    assert vault.address in message and "hvs.not-a-token" not in message


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa-p256", "hmac"])
def test_a_key_that_cannot_encrypt(vault, transit, sealstream, granted, kind):
    """Found at start, not at the first record."""
    vault.key("other", transit, type=kind, **({"key_size": 32} if kind == "hmac" else {}))
    vault_flow.write_policy(sealstream, transit, "other")
    out, message = sealstream.run(*PROTECT, input=b"", environment=vault.environment(), exit_code=78)
    assert kind in message


def test_an_authority_that_is_not_known(vault, transit, sealstream, granted, tmp_path):
    if not vault.ca:
        pytest.skip("this server speaks plain HTTP")
    environment = vault.environment()
    del environment["VAULT_CACERT"]
    _, message = sealstream.run(*PROTECT, input=LINE, environment=environment, exit_code=77)
    assert vault.address in message and "give the CA's certificate" in message
