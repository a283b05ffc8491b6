"""Derived and convergent keys, and ChaCha20: what one side protects, the other reveals, and makes again where it can."""
import base64
import hashlib
import json
import os

import pytest
import sealed
from ciphers import AEADS, InvalidTag, hkdf, hmac_of
from keyring_files import CONVERGENT, DERIVED, TYPES, Keyring

POLICY = """version: 1
keys: {k: "local:k"}
topics:
- match: t
  protect:
    $.mail: {type: encrypt, key: k}
    $.joined: {type: encrypt, key: k, bind: {domain: people}}
    $.amount: {type: encrypt, key: k}
"""
RECORD = {"mail": "zoe@example.org", "joined": "Zoë", "amount": 129.99}
PLACES = {"mail": sealed.place("$['mail']", sealed.STRING), "joined": sealed.place("people", sealed.STRING, "", sealed.DOMAIN),
          "amount": sealed.place("$['amount']", sealed.JSON)}
PLAIN = {"mail": b"zoe@example.org", "joined": "Zoë".encode(), "amount": b"129.99"}
KINDS = [(), ("--derived",), ("--convergent",)]


def material(kind, version):
    return hashlib.sha256(f"{kind} {version}".encode()).digest()[:AEADS[kind].key_size]


class Value:
    """One field under one key by docs/FORMAT-keyring.md, Values."""

    def __init__(self, kind, flags, key, context):
        self.aead = AEADS[kind]
        self.convergent = "--convergent" in flags
        self.aad, self.key = context, key
        if flags:
            out = hkdf(key, context, self.aead.key_size + 32)
            self.aad, self.key, self.nonce_key = b"", out[:self.aead.key_size], out[self.aead.key_size:]

    def open(self, raw):
        return self.aead.open(self.key, raw[:self.aead.nonce_size], raw[self.aead.nonce_size:], self.aad)

    def seal(self, plain):
        nonce = hmac_of(self.nonce_key, plain)[:self.aead.nonce_size] if self.convergent else os.urandom(
            self.aead.nonce_size)
        return nonce + self.aead.seal(self.key, nonce, plain, self.aad)


@pytest.fixture(params=[(kind, flags) for kind in AEADS for flags in KINDS], ids=lambda p: " ".join((p[0], *p[1])))
def key(request, sealstream, tmp_path):
    kind, flags = request.param
    for version in (1, 2):
        (tmp_path / "material").write_bytes(material(kind, version))
        sealstream.run("key", "import", "k", "--type", kind, *flags, "--material", "material")
    (tmp_path / "policy.yaml").write_text(POLICY)
    return kind, flags


def test_reads_what_sealstream_encrypted(sealstream, key):
    line = json.dumps(RECORD).encode() + b"\n"
    made = [json.loads(sealstream.run("protect", "-p", "policy.yaml", input=line)[0]) for _ in range(2)]
    for field, text in made[0].items():
        prefix, version, body = text.removeprefix("json+").split(":")
        assert (prefix, version) == ("vault", "v2") and text.startswith("json+") == (field == "amount")
        value = Value(*key, material(key[0], 2), PLACES[field])
        raw = base64.b64decode(body, validate=True)
        assert value.open(raw) == PLAIN[field]
        with pytest.raises(InvalidTag):
            Value(*key, material(key[0], 2), PLACES[field] + b"x").open(raw)
        assert (made[1][field] == text) == value.convergent
        if value.convergent:
            assert value.seal(PLAIN[field]) == raw


def test_sealstream_reads_what_was_made_here(sealstream, key):
    for version in (1, 2):
        record = {}
        for field, context in PLACES.items():
            raw = Value(*key, material(key[0], version), context).seal(PLAIN[field])
            record[field] = f"{'json+' if field == 'amount' else ''}vault:v{version}:{base64.b64encode(raw).decode()}"
        out, _ = sealstream.run("reveal", "-p", "policy.yaml", input=json.dumps(record).encode() + b"\n")
        assert json.loads(out) == RECORD
        record["mail"] = record["joined"]
        sealstream.run("reveal", "-p", "policy.yaml", input=json.dumps(record).encode() + b"\n", exit_code=1)


def test_key_files_of_format_2(sealstream, key, tmp_path):
    kind, flags = key
    expected = {(): 0, ("--derived",): DERIVED, ("--convergent",): DERIVED | CONVERGENT}[flags]
    ring = Keyring(tmp_path / "keyring")
    read = ring.read("k")
    assert (read["type"], read["flags"]) == (kind, expected | 4)
    assert [v["material"] for v in read["versions"]] == [material(kind, 1), material(kind, 2)]
    number = {name: number for number, name in TYPES.items()}[kind]
    ring.write("made", number, [material(kind, 3)], flags=expected | 2)
    shown = json.loads(sealstream.run("key", "show", "made", "--json")[0])
    assert (shown["type"], shown.get("derived", False), shown.get("convergent", False)) == \
        (kind, bool(expected & DERIVED), bool(expected & CONVERGENT))
    assert base64.b64decode(sealstream.run("key", "export", "made")[0]) == material(kind, 3)
