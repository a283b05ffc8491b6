"""Rewrap, counts of versions, and hash through a Vault: does the server do it where it can, and does nobody see more than needed?"""
import base64
import json
import re

import pytest

from shop import AWAY, CANARY, CONFIG, DENIED, IMPATIENT, POLICY, SOME, Shop, lines, purchases, record

UNBOUND = POLICY.replace("key: pii}", "key: pii, bind: none}")
MIXED = record(1, Name=[1, 2.50])


def rotated(folder, vault, policy=POLICY, **key):
    """A shop, and records under the versions 1 to 3 of its key."""
    shop = Shop(folder, vault, policy, keys=(), **IMPATIENT)
    vault.engine().new_key("pii", **key)
    held = b""
    for version in range(3):
        held += shop.protect(purchases(20, 20 * version) + lines({**MIXED, "n": 1000 + version}))
        if version < 2:
            vault.api("POST", "transit/keys/pii/rotate")
    return shop, held


def versions(shop, data):
    """Values by version, as inspect counts them."""
    counts = {}
    for row in json.loads(shop.run("inspect", "--versions", "--json", input=data)[0])["versions"]:
        counts[row["key_version"]] = counts.get(row["key_version"], 0) + row["values"]
    return counts


def test_unbound_values_never_leave_the_server(tmp_path, vault):
    shop, held = rotated(tmp_path, vault, UNBOUND)
    vault.control.reset()
    vault.control.record()
    new = shop.run("rewrap", input=held)[0]
    assert vault.control.seen("transit/rewrap") and not vault.control.seen("transit/(en|de)crypt")
    items = sum(one["items"] for one in vault.control.seen("transit/rewrap"))
    assert items == 2 * 42  # what is under the newest is not sent
    assert set(re.findall(rb"vault:v\d", new)) == {b"vault:v3"}
    assert shop.reveal(new) == shop.reveal(held)
    assert shop.run("rewrap", input=new)[0] == new


@pytest.mark.parametrize("key", [{}, {"derived": True}, {"derived": True, "convergent": True}], ids=["plain", "derived", "convergent"])
def test_bound_values(tmp_path, vault, key):
    """Plain AEAD keys take no associated data in rewrap: by decryption and encryption, in memory alone."""
    shop, held = rotated(tmp_path, vault, **key)
    vault.control.reset()
    vault.control.record()
    new = shop.run("rewrap", input=held)[0]
    assert set(re.findall(rb"vault:v\d", new)) == {b"vault:v3"}
    assert CANARY.encode() not in new
    assert shop.reveal(new) == shop.reveal(held)
    if not key:
        assert not vault.control.seen("transit/rewrap")


def test_versions_are_counted(tmp_path, vault):
    shop, held = rotated(tmp_path, vault)
    assert versions(shop, held) == {1: 42, 2: 42, 3: 42}
    assert versions(shop, shop.run("rewrap", input=held)[0]) == {3: 126}


@pytest.mark.parametrize("policy", [POLICY, UNBOUND], ids=["bound", "unbound"])
def test_one_bad_value(tmp_path, vault, policy):
    """The server says it with status 200 there."""
    shop, held = rotated(tmp_path, vault, policy)
    rows = [json.loads(line) for line in held.splitlines()]
    raw = bytearray(base64.b64decode(rows[3]["Address"][9:]))
    raw[-1] ^= 1
    rows[3]["Address"] = "vault:v1:" + base64.b64encode(raw).decode()
    code, out, err = shop.try_("rewrap", lines(*rows))
    assert code == SOME and len(out.splitlines()) == len(rows) - 1
    assert re.search(r"\b4: ", err) and CANARY not in err
    assert set(re.findall(rb"vault:v\d", out)) == {b"vault:v3"}


@pytest.mark.parametrize("fault", [dict(status=503), dict(cut=300), dict(html=True), dict(drop=True)], ids=["503", "cut", "html", "drop"])
@pytest.mark.parametrize("policy", [POLICY, UNBOUND], ids=["bound", "unbound"])
def test_trouble(tmp_path, vault, policy, fault):
    shop, held = rotated(tmp_path, vault, policy)
    path = "transit/(rewrap|encrypt)"
    vault.control.fault(path=path, times=0, **fault)
    code, out, err = shop.try_("rewrap", held)
    assert (code, out) == (AWAY, b""), err
    vault.control.clear()
    vault.control.fault(path=path, times=2, **fault)
    code, out, err = shop.try_("rewrap", held, SEALSTREAM_RETRY_FOR="60s")
    assert code == 0, err
    assert shop.reveal(out) == shop.reveal(held)


def test_least_privilege(tmp_path, vault):
    shop, held = rotated(tmp_path, vault, UNBOUND)
    shop.environment["VAULT_TOKEN"] = vault.token_for(("transit/keys/pii", "read"))
    code, out, err = shop.try_("rewrap", held)
    assert (code, out) == (DENIED, b"") and 'path "transit/rewrap/pii" { capabilities = ["update"] }' in err, err
    shop.environment["VAULT_TOKEN"] = vault.token_for(("transit/keys/pii", "read"), ("transit/rewrap/pii", "update"))
    assert len(shop.run("rewrap", input=held)[0].splitlines()) == 63


def test_an_old_version_that_may_not_be_read(tmp_path, vault):
    shop, held = rotated(tmp_path, vault, UNBOUND)
    vault.api("POST", "transit/keys/pii/config", {"min_decryption_version": 2})
    code, out, err = shop.try_("rewrap", held)
    assert code == SOME and len(out.splitlines()) == 42 and "version" in err


# Hash

HASH = """version: 1
keys: {mac: "vault:transit/mac"}
topics:
  - match: purchases
    protect: {$.Name: {type: hash, key: mac, bind: none, version: VERSION}}
"""


@pytest.mark.parametrize("type_", ["hmac", "aes256-gcm96"])
def test_hash_is_the_servers(tmp_path, vault, type_):
    """The same as transit/hmac gives, under the version of the policy also after a rotation."""
    shop = Shop(tmp_path, vault, HASH.replace("VERSION", "1"), keys=(), **IMPATIENT)
    vault.engine().new_key("mac", type_)
    first = shop.protect(purchases(300))
    vault.api("POST", "transit/keys/mac/rotate")
    assert shop.protect(purchases(300)) == first
    name = json.loads(first.splitlines()[7])["Name"]
    answer = vault.api("POST", "transit/hmac/mac/sha2-256", {"input": base64.b64encode(b"Ann 7").decode(), "key_version": 1})
    assert name == base64.b64decode(answer["data"]["hmac"].split(":")[2]).hex()
    shop.policy(HASH.replace("VERSION", "9"))
    code, out, err = shop.try_("protect", purchases(1))
    assert code == CONFIG and out == b"" and "version" in err, err
