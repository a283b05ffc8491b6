"""Record keys and headers through pump, produce, consume and rewrap, and in dead letters, against the embedded broker."""
import json

import pytest

from broker import Broker, Program, purchase

CANARY = "canary-3b7e-customer"
POLICY = """
version: 1
namespace: shop
keys: {pii: local:pii, cards: local:cards}
methods:
  secret: {type: encrypt, key: pii}
  number: {type: fpe, key: cards, alphabet: digits, bind: {domain: customer}}
topics:
  - match: purchases
    %s
    protect: {$.Address: secret}
    key: number
    headers: {x-customer: number, x-note: secret}
"""
DEAD = "on_error: dead_letter\n    dead_letter: {topic: purchases.dead, key: pii}"


@pytest.fixture
def broker():
    it = Broker()
    it.tell("topic purchases 4")
    it.tell("topic purchases_encrypted 4")
    it.tell("topic purchases.dead 1")
    yield it
    it.stop()


@pytest.fixture
def program(tmp_path, broker):
    it = Program(tmp_path, broker)
    (tmp_path / "policy.yaml").write_text(POLICY % DEAD)
    return it


def record(n, key=None, **more):
    return {"key": key or str(1000000 + n), "payload": purchase(n), **more}


def produce(program, records, *arguments, topic="purchases", **kwargs):
    lines = "".join(json.dumps(r) + "\n" for r in records)
    return program.kafka("produce", "-t", topic, "-J", *(arguments or ("--plain",)), stdin=lines, **kwargs)


def headers(envelope):
    return list(zip(envelope["headers"][::2], envelope["headers"][1::2]))


REVEAL = ("-p", "policy.yaml", "--policy-topic", "purchases")


def test_story(program):
    """The same key is always the same key, so that compaction and partitions keep their sense; a reveal gives it back."""
    note = ["x-customer", "1000001", "trace", "t", "x-note", CANARY, "x-note", None]
    records = [record(n % 7, headers=note) for n in range(40)]
    produce(program, records)
    assert "160 fields" in program.pump("-e", "-j", "2").stderr  # 40 x Address, key, x-customer, x-note; nulls are none
    held = program.envelopes("purchases_encrypted", "--plain")
    assert len(held) == 40 and CANARY not in json.dumps(held)
    by_key = {}
    for envelope in held:
        by_key.setdefault(envelope["key"], set()).add((envelope["partition"], json.loads(envelope["payload"])["n"] % 7))
        told = headers(envelope)
        assert [name for name, _ in told] == ["x-customer", "trace", "x-note", "x-note"]
        assert told[1][1] == "t" and told[2][1].startswith("vault:v1:") and told[3][1] is None
    assert len(by_key) == 7 and all(len(found) == 1 for found in by_key.values())
    # One domain: the header is what the key of that customer is.
    one = next(e for e in held if json.loads(e["payload"])["n"] % 7 == 1)
    assert headers(one)[0][1] == one["key"]
    revealed = program.envelopes("purchases_encrypted", *REVEAL)
    assert sorted((e["key"], e["payload"]) for e in revealed) == sorted((r["key"], r["payload"]) for r in records)
    assert all(e["headers"] == note for e in revealed)
    out = program.kafka("inspect", "-t", "purchases_encrypted", "-s").stdout
    assert "header:x-note: 40 x encrypt of a string, key version 1" in out


def test_pump_reveals(program):
    produce(program, [record(n) for n in range(5)], "-p", "policy.yaml", topic="purchases")
    assert not {e["key"] for e in program.envelopes("purchases", "--plain")} & {str(1000000 + n) for n in range(5)}
    program.pump("-e", "--reveal")
    assert sorted(e["key"] for e in program.envelopes("purchases_encrypted", "--plain")) == [
        str(1000000 + n) for n in range(5)]


def test_keys_of_lines(program):
    """produce -K protects what stands before the delimiter; a line without one has no key, and stays without."""
    program.kafka("produce", "-t", "purchases", "-p", "policy.yaml", "-K", "|", stdin=f"1234567|{purchase(1)}\n")
    program.kafka("produce", "-t", "purchases", "-p", "policy.yaml", stdin=purchase(2) + "\n")
    held = program.envelopes("purchases", "--plain")
    assert {e["key"] is None for e in held} == {True, False} and "1234567" not in {e["key"] for e in held}
    assert sorted(program.kafka("consume", "-t", "purchases", "-e", "-p", "policy.yaml").stdout.splitlines()) == [
        purchase(1), purchase(2)]


def test_tombstones_keep_their_meaning(program):
    """A tombstone deletes the key that the records before it had."""
    produce(program, [record(1), {"key": "1000001", "payload": None}])
    program.pump("-e")
    first, second = program.envelopes("purchases_encrypted", "--plain")
    assert first["key"] == second["key"] != "1000001" and second["payload"] is None
    assert first["partition"] == second["partition"]


