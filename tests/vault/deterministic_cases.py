"""`deterministic` on Transit and on the keyring: are they byte for byte one? Cases for any server that the fixture `place` gives
(test_deterministic.py: the double; tests/services/test_vault_deterministic.py: a real one)."""
import base64
import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
import sealed  # noqa: E402

POLICY = """version: 1
namespace: shop
keys: {{k: "{key}"}}
topics:
- match: t
  protect:
    $.mail: {{type: deterministic, key: k{more}}}
    $.customer: {{type: deterministic, key: k, bind: {{domain: customer}}{more}}}
    $.orders[*].customer: {{type: deterministic, key: k, bind: {{domain: customer}}{more}}}
"""
RECORDS = [{"mail": "zoe@example.org", "customer": "Zoë", "orders": [{"customer": "Zoë"}, {"customer": "Ann"}]},
           {"mail": "zoe@example.org", "customer": 7.10, "orders": [{"customer": 7.10}, {"customer": "7.1"}]},
           {"mail": "", "customer": {"a": [1, None]}, "orders": []},
           {"mail": None, "customer": "x" * 100, "orders": [{"customer": "\ud800"}]}]
MAIL = sealed.place("$['mail']", sealed.STRING, "shop")


def stream(place, command, key, data, more="", exit_code=0):
    (place.program.folder / "policy.yaml").write_text(POLICY.format(key=key, more=more))
    out = place.run(command, "-p", "policy.yaml", input=data, exit_code=exit_code)
    return out if exit_code else out.encode()


def lines(*records):
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


@pytest.fixture
def key(place):
    """A convergent key of two versions, on the server and copied into the keyring: (there, here)."""
    there = place.there("emails")
    place.run("key", "create", there, "--convergent", "--exportable")
    place.run("key", "rotate", there)
    place.run("key", "copy", there, "local:emails")
    return there, "local:emails"


def by_the_server(place, plain, context, version):
    found = place.api("POST", "encrypt/emails", {"plaintext": base64.b64encode(plain).decode(), "key_version": version,
                                                 "context": base64.b64encode(context).decode()})
    return found["ciphertext"]


@pytest.mark.parametrize("version", [1, 2])
def test_both_sides_make_the_same_bytes(place, key, version):
    data = lines(*RECORDS)
    made = [stream(place, "protect", one, data, f", version: {version}") for one in key]
    assert made[0] == made[1]
    found = [json.loads(line) for line in made[0].splitlines()]
    assert found[0]["mail"] == found[1]["mail"] == by_the_server(place, b"zoe@example.org", MAIL, version)
    assert found[2]["mail"] == by_the_server(place, b"", MAIL, version)
    assert found[3]["mail"] == "json+" + by_the_server(place, b"null", sealed.place("$['mail']", sealed.JSON, "shop"), version)
    # A domain joins fields; a string is no number.
    assert found[0]["customer"] == found[0]["orders"][0]["customer"] != found[0]["orders"][1]["customer"]
    assert found[1]["customer"] == found[1]["orders"][0]["customer"] != found[1]["orders"][1]["customer"]
    for one in key:
        assert [json.loads(line) for line in stream(place, "reveal", one, made[0]).splitlines()] == RECORDS


def test_a_rotation_does_not_part_what_is_equal(place, key):
    data = lines(*RECORDS)
    before = stream(place, "protect", key[0], data)
    place.run("key", "rotate", key[0])
    assert stream(place, "protect", key[0], data) == before
    newer = stream(place, "protect", key[0], data, ", version: 3")
    assert newer != before and newer.count(b"vault:v3:") == before.count(b"vault:v1:")
    # Both are revealed under either policy, and rewrap goes where the policy says: up and down.
    assert stream(place, "reveal", key[0], newer) == stream(place, "reveal", key[0], before, ", version: 3")
    assert stream(place, "rewrap", key[0], before + newer, ", version: 3") == newer + newer
    assert stream(place, "rewrap", key[0], newer + before) == before + before


def test_versions_that_cannot_be(place, key):
    data = lines(RECORDS[0])
    for one in key:
        assert "'version: 9' names a version that the key does not have" in \
            stream(place, "protect", one, data, ", version: 9", exit_code=78)
    place.run("key", "config", key[0], "--min-encryption-version", 2)
    assert "minimum version" in stream(place, "protect", key[0], data, exit_code=77)
    assert stream(place, "protect", key[0], data, ", version: 2") == stream(place, "protect", key[1], data, ", version: 2")


@pytest.mark.parametrize("flags", [(), ("--derived",)], ids=["plain", "derived"])
def test_other_keys_are_refused(place, flags):
    place.run("key", "create", place.there("other"), *flags)
    said = stream(place, "protect", place.there("other"), lines(RECORDS[0]), exit_code=78)
    assert "does not encrypt equal values to equal text" in said and "key create NAME --convergent" in said


def test_what_was_changed_is_refused(place, key):
    """Each is refused by both sides, and in the same words: bits of nonce, text and tag, cut, moved, another's."""
    record = json.loads(stream(place, "protect", key[0], lines(RECORDS[0])))
    raw = base64.b64decode(record["mail"].removeprefix("vault:v1:"))
    bad = [bytes(byte ^ (1 << bit if at == i else 0) for i, byte in enumerate(raw)) for at in (0, 11, 12, len(raw) - 17, len(raw) - 1)
           for bit in (0, 7)] + [raw[:-1], raw[1:], raw[:28], raw + b"\0"]
    rows = [record | {"mail": "vault:v1:" + base64.b64encode(one).decode()} for one in bad]
    rows += [record | {"mail": record["customer"]}, record | {"customer": record["mail"]},
             record | {"mail": record["mail"].replace("v1", "v2")}, record | {"mail": "json+" + record["mail"]}]
    said = []
    for one in key:
        (place.program.folder / "policy.yaml").write_text(POLICY.format(key=one, more=""))
        out, err = place.program.run("reveal", "-p", "policy.yaml", input=lines(*rows, record), exit_code=1,
                                     environment=place.environment)
        assert [json.loads(line) for line in out.splitlines()] == [RECORDS[0]]
        told = [line for line in err.splitlines() if "does not authenticate" in line or "damaged" in line]
        said.append([line.replace(one.split(":")[1], "K") for line in told])
        assert len(told) == len(rows)
    assert said[0] == said[1]
