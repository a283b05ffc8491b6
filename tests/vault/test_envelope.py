"""Fields under data keys: what the server is asked for, how often, and what happens while it is away."""
import json
import pathlib
import subprocess
import sys
import time

import pytest
from shop import AWAY, DENIED, SOME, CANARY, Shop, purchases

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
import envelope  # noqa: E402

POLICY = """version: 1
namespace: shop
keys: {pii: "vault:transit/pii"}
methods:
  secret: {type: envelope, key: pii, max_age: %s}
topics:
  - match: purchases
    protect:
      $.Name: secret
      $.Address: secret
"""
MAKE, OPEN, REWRAP = "transit/datakey/plaintext/pii", "transit/decrypt/pii", "transit/rewrap/pii"


@pytest.fixture
def shop(tmp_path, vault):
    return Shop(tmp_path, vault, POLICY % "10m")


def asked(vault):
    """Requests by path, but for logins and looks at the key."""
    return {path: n for path, n in vault.control.stats().items() if path in (MAKE, OPEN, REWRAP) or "crypt" in path}


def test_two_requests_for_ten_thousand_values(shop, vault):
    vault.control.record()
    data = purchases(5000)
    vault.control.reset()
    sealed = shop.protect(data)
    assert asked(vault) == {MAKE: 1} and sealed.count(b"seal:e1:") == 10000
    vault.control.reset()
    assert shop.reveal(sealed) == data
    assert asked(vault) == {OPEN: 1}
    assert CANARY not in "".join(str(request) for request in vault.control.requests)


def test_rights(tmp_path, vault):
    """Writers need to make data keys, readers to open them, and neither the other's right."""
    shop = Shop(tmp_path, vault, POLICY % "10m", VAULT_MAX_RETRIES="0")
    looks = ("transit/keys/pii", "read")
    writer = {"VAULT_TOKEN": vault.token_for(looks, (MAKE, "update"))}
    reader = {"VAULT_TOKEN": vault.token_for(looks, (OPEN, "update"))}
    code, sealed, message = shop.try_("protect", purchases(3), **writer)
    assert (code, sealed.count(b"seal:e1:")) == (0, 6), message
    assert shop.try_("reveal", sealed, **reader)[:2] == (0, purchases(3))
    code, out, message = shop.try_("protect", purchases(3), **reader)
    assert (code, out) == (DENIED, b"") and MAKE in message
    code, out, message = shop.try_("reveal", sealed, **writer)
    assert (code, out) == (DENIED, b"") and OPEN in message


def start(shop, command):
    return subprocess.Popen([shop.path, command], cwd=shop.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=shop.environment)


def say(process, line):
    process.stdin.write(line)
    process.stdin.flush()


def before_and_in_an_outage(vault, writer, reader):
    """A record before the server goes and one behind, there and back; what the writer made last, b"" when one of the two gave up."""
    for number in range(2):
        say(writer, purchases(1, number))
        sealed = writer.stdout.readline()
        if sealed:
            assert b"seal:e1:" in sealed
            say(reader, sealed)
        if not sealed or not (revealed := reader.stdout.readline()):
            return b""
        assert revealed == purchases(1, number)
        vault.control.away()
    return sealed


def test_an_outage_shorter_than_the_age_is_not_noticed(tmp_path, vault):
    """And a longer one ends in nothing, not in clear text: writer and reader. On a machine that is too slow for an age, with a longer one."""
    vault.engine().new_key("pii")
    for seconds in (6, 30, 150):
        (tmp_path / str(seconds)).mkdir()
        shop = Shop(tmp_path / str(seconds), vault, POLICY % f"{seconds}s", keys=(), VAULT_MAX_RETRIES="0", SEALSTREAM_RETRY_FOR="1ms")
        writer, reader = start(shop, "protect"), start(shop, "reveal")
        began = time.monotonic()
        sealed = before_and_in_an_outage(vault, writer, reader)
        took = time.monotonic() - began
        if sealed or took < seconds:
            break
        vault.control.back()
        for process in (writer, reader):
            process.communicate(timeout=60)
    assert sealed, (took, seconds)
    time.sleep(seconds)
    for process, line in ((writer, purchases(1, 2)), (reader, sealed)):
        out, message = process.communicate(line, timeout=60)
        assert (process.returncode, out) == (AWAY, b""), message.decode()
        assert CANARY.encode() not in message


def test_a_longer_outage_is_waited_for(tmp_path, vault):
    """With time to wait, records go on when the server is back."""
    shop = Shop(tmp_path, vault, POLICY % "1s")
    writer = start(shop, "protect")
    say(writer, purchases(1))
    assert b"seal:e1:" in writer.stdout.readline()
    vault.control.away()
    time.sleep(1.1)
    say(writer, purchases(1, 1))
    time.sleep(1)
    vault.control.back()
    out, message = writer.communicate(timeout=60)
    assert writer.returncode == 0 and out.count(b"seal:e1:") == 2, message.decode()


def test_rewrapping_does_not_open_the_keys(shop, vault):
    sealed = shop.protect(purchases(100))
    shop.run("key", "rotate", "vault:transit/pii")
    vault.control.reset()
    code, newer, message = shop.try_("rewrap", sealed)
    assert code == 0 and "200 values rewrapped" in message
    assert asked(vault) == {REWRAP: 1}
    values = [json.loads(line)["Name"] for line in newer.splitlines()]
    assert all(envelope.split(envelope.from_base64url(v[len("seal:e1:"):]))[1][0].startswith("vault:v2:") for v in values)
    assert shop.reveal(newer) == purchases(100)
    assert "200 were under the newest version already" in shop.try_("rewrap", newer)[2]


FORGED = ['"},{"ciphertext":"', "vault:v1:", "vault:v1:AAAA", "vault:v1:" + "A" * 400, "vault:v9:" + "A" * 80, "x" * 4096]


@pytest.mark.parametrize("wrapped", FORGED, ids=["json", "none", "short", "forged", "version", "long"])
def test_forged_keys_fail_alone(shop, vault, wrapped):
    """What somebody put into the place of a wrapped key reaches the server as a text of the right form, or not at all."""
    sealed = shop.protect(purchases(2))
    forged = json.dumps({"Name": envelope.text(envelope.seal(bytes(32), b"x", b"", wrapped), envelope.STRING)})
    code, out, message = shop.try_("reveal", forged.encode() + b"\n" + sealed)
    assert (code, out) == (SOME, purchases(2)) and "stdin:1: $['Name']" in message, message


def test_a_bomb_of_keys_is_few_requests(shop, vault):
    """Thousands of wrapped keys in one record are asked for in batches, and none is asked for twice."""
    shop.policy((POLICY % "10m").replace("$.Name", "$.all[*]"))
    values = [envelope.text(envelope.seal(bytes(32), b"x", b"", "vault:v1:" + envelope.base64.b64encode(n.to_bytes(60, "big")).decode()),
                            envelope.STRING) for n in range(5000)]
    vault.control.reset()
    code, out, message = shop.try_("reveal", json.dumps({"all": values}).encode() + b"\n")
    assert (code, out) == (SOME, b"")
    assert asked(vault).get(OPEN, 0) <= 50
