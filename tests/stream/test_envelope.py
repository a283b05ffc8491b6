"""Data keys through a broker: what the topic holds, where keys are carried, and what becomes of a record that lost its headers."""
import json

import pytest

from broker import Broker, FAST_GROUP, Program, purchase

SEALED, COPY = "purchases_encrypted", "purchases_rewrapped"
POLICY = """version: 1
namespace: shop
keys: {{pii: local:pii}}
topics:
  - match: [purchases, purchases_encrypted]
    {on_error}
    protect:
      $.Address: {{type: envelope, key: pii, carry: {carry}}}
      $.credit_card: {{type: envelope, key: pii, carry: {carry}}}
  - match: payloads
    format: bytes
    protect: {{$: {{type: envelope, key: pii, carry: bytes}}}}
"""


@pytest.fixture
def broker():
    it = Broker()
    for topic in ("purchases", SEALED, COPY, "payloads", "purchases.dead"):
        it.tell(f"topic {topic} 2")
    yield it
    it.stop()


@pytest.fixture
def program(tmp_path, broker):
    it = Program(tmp_path, broker)
    carry(it, "header")
    return it


def carry(program, how, on_error=""):
    (program.directory / "policy.yaml").write_text(POLICY.format(carry=how, on_error=on_error))


def headers(envelope):
    flat = envelope.get("headers", [])
    return dict(zip(flat[::2], flat[1::2]))


def sent(count):
    return [{"partition": n % 2, "key": f"k{n}", "payload": purchase(n), "ts": 1700000000000 + n,
             "headers": ["trace", str(n)]} for n in range(count)]


def without_place(envelope):
    return {name: envelope.get(name) for name in ("key", "payload", "ts", "headers")}


def by_key(envelopes):
    return sorted(map(without_place, envelopes), key=lambda e: e["key"] or "")


def test_the_header_is_there_and_goes_again(program):
    """purchases ─pump─▶ sealed ─pump --reveal─▶ copy: one wrapped key a record, small values, the other headers untouched."""
    envelopes = sent(20)
    program.produce_plain("purchases", map(json.dumps, envelopes), "-J", "--keep-partition")
    program.pump("-e")
    held = program.envelopes(SEALED, "--plain")
    assert len(held) == 20
    keys = {headers(e)["seal-key"] for e in held}
    assert len(keys) == 1 and keys.pop()[43:].startswith(".vault:v1:")
    for e in held:
        value = json.loads(e["payload"])
        assert value["Address"].startswith("seal:e1:") and len(value["Address"]) < 100
        assert "High St" not in json.dumps(e) and e["headers"][:2] == ["trace", headers(e)["trace"]]
    program.kafka("pump", "--from", SEALED, "--to", COPY, "--reveal", "-p", "policy.yaml", "-e", *FAST_GROUP)
    assert by_key(program.envelopes(COPY, "--plain")) == by_key(envelopes)
    assert by_key(program.envelopes(SEALED, "-p", "policy.yaml")) == by_key(envelopes)


def test_a_record_without_its_header_is_told(program):
    """A sink that strips headers: nothing comes out, and the message says what happened."""
    program.kafka("produce", "-t", SEALED, "-p", "policy.yaml", stdin=purchase(1) + "\n")
    (held,) = program.envelopes(SEALED, "--plain")
    del held["headers"]
    program.produce_plain(COPY, [json.dumps(held)], "-J")
    done = program.kafka("consume", "-t", COPY, "-p", "policy.yaml", "--policy-topic", SEALED, "-e", code=1)
    assert done.stdout == "" and "in the record header seal-key, which is not there" in done.stderr
    # Values that carry their own key survive it.
    carry(program, "value")
    program.kafka("produce", "-t", "purchases", "-p", "policy.yaml", stdin=purchase(2) + "\n")
    (held,) = program.envelopes("purchases", "--plain")
    assert "headers" not in held
    program.kafka("consume", "-t", "purchases", "-p", "policy.yaml", "-e")


def test_lines_have_no_headers(program):
    """Refused before anything is read or written; from lines into a topic and back is fine."""
    for command in ("protect", "reveal", "rewrap"):
        done = program.run(command, "-p", "policy.yaml", "-t", "purchases", stdin=purchase(1) + "\n", code=78)
        assert done.stdout == "" and "'carry: header', but these records have no headers" in done.stderr
    program.kafka("produce", "-t", SEALED, "-p", "policy.yaml", stdin=purchase(1) + "\n")
    assert program.kafka("consume", "-t", SEALED, "-p", "policy.yaml", "-e").stdout == purchase(1) + "\n"


def test_envelopes_of_files_carry_them(program):
    """Topic ─consume -J─▶ file ─reveal -J─▶ file: the header is found and taken away."""
    program.kafka("produce", "-t", SEALED, "-p", "policy.yaml", stdin=purchase(1) + "\n")
    dump = program.kafka("consume", "-t", SEALED, "--plain", "-e", "-J").stdout
    assert '"seal-key"' in dump
    back = json.loads(program.run("reveal", "-J", "-p", "policy.yaml", "-t", SEALED, stdin=dump).stdout)
    assert back["payload"] == purchase(1) and "headers" not in back
    again = program.run("protect", "-J", "-p", "policy.yaml", "-t", SEALED, stdin=json.dumps(back) + "\n").stdout
    assert headers(json.loads(again))["seal-key"]


def test_rewrapping_changes_the_header_alone(program):
    program.kafka("produce", "-t", SEALED, "-p", "policy.yaml", "-K", "|", stdin="k|" + purchase(1) + "\n")
    program.run("key", "rotate", "pii")
    program.kafka("rewrap", "--from", SEALED, "--to", COPY, "-p", "policy.yaml", "-e", *FAST_GROUP)
    (old,), (new,) = (program.envelopes(topic, "--plain") for topic in (SEALED, COPY))
    assert old["payload"] == new["payload"] and old["key"] == new["key"]
    assert ".vault:v1:" in headers(old)["seal-key"] and ".vault:v2:" in headers(new)["seal-key"]
    found = program.kafka("inspect", "--versions", "--json", "-t", COPY)
    assert {(v["method"], v["key_version"]) for v in json.loads(found.stdout)["versions"]} == {("envelope", 2)}
    program.run("key", "config", "pii", "--min-decryption-version", "2")
    assert program.kafka("consume", "-t", COPY, "-p", "policy.yaml", "--policy-topic", SEALED, "-e").stdout == purchase(1) + "\n"
    program.kafka("consume", "-t", SEALED, "-p", "policy.yaml", "-e", code=1)


def test_dead_letters_keep_the_header(program):
    carry(program, "header", "on_error: dead_letter\n    dead_letter: {topic: purchases.dead, key: pii}")
    line = {"key": "k", "payload": "not json", "headers": ["seal-key", "as it was", "n", "1"]}
    program.produce_plain("purchases", [json.dumps(line)], "-J")
    program.pump("-e", code=1)
    (letter,) = program.envelopes("purchases.dead", "--plain")
    assert letter["headers"][:4] == line["headers"] and letter["payload"].startswith("vault:v1:")


def test_payloads_of_any_bytes(program):
    program.kafka("produce", "-t", "payloads", "-p", "policy.yaml", stdin="any \N{SNOWMAN} payload\n")
    held = program.run("inspect", "-b", program.broker.address, "-t", "payloads").stdout
    assert "$: envelope of a string, key version 1" in held
    assert program.kafka("consume", "-t", "payloads", "-p", "policy.yaml", "-e").stdout == "any \N{SNOWMAN} payload\n"
