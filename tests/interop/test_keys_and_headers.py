"""Record keys and headers: a second implementation, which has their places from docs/FORMAT.md, agrees with sealstream."""
import json

import pytest
import sealed
from cryptography.exceptions import InvalidTag

PII = {1: bytes(range(32))}
CARDS = bytes(range(32, 64))
MAC = bytes(range(64, 96))

POLICY = """version: 1
namespace: shop
keys: {pii: "local:pii", cards: "local:cards", mac: "local:mac"}
methods:
  id: {type: fpe, key: cards, bind: {domain: customer}}
topics:
- match: text
  key: {type: fpe, key: cards}
  headers: {x-agent: {type: encrypt, key: pii}, "X Id": id, x-mail: {type: hash, key: mac}}
  protect: {$.id: id}
- match: json
  key: {$.id: {type: fpe, key: cards}, '$.any.*': {type: fpe, key: cards}}
  protect: {$.id: id}
"""


def at(name, kind=sealed.STRING, bound=sealed.PATH):
    return sealed.place(name, kind, "shop", bound)


@pytest.fixture
def program(sealstream, tmp_path):
    for name, kind, material in (("pii", "aes256-gcm96", PII[1]), ("cards", "ff1", CARDS), ("mac", "hmac", MAC)):
        (tmp_path / "material").write_bytes(material)
        (tmp_path / "material").chmod(0o600)
        sealstream.run("key", "import", name, "--type", kind, "--material", tmp_path / "material")
    (tmp_path / "policy.yaml").write_text(POLICY)
    return sealstream


def run(program, how, topic, key, headers, exit_code=0):
    record = {"topic": topic, "key": key, "headers": [part for pair in headers.items() for part in pair],
              "payload": json.dumps({"id": "00417713"})}
    out, said = program.run(how, "-J", "-t", topic, "-p", "policy.yaml", input=json.dumps(record).encode() + b"\n",
                            exit_code=exit_code)
    if exit_code:
        return said
    made = json.loads(out)
    return made["key"], dict(zip(made["headers"][::2], made["headers"][1::2])), json.loads(made["payload"])


HEADERS = {"x-agent": "Zoë", "X Id": "00417713", "x-mail": "a@example.com", "other": "stays"}


def test_reads_what_sealstream_made(program):
    key, headers, value = run(program, "protect", "text", "c-00417713", HEADERS)
    assert key == sealed.fpe(CARDS, "c-00417713", at("key")) != "c-00417713"
    domain = sealed.fpe(CARDS, "00417713", at("customer", bound=sealed.DOMAIN))
    assert headers["X Id"] == value["id"] == domain
    assert sealed.decrypt(PII, headers["x-agent"], lambda kind: at("header:x-agent", kind)) == (sealed.STRING, "Zoë".encode())
    with pytest.raises(InvalidTag):
        sealed.decrypt(PII, headers["x-agent"], lambda kind: at("header:X-Agent", kind))
    assert headers["x-mail"] == sealed.hashed(MAC, at("header:x-mail"), b"a@example.com")
    assert headers["other"] == "stays"


def test_reads_json_keys_that_sealstream_made(program):
    plain = '{"id": "00417713", "any": {"a": 7654321, "b": "12-34-56"}, "n": 1.10}'
    key, _, _ = run(program, "protect", "json", plain, {})
    made = json.loads(key)
    assert made["id"] == sealed.fpe(CARDS, "00417713", at("key['id']"))
    assert str(made["any"]["a"]) == sealed.fpe_integer(CARDS, "7654321", at("key['any']['a']", sealed.JSON))
    assert made["any"]["b"] == sealed.fpe(CARDS, "12-34-56", at("key['any']['b']"))
    assert key.endswith(', "n": 1.10}')
    assert run(program, "reveal", "json", key, {})[0] == plain


def test_sealstream_reads_what_was_made_here(program):
    headers = {"x-agent": sealed.encrypt(PII[1], 1, "Zoë".encode(), at("header:x-agent"), sealed.STRING),
               "X Id": sealed.fpe(CARDS, "00417713", at("customer", bound=sealed.DOMAIN)), "x-mail": "0" * 64}
    key, revealed, _ = run(program, "reveal", "text", sealed.fpe(CARDS, "c-00417713", at("key")), headers)
    assert (key, revealed) == ("c-00417713", {"x-agent": "Zoë", "X Id": "00417713", "x-mail": "0" * 64})


@pytest.mark.parametrize("place", ["key", "header:X-Agent", "header:x-agen", "$['x-agent']", "$", "x-agent"])
def test_what_is_bound_elsewhere_is_refused(program, place):
    headers = {"x-agent": sealed.encrypt(PII[1], 1, b"Zoe", at(place), sealed.STRING)}
    assert "header:x-agent" in run(program, "reveal", "text", "c-00417713", headers, exit_code=1)
