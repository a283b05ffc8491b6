"""Envelopes that sealstream makes, a second implementation opens, and the other way round."""
import hashlib
import json

import envelope
import pytest
import sealed
from cryptography.exceptions import InvalidTag

PII = {version: hashlib.sha256(b"pii %d" % version).digest() for version in (1, 2)}
DATA_KEY = hashlib.sha256(b"data key").digest()
POLICY = """version: 1
namespace: shop
keys: {pii: "local:pii"}
topics:
- match: value
  protect:
    $.Address: {type: envelope, key: pii}
    $.customer: {type: envelope, key: pii}
    $.open: {type: envelope, key: pii, bind: none}
    $.joined: {type: envelope, key: pii, bind: {domain: people}}
- match: header
  protect:
    $.Address: {type: envelope, key: pii, carry: header}
    $.customer: {type: envelope, key: pii, carry: header}
- match: bytes
  format: bytes
  protect: {$: {type: envelope, key: pii, carry: bytes}}
"""
RECORD = {"Address": "1 High St, Münster 🚀", "customer": {"name": "Zoë", "tags": ["a", None]}, "n": 1.5}
MORE = {"open": "for anybody with the key", "joined": "Zoë"}


def at(name, bound=sealed.PATH):
    return lambda kind: sealed.place(name, kind, "shop", bound)


FIELDS = {"Address": (at("$['Address']"), sealed.STRING), "customer": (at("$['customer']"), sealed.JSON),
          "open": (lambda kind: b"", sealed.STRING), "joined": (at("people", sealed.DOMAIN), sealed.STRING)}


def plain(value, kind):
    return value.encode() if kind == sealed.STRING else json.dumps(value).encode()


@pytest.fixture
def program(sealstream, tmp_path):
    for material in PII.values():
        (tmp_path / "material").write_bytes(material)
        (tmp_path / "material").chmod(0o600)
        sealstream.run("key", "import", "pii", "--type", "aes256-gcm96", "--material", tmp_path / "material")
    (tmp_path / "policy.yaml").write_text(POLICY)
    return sealstream


def run(program, how, topic, *options, lines, exit_code=0):
    return program.run(how, "-p", "policy.yaml", "-t", topic, *options, input=lines, exit_code=exit_code)


def test_reads_what_sealstream_made(program):
    record = RECORD | MORE
    out, _ = run(program, "protect", "value", lines=json.dumps(record).encode() + b"\n")
    made = json.loads(out)
    for field, (bound, kind) in FIELDS.items():
        assert envelope.open_text(PII, made[field], bound) == (kind, plain(record[field], kind))
    how, (wrapped, _), _ = envelope.split(envelope.from_base64url(made["Address"][len("seal:e1:"):]))
    assert how == envelope.INLINE and wrapped.startswith("vault:v2:")
    with pytest.raises(InvalidTag):
        envelope.open_text(PII, made["Address"], at("$['joined']"))


def test_reads_what_sealstream_carries(program):
    line = json.dumps({"payload": json.dumps(RECORD), "headers": ["trace", "abc"]}).encode() + b"\n"
    out, _ = run(program, "protect", "header", "-J", lines=line)
    made = json.loads(out)
    assert made["headers"][:3] == ["trace", "abc", "seal-key"]
    header, value = made["headers"][3], json.loads(made["payload"])
    for field in RECORD.keys() - {"n"}:
        bound, kind = FIELDS[field]
        assert envelope.open_text(PII, value[field], bound, header) == (kind, plain(RECORD[field], kind))
    back, _ = run(program, "reveal", "header", "-J", lines=out)
    back = json.loads(back)
    assert json.loads(back["payload"]) == RECORD and back["headers"] == ["trace", "abc"]


def test_reads_bytes_that_sealstream_made(program):
    out, _ = run(program, "protect", "bytes", lines=b"any payload\n")
    assert out.startswith(envelope.MAGIC)
    bound = sealed.place("$", sealed.BYTES, "shop")
    assert envelope.open_bytes(PII, out[8:-1], bound) == b"any payload"


@pytest.mark.parametrize("version", PII)
def test_sealstream_reads_what_was_made_here(program, version):
    wrapped = envelope.wrap(PII[version], version, DATA_KEY)
    record = RECORD | MORE
    made = record | {field: envelope.text(envelope.seal(DATA_KEY, plain(record[field], kind), bound(kind), wrapped), kind)
                     for field, (bound, kind) in FIELDS.items()}
    out, _ = run(program, "reveal", "value", lines=json.dumps(made).encode() + b"\n")
    assert json.loads(out) == record
    elsewhere = made | {"open": made["Address"]}
    out, message = run(program, "reveal", "value", lines=json.dumps(elsewhere).encode() + b"\n", exit_code=1)
    assert out == b"" and "does not authenticate under its data key" in message


def test_sealstream_reads_what_was_carried_here(program):
    header = ",".join(envelope.entry(key, envelope.wrap(PII[1], 1, key)) for key in (bytes(32), DATA_KEY))
    value = RECORD | {field: envelope.text(envelope.seal(DATA_KEY, plain(RECORD[field], FIELDS[field][1]),
                                                         FIELDS[field][0](FIELDS[field][1])), FIELDS[field][1])
                      for field in RECORD.keys() - {"n"}}
    line = {"payload": json.dumps(value), "headers": ["seal-key", header]}
    out, _ = run(program, "reveal", "header", "-J", lines=json.dumps(line).encode() + b"\n")
    assert json.loads(json.loads(out)["payload"]) == RECORD and "headers" not in json.loads(out)
    del line["headers"]
    out, message = run(program, "reveal", "header", "-J", lines=json.dumps(line).encode() + b"\n", exit_code=1)
    assert out == b"" and "in the record header seal-key, which is not there" in message


def test_sealstream_reads_bytes_made_here(program):
    for number in range(100):  # the input is lines
        data_key = hashlib.sha256(b"%d" % number).digest()
        raw = envelope.seal(data_key, b"payload", sealed.place("$", sealed.BYTES, "shop"),
                            envelope.wrap(PII[1], 1, data_key))
        if b"\n" not in raw:
            break
    out, _ = run(program, "reveal", "bytes", lines=envelope.MAGIC + raw + b"\n")
    assert out == b"payload\n"


def test_a_key_that_is_not_the_committed_one_is_refused(program):
    """Both data keys are wrapped by the right key, and the ciphertext opens under one of them."""
    other = hashlib.sha256(b"another data key").digest()
    bound = at("$['Address']")(sealed.STRING)
    raw = bytearray(envelope.seal(DATA_KEY, b"x", bound, envelope.wrap(PII[1], 1, DATA_KEY)))
    raw[69:101] = envelope.commitment(other)
    out, message = run(program, "reveal", "value", exit_code=1,
                       lines=json.dumps({"Address": envelope.text(bytes(raw), sealed.STRING)}).encode() + b"\n")
    assert out == b"" and "$['Address']" in message