def test_a_plain_header_is_refused_by_a_reveal(program):
    """Nobody slips in what was not protected."""
    produce(program, [record(1, headers=["x-note", CANARY])], topic="purchases_encrypted")
    done = program.kafka("consume", "-t", "purchases_encrypted", "-e", *REVEAL, code=1)
    assert "header:x-note: " in done.stderr and CANARY not in done.stderr and done.stdout == ""


def test_dead_letters_hide_keys_and_headers(program):
    """A record failed because of its key: neither that nor a protected header leaves in clear, and all comes back."""
    bad = record(2, key=CANARY, headers=["trace", "t", "x-note", CANARY, "x-note", None])
    produce(program, [record(1), bad, record(3)])
    done = program.pump("-e", code=1)
    assert "1 dead letters" in done.stderr and CANARY not in done.stderr
    assert len(program.envelopes("purchases_encrypted", "--plain")) == 2
    [letter] = program.envelopes("purchases.dead", "--plain")
    assert CANARY not in json.dumps(letter) and letter["key"] is None
    told = headers(letter)
    assert [name for name, _ in told] == ["trace", "x-note", "x-note", "seal-record-key", "seal-error", "seal-topic",
                                          "seal-partition", "seal-offset"]
    assert told[0][1] == "t" and told[2][1] is None
    assert told[1][1].startswith("vault:v1:") and told[3][1].startswith("vault:v1:")
    [opened] = program.envelopes("purchases.dead", "-p", "policy.yaml")
    assert opened["key"] == CANARY and opened["payload"] == bad["payload"]
    assert headers(opened)[:3] == [("trace", "t"), ("x-note", CANARY), ("x-note", None)]
    assert "seal-record-key" not in opened["headers"]
    out = program.kafka("inspect", "-t", "purchases.dead", "-s").stdout
    assert "header:seal-record-key: 1 x encrypt" in out and "header:x-note: 1 x encrypt" in out


def test_dead_letters_are_rewrapped_whole(program, broker):
    """After a rotation nothing of a dead letter is left under the old version."""
    broker.tell("topic letters 1")
    produce(program, [record(2, key=CANARY, headers=["x-note", CANARY])])
    program.pump("-e", code=1)
    program.run("key", "rotate", "pii")
    program.kafka("rewrap", "--from", "purchases.dead", "--to", "letters", "-p", "policy.yaml", "-e", "-X",
                  "session.timeout.ms=6000")
    [letter] = program.envelopes("letters", "--plain")
    assert "vault:v1:" not in json.dumps(letter) and json.dumps(letter).count("vault:v2:") == 3
    [opened] = program.envelopes("letters", "-p", "policy.yaml", "--policy-topic", "purchases.dead")
    assert opened["key"] == CANARY


def test_reject_names_the_part(program):
    (program.directory / "policy.yaml").write_text(POLICY % "")
    produce(program, [record(1, key=CANARY)])
    done = program.pump("-e", code=65)
    assert ": key: " in done.stderr and CANARY not in done.stderr
    assert program.envelopes("purchases_encrypted", "--plain") == []


TOKENS = """
version: 1
namespace: shop
keys: {pii: local:pii, ids: local:ids}
stores: {main: "sqlite:tokens.db"}
methods:
  token: {type: token, key: pii, convergent: true, bind: {domain: customer}}
  same: {type: deterministic, key: ids, bind: {domain: customer}}
topics:
  - match: purchases
    protect: {$.n: {type: encrypt, key: pii}}
    key: %s
    headers: {x-customer: %s}
"""


@pytest.mark.parametrize("method, text", [("token", "seal:t1:"), ("same", "vault:v1:")])
def test_texts_as_keys(program, method, text):
    """Methods with texts of their own: equal keys are equal, by whichever program and worker they are made, and come back."""
    program.run("key", "create", "ids", "--convergent")
    (program.directory / "policy.yaml").write_text(TOKENS % (method, method))
    records = [record(n % 9, headers=["x-customer", str(1000000 + n % 9)]) for n in range(200)]
    produce(program, records)
    program.pump("-e", "-j", "3")
    produce(program, records[:20], "-p", "policy.yaml", "--policy-topic", "purchases", topic="purchases_encrypted")
    held = program.envelopes("purchases_encrypted", "--plain")
    assert len(held) == 220 and all(e["key"].startswith(text) and headers(e)[0][1] == e["key"] for e in held)
    assert len({e["key"] for e in held}) == len({(e["key"], e["partition"]) for e in held}) == 9
    revealed = program.envelopes("purchases_encrypted", *REVEAL)
    assert {e["key"] for e in revealed} == {str(1000000 + n) for n in range(9)}
    assert all(headers(e)[0][1] == e["key"] == str(1000000 + json.loads(e["payload"])["n"] % 9) for e in revealed)
