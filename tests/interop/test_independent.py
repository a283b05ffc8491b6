"""What sealstream protects, a second implementation reveals, and the other way round."""
import base64
import hashlib
import json

import pytest
import sealed
from cryptography.exceptions import InvalidTag

PII = {version: hashlib.sha256(b"pii %d" % version).digest() for version in (1, 2)}
CARDS = hashlib.sha256(b"cards").digest()
MAC = hashlib.sha256(b"mac").digest()
SMALL = hashlib.sha256(b"small").digest()[:16]
NAMESPACE = "shop"

POLICY = """version: 1
namespace: shop
keys: {pii: "local:pii", cards: "local:cards", mac: "local:mac", small: "local:small"}
methods:
  secret: {type: encrypt, key: pii}
  card: {type: fpe, key: cards, alphabet: digits, keep: {first: 6, last: 4}}
topics:
- match: purchases
  protect:
    $.Address: secret
    $.amount: secret
    $.customer: secret
    $.items[*].note: secret
    $.open: {type: encrypt, key: pii, bind: none}
    $.joined: {type: encrypt, key: pii, bind: {domain: people}}
    $.pinned: {type: encrypt, key: pii, bind: {record: $.order_id}}
    $.short: {type: encrypt, key: small}
    $.credit_card: card
    $.account: {type: fpe, key: cards, alphabet: digits}
    $.plate: {type: fpe, key: cards, alphabet: alphanumeric}
    $.greek: {type: fpe, key: cards, alphabet: "αβγδεζηθικλμνξοπ"}
    $.old: {type: fpe, key: cards, alphabet: digits, tweak: "0102030405060708090a"}
    $.email: {type: hash, key: mac}
"""

RECORD = {"order_id": "ord-17", "Address": "1 High St, Münster 🚀", "amount": 129.99,
          "customer": {"name": "Zoë", "tags": ["a", None]}, "items": [{"note": "left"}, {"note": ""}, {"qty": 2}],
          "open": "for any Vault client", "joined": "Zoë", "pinned": "belongs to ord-17", "short": "128 bit",
          "credit_card": "4111-1111-1111-1111", "account": 12345678, "plate": "B AB-1234", "greek": "αβγ-δεζ",
          "old": "4111 1111 1111 1111", "email": "zoe@example.org"}


def at(name, bound=sealed.PATH, sibling=None):
    """The place of a path or domain, for a kind of value."""
    return lambda kind: sealed.place(name, kind, NAMESPACE, bound, sibling)


ENCRYPTED = [  # (where in the record, its place, kind)
    (["Address"], at("$['Address']"), sealed.STRING),
    (["amount"], at("$['amount']"), sealed.JSON),
    (["customer"], at("$['customer']"), sealed.JSON),
    (["items", 0, "note"], at("$['items'][*]['note']"), sealed.STRING),
    (["items", 1, "note"], at("$['items'][*]['note']"), sealed.STRING),
    (["open"], lambda kind: b"", sealed.STRING),
    (["joined"], at("people", sealed.DOMAIN), sealed.STRING),
    (["pinned"], at("$['pinned']", sealed.RECORD, (sealed.STRING, b"ord-17")), sealed.STRING),
]
IDS = [".".join(map(str, path)) for path, _, _ in ENCRYPTED]
FPE = {  # field: arguments of sealed.fpe
    "credit_card": {"bound": at("$['credit_card']")(sealed.STRING), "first": 6, "last": 4},
    "plate": {"bound": at("$['plate']")(sealed.STRING), "alphabet": "alphanumeric"},
    "greek": {"bound": at("$['greek']")(sealed.STRING), "alphabet": "αβγδεζηθικλμνξοπ"},
    "old": {"tweak": bytes.fromhex("0102030405060708090a")},
}


def walk(record, path):
    for step in path:
        record = record[step]
    return record


@pytest.fixture
def program(sealstream, tmp_path):
    for name, kind, materials in (("pii", "aes256-gcm96", PII.values()), ("cards", "ff1", [CARDS]), ("mac", "hmac", [MAC]),
                                  ("small", "aes128-gcm96", [SMALL])):
        for material in materials:
            (tmp_path / "material").write_bytes(material)
            (tmp_path / "material").chmod(0o600)
            sealstream.run("key", "import", name, "--type", kind, "--material", tmp_path / "material")
    (tmp_path / "policy.yaml").write_text(POLICY)
    return sealstream


@pytest.fixture
def protected(program):
    out, _ = program.run("protect", "-p", "policy.yaml", input=json.dumps(RECORD).encode() + b"\n")
    return json.loads(out)


