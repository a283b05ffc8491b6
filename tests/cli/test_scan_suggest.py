"""scan --suggest: whatever the records, the policy passes lint, leaves nothing open, protects them, and gives them back."""
import json
import random

import pytest

KEYS = (["pii"], ["secrets"], ["shapes", "--type", "ff1"], ["marks", "--type", "hmac"], ["joins", "--convergent"])
VALUES = [
    lambda dice: f"p{dice.randrange(99)}@example.com", lambda dice: f"+49 30 90182{dice.randrange(999):03}",
    lambda dice: dice.choice(["4111-1111-1111-1111", "5555555555554444", "6011 1111 1111 1117", " 4242424242424242 "]),
    lambda dice: dice.choice([4111111111111111, 5555555555554444]), lambda dice: dice.randrange(1000),
    lambda dice: "DE89370400440532013000", lambda dice: "AKIAIOSFODNN7EXAMPLE", lambda dice: json.dumps({"m": "a@example.com"}),
    lambda dice: "\u202eann@example.com", lambda dice: "4111111111111111\n", lambda dice: "\u0664111111111111111",
    lambda dice: "text", lambda dice: "123", lambda dice: "", lambda dice: None, lambda dice: True, lambda dice: 12.5]
NAMES = ["mail", "card", "a", "b c", "x'y", "é", "password", "name", "birthDate", "0", "$", "*", "key", "ann@example.com",
         "4111111111111111", "a\u202eb", "a\nb", "a\u0085b", "", "#", "?", " ", "a.b", "[0]", "-", "yes", "null", "\\", '"', "a\x7fb"]


def any_value(dice, depth):
    kind = dice.random()
    if depth > 0 and kind < .25:
        return {dice.choice(NAMES): any_value(dice, depth - 1) for _ in range(dice.randrange(4))}
    if depth > 0 and kind < .4:
        return [any_value(dice, depth - 1) for _ in range(dice.randrange(4))]
    return dice.choice(VALUES)(dice)


def shape(dice, depth):
    """A function that makes values of one shape, more or less."""
    kind = dice.random()
    if depth > 0 and kind < .45:
        members = {dice.choice(NAMES): shape(dice, depth - 1) for _ in range(dice.randrange(1, 6))}
        return lambda: {name: make() for name, make in members.items() if dice.random() < .9}
    if depth > 0 and kind < .6:
        element = shape(dice, depth - 1)
        return lambda: [element() for _ in range(dice.randrange(4))]
    if kind < .7:
        return lambda: any_value(dice, 2)
    kinds = dice.sample(VALUES, dice.choice([1, 1, 1, 2, 3]))
    return lambda: dice.choice(kinds)(dice)


def text_of(value):
    return value if value is None or isinstance(value, str) else json.dumps(value)


def envelopes(dice):
    value, key = shape(dice, 4), shape(dice, 2)
    headers = [(dice.choice([*NAMES, "x-who"]) or "x", dice.sample(VALUES, 2)) for _ in range(dice.randrange(4))]
    keyed = dice.random() < .7
    for _ in range(dice.randrange(1, 30)):
        yield {"payload": json.dumps(value()) if dice.random() < .95 else None,
               **({"key": text_of(key()) if dice.random() < .9 else None} if keyed else {}),
               "headers": [word for name, kinds in headers for _ in range(dice.randrange(3))
                           for word in (name, text_of(dice.choice(kinds)(dice)))]}


def decoded(value):
    """What envelopes hold, as values: what JSON inside strings says counts, not how it is written."""
    if isinstance(value, dict):
        return {name: decoded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [decoded(inner) for inner in value]
    try:
        return ["JSON", decoded(json.loads(value))] if isinstance(value, str) else value
    except ValueError:
        return value


@pytest.mark.parametrize("seed", range(60))
def test_a_suggestion_fits_its_records(program, tmp_path, seed):
    dice = random.Random(seed)
    make = shape(dice, 4)
    J = ["-J"] if seed % 2 else []
    records = list(envelopes(dice)) if J else [make() for _ in range(dice.randrange(1, 30))]
    data = "".join(json.dumps(record, ensure_ascii=seed % 3 == 0) + "\n" for record in records).encode()
    policy = program.run("scan", "--suggest", *J, input=data)[0]
    assert not set(policy.decode()) & set("\x7f\u0085\u202e")
    if b"# Nothing was found" in policy:
        assert program.run("scan", "--json", *J, input=data)[0].count(b'"open":true') == policy.count(b"# not proposed")
        return
    (tmp_path / "policy.yaml").write_bytes(policy)
    assert b"no errors" in program.run("policy", "lint", "policy.yaml")[0]
    left_out = b"# not proposed" in policy
    told = json.loads(program.run("scan", "--json", "-p", "policy.yaml", *J, input=data, exit_code=int(left_out))[0])
    assert (told["open_finds"] > 0) == left_out
    for key in KEYS:
        program.run("-q", "key", "create", *key)
    hidden = program.run("protect", "-p", "policy.yaml", *J, input=data)[0]
    assert hidden != data
    program.run("verify", "-p", "policy.yaml", *J, input=hidden)
    back = program.run("reveal", "-p", "policy.yaml", *J, input=hidden)[0]
    assert [decoded(json.loads(line)) for line in back.splitlines()] == [decoded(json.loads(line)) for line in data.splitlines()]
