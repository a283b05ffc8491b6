"""verify of topics, against the embedded broker: ranges, partitions, keys and headers, offsets of what fails, and no trace left."""
import json

import pytest

from broker import Broker, Program, purchase

TOPIC = "purchases"
POLICY = """
version: 1
namespace: shop
keys: {pii: local:pii, cards: local:cards, ids: local:ids}
topics:
  - match: purchases
    dead_letter: {topic: dead, key: pii}
    on_error: dead_letter
    key: {type: deterministic, key: ids}
    headers: {who: {type: encrypt, key: pii}}
    protect:
      $.Address: {type: encrypt, key: pii}
      $.credit_card: {type: fpe, key: cards}
"""


@pytest.fixture
def broker():
    it = Broker()
    for topic, partitions in ((TOPIC, 3), ("dead", 1)):
        it.tell(f"topic {topic} {partitions}")
    yield it
    it.stop()


@pytest.fixture
def program(tmp_path, broker):
    it = Program(tmp_path, broker)
    it.run("key", "create", "ids", "--convergent")
    (tmp_path / "policy.yaml").write_text(POLICY)
    return it


def envelope(n, **more):
    return json.dumps({"partition": n % 3, "key": f"k{n}", "payload": purchase(n), "headers": ["who", f"Ada {n}"]} | more)


def produce(program, envelopes, *args, **kwargs):
    return program.kafka("produce", "-t", TOPIC, *args, "-J", "--keep-partition", stdin="\n".join(envelopes) + "\n", **kwargs)


def verify(program, *args, code=0):
    done = program.kafka("verify", "-t", TOPIC, "-p", "policy.yaml", "--report", "json", *args, code=code)
    return json.loads(done.stdout)


@pytest.fixture
def filled(program):
    """Thirty good records, ten a partition; the last ten under a rotated key; then a tombstone."""
    produce(program, [envelope(n) for n in range(20)], "-p", "policy.yaml")
    program.run("key", "rotate", "pii")
    produce(program, [envelope(n) for n in range(20, 30)] + [envelope(30, payload=None, headers=[])], "-p", "policy.yaml")
    return program


def test_a_good_topic_is_proven(filled):
    told = verify(filled)
    assert (told["meets_policy"], told["records"], told["tombstones"], told["failed"], told["file"]) == (True, 31, 1, 0, False)
    assert sorted((r["partition"], r["first"], r["last"], r["records"]) for r in told["ranges"]) == [
        (0, 0, 10, 11), (1, 0, 9, 10), (2, 0, 9, 10)]
    fields = {field["path"]: field for field in told["fields"]}
    assert set(fields) == {"key", "header:who", "$['Address']", "$['credit_card']"}
    assert {path: field["values"] for path, field in fields.items()} == {
        "key": 31, "header:who": 30, "$['Address']": 30, "$['credit_card']": 30}
    assert fields["$['Address']"]["key_versions"] == [{"version": 1, "values": 20}, {"version": 2, "values": 10}]
    assert fields["key"]["key_versions"] == [{"version": 1, "values": 31}]
    # Nobody's offsets, nobody's records: a second look sees the same.
    again = verify(filled)
    assert [again[name] for name in ("records", "ranges", "fields")] == [told[name] for name in ("records", "ranges", "fields")]


def test_offsets_of_what_fails(filled):
    """In clear, foreign and moved: each is found at its offset, in its part."""
    plain = [envelope(0, payload='{"Address":"in clear"}', headers=[])]
    protected = json.loads(filled.kafka("consume", "-t", TOPIC, "-e", "-J", "--plain", "-o", "0", "--partition", "1", "-c", "1").stdout)
    good = protected | {"partition": 1}
    produce(filled, plain + [json.dumps(good | {"key": "in clear"}), json.dumps(good | {"headers": ["who", "in clear"]}),
                             json.dumps(good | {"payload": good["payload"].replace("vault:v1:", "vault:v2:")}),
                             json.dumps(good | {"payload": "{"})], "--plain")
    found = verify(filled, code=1)
    assert (found["records"], found["failed"]) == (36, 5)
    at = {(one["record"], one["path"], one["code"]) for one in found["failures"]}
    assert at == {("purchases/0/11", "key", "plaintext"), ("purchases/1/10", "key", "plaintext"),
                  ("purchases/1/11", "header:who", "plaintext"), ("purchases/1/12", "$['Address']", "tampered"),
                  ("purchases/1/13", "", "syntax")}
    assert "in clear" not in json.dumps(found)
    # Before these, and in another partition, all is well.
    assert verify(filled, "--partition", "2")["meets_policy"]
    part = verify(filled, "--partition", "1", "-o", "5", "-c", "4")
    assert part["ranges"] == [{"partition": 1, "first": 5, "last": 8, "records": 4}] and part["meets_policy"]
    assert verify(filled, "--partition", "1", "-o", "-3", code=1)["failed"] == 3