def plain_of(value, kind):
    return value.encode() if kind == sealed.STRING else json.dumps(value).encode()


@pytest.mark.parametrize("path, bound, kind", ENCRYPTED, ids=IDS)
def test_reads_what_sealstream_encrypted(protected, path, bound, kind):
    assert sealed.decrypt(PII, walk(protected, path), bound) == (kind, plain_of(walk(RECORD, path), kind))


def test_newest_version_and_short_keys(protected):
    assert protected["Address"].startswith("vault:v2:")
    assert sealed.decrypt({1: SMALL}, protected["short"], at("$['short']")) == (sealed.STRING, b"128 bit")


def test_moved_value_does_not_open(protected):
    with pytest.raises(InvalidTag):
        sealed.decrypt(PII, protected["Address"], at("$['joined']"))


@pytest.mark.parametrize("field", FPE)
def test_same_fpe(protected, field):
    assert protected[field] == sealed.fpe(CARDS, RECORD[field], **FPE[field])
    assert protected[field] != RECORD[field]


def test_same_fpe_of_integers(protected):
    bound = at("$['account']")(sealed.JSON)
    assert isinstance(protected["account"], int)
    assert str(protected["account"]) == sealed.fpe_integer(CARDS, "12345678", bound)


def test_same_hash(protected):
    assert protected["email"] == sealed.hashed(MAC, at("$['email']")(sealed.STRING), b"zoe@example.org")


def test_rest_is_untouched(protected):
    assert protected["order_id"] == "ord-17" and protected["items"][2] == {"qty": 2}


def made_here(version):
    """RECORD, protected by the second implementation alone."""
    record = json.loads(json.dumps(RECORD))
    for path, bound, kind in ENCRYPTED:
        walk(record, path[:-1])[path[-1]] = sealed.encrypt(PII[version], version, plain_of(walk(RECORD, path), kind),
                                                           bound(kind), kind)
    for field, arguments in FPE.items():
        record[field] = sealed.fpe(CARDS, RECORD[field], **arguments)
    record["account"] = int(sealed.fpe_integer(CARDS, str(RECORD["account"]), at("$['account']")(sealed.JSON)))
    record["short"] = sealed.encrypt(SMALL, 1, b"128 bit", at("$['short']")(sealed.STRING), sealed.STRING)
    return record


@pytest.mark.parametrize("version", PII)
def test_sealstream_reads_what_was_made_here(program, version):
    out, _ = program.run("reveal", "-p", "policy.yaml", input=json.dumps(made_here(version)).encode() + b"\n")
    assert json.loads(out) == RECORD


@pytest.mark.parametrize("path, bound, kind", ENCRYPTED, ids=IDS)
def test_sealstream_refuses_another_place(program, path, bound, kind):
    record = made_here(1)
    walk(record, path[:-1])[path[-1]] = sealed.encrypt(PII[1], 1, plain_of(walk(RECORD, path), kind), b"elsewhere", kind)
    out, message = program.run("reveal", "-p", "policy.yaml", input=json.dumps(record).encode() + b"\n", exit_code=1)
    assert out == b"" and "1 of 1 record failed" in message


def test_many_cards(program):
    """Both FF1 agree on a thousand cards, through the interleaved path."""
    cards = [f"{n * 999_999_937 % 10**16:016}" for n in range(1, 1001)]
    lines = "".join(json.dumps({"credit_card": c}) + "\n" for c in cards).encode()
    out, _ = program.run("protect", "-p", "policy.yaml", input=lines)
    assert [json.loads(line)["credit_card"] for line in out.splitlines()] == \
        [sealed.fpe(CARDS, c, **FPE["credit_card"]) for c in cards]


def test_exported_key_is_the_one(sealstream, tmp_path):
    """A key that sealstream made, exported, opens what it encrypted."""
    sealstream.run("key", "create", "pii", "--exportable")
    (tmp_path / "policy.yaml").write_text(
        'version: 1\nkeys: {pii: "local:pii"}\ntopics:\n- match: t\n  protect: {$.a: {type: encrypt, key: pii}}\n')
    out, _ = sealstream.run("protect", "-p", "policy.yaml", input=b'{"a":"secret"}\n')
    key, _ = sealstream.run("key", "export", "pii", "--format", "raw")
    text, _ = sealstream.run("key", "export", "pii")
    assert len(key) == 32 and base64.b64decode(text.strip(), validate=True) == key
    assert sealed.decrypt({1: key}, json.loads(out)["a"], lambda kind: sealed.place("$['a']", kind)) == \
        (sealed.STRING, b"secret")
