"""What the tests of a pump share: keys, a policy, and records with a number as key."""
import json
import re

import foreign

POLICY = """version: 1
namespace: tests
keys: {pii: "local:pii", cards: "local:cards"}
topics:
- match: "*"
  protect:
    $.Address: {type: encrypt, key: pii}
    $.credit_card: {type: fpe, key: cards, alphabet: digits}
"""
CARD = re.compile(r"\d{4}-\d{4}-\d{4}-\d{4}")


def prepare(sealstream, policy=POLICY):
    sealstream.run("key", "create", "pii")
    sealstream.run("key", "create", "cards", "--type", "ff1")
    (sealstream.folder / "policy.yaml").write_text(policy)


def pump(brokers, source, target, *more, end=("-e",)):
    """The arguments to copy what is in `source` now; or until another end."""
    return ("pump", "-b", brokers, "--from", source, "--to", target, "-p", "policy.yaml", *end, *more)


def numbered(lines):
    return ((b"%d" % n, line) for n, line in enumerate(lines))


def check_protected(message, line):
    """A purchase whose address is sealed, whose card is another card, and whose rest is the same."""
    before, after = json.loads(line), json.loads(message.value())
    assert after["Address"].startswith("vault:v") and before["Address"].encode() not in message.value()
    assert CARD.fullmatch(after["credit_card"]) and after["credit_card"] != before["credit_card"]
    for name in before.keys() - {"Address", "credit_card"}:
        assert after[name] == before[name]
    assert list(after) == list(before)


def read_numbered(brokers, topic, each):
    """Calls each(message, number) for all messages; returns how often each number was there."""
    seen = {}
    for message in foreign.consume(brokers, topic):
        number = int(message.key())
        seen[number] = seen.get(number, 0) + 1
        each(message, number)
    return seen