def test_dead_letters_are_proven_too(filled):
    """What could not be protected lies encrypted, key and headers with it."""
    source = "\n".join([json.dumps({"key": "k", "payload": "{broken", "headers": ["who", "Ada"]})]) + "\n"
    filled.kafka("produce", "-t", TOPIC, "-p", "policy.yaml", "-J", stdin=source, code=None)
    done = filled.kafka("verify", "-t", "dead", "-p", "policy.yaml", "--report", "json")
    told = json.loads(done.stdout)
    assert (told["records"], told["meets_policy"]) == (1, True)
    assert {field["path"]: field["values"] for field in told["fields"] if field["values"]} == {
        "$": 1, "header:seal-record-key": 1, "header:who": 1}


OTHERS = """
  - match: others
    dead_letter: {topic: dead, key: pii}
    on_error: dead_letter
    protect: {$.Address: {type: encrypt, key: pii}}
  - match: without
    protect: {$.Address: {type: encrypt, key: pii}}
"""


def test_dead_letters_in_clear_are_found(filled):
    """Somebody puts back what a letter hides; letters of a topic that hides none of it may show it."""
    (filled.directory / "policy.yaml").write_text(POLICY + OTHERS)
    for topic in (TOPIC, "others"):
        source = json.dumps({"topic": topic, "key": "k", "payload": "{broken", "headers": ["who", "Ada", "who", None]}) + "\n"
        filled.kafka("produce", "-t", topic, "-p", "policy.yaml", "-J", stdin=source, code=None)
    letters = [json.loads(line) for line in filled.kafka("consume", "-t", "dead", "-e", "-J", "--plain").stdout.splitlines()]
    hidden, shown = letters if letters[0]["key"] is None else letters[::-1]
    assert (hidden["key"], shown["key"], shown["headers"][:2]) == (None, "k", ["who", "Ada"])
    told = json.loads(filled.kafka("verify", "-t", "dead", "-p", "policy.yaml", "--report", "json").stdout)
    assert (told["records"], told["meets_policy"]) == (2, True)
    at = hidden["headers"].index("who") + 1
    plain = hidden["headers"][:at] + ["Ada"] + hidden["headers"][at + 1:]
    nameless = [text for pair in zip(shown["headers"][::2], shown["headers"][1::2]) for text in pair if pair[0] != "seal-topic"]
    wrong = [{"others": "without"}.get(text, text) for text in shown["headers"]]  # it has no dead letters
    fakes = [hidden | {"key": "k", "headers": plain[2:]}, hidden | {"headers": plain}, shown | {"headers": nameless},
             shown | {"headers": wrong}]
    filled.kafka("produce", "-t", "dead", "--plain", "-J", stdin="".join(json.dumps(fake) + "\n" for fake in fakes))
    found = json.loads(filled.kafka("verify", "-t", "dead", "-p", "policy.yaml", "--report", "json", code=1).stdout)
    assert [(one["record"], one["path"], one["code"]) for one in found["failures"]] == [
        ("dead/0/2", "key", "plaintext"), ("dead/0/3", "header:who", "plaintext"), ("dead/0/4", "key", "plaintext"),
        ("dead/0/5", "key", "plaintext")]


def test_another_policys_topic(filled, tmp_path):
    """Keys that are not there, topics that no entry matches."""
    filled.kafka("verify", "-t", "unknown", "-p", "policy.yaml", code=78)
    (tmp_path / "other.yaml").write_text(POLICY.replace("local:ids", "local:absent"))
    assert "absent" in filled.kafka("verify", "-t", TOPIC, "-p", "other.yaml", code=78).stderr
    (tmp_path / "other.yaml").write_text(POLICY.replace("namespace: shop", "namespace: bank"))
    found = json.loads(filled.kafka("verify", "-t", TOPIC, "-p", "other.yaml", "--report", "json", code=1).stdout)
    assert found["failed"] == 31
