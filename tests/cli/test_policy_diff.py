"""policy diff: every verdict is held against what reveal then does."""
import json

import pytest

BASE = {
    "version": "1", "namespace": "shop", "keys": {"pii": "local:pii", "cards": "local:cards", "macs": "local:macs"},
    "stores": {"main": "sqlite:tokens.db"},
    "methods": {
        "secret": {"type": "encrypt", "key": "pii"},
        "card": {"type": "fpe", "key": "cards"},
        "sealed": {"type": "envelope", "key": "pii"},
        "token": {"type": "token", "key": "pii"},
        "plain": {"type": "encrypt", "key": "pii", "bind": "none"},
        "hash": {"type": "hash", "key": "macs"},
    },
    "protect": {"$.a": "secret", "$.b": "card", "$.c": "sealed", "$.d": "token", "$.e": "plain", "$.f": "hash"},
    "defaults": {},
    "match": "orders",
}
RECORD = {"a": "Ada", "b": "4111111111111111", "c": "note", "d": "token me", "e": "free", "f": "hashed", "g": "clear", "h": "123456789"}


def policy(**changes):
    """JSON is YAML; a change replaces what is at "part.name", None takes it away."""
    made = json.loads(json.dumps(BASE))
    for at, value in changes.items():
        parts = at.split("__")
        target = made
        for part in parts[:-1]:
            target = target[part]
        if value is None:
            target.pop(parts[-1])
        else:
            target[parts[-1]] = value
    topic = {"match": made.pop("match"), "protect": {key if key.startswith("$") else f"$.{key}": value
                                                      for key, value in made.pop("protect").items()}}
    if "format" in made:
        topic["format"] = made.pop("format")
    made["version"] = int(made["version"])
    return json.dumps(made | {"topics": [topic]}, indent=1)


@pytest.fixture
def shop(run, home):
    run("key", "create", "pii"), run("key", "create", "cards", "--type", "ff1")
    run("key", "create", "macs", "--type", "hmac")
    run("key", "create", "other"), run("key", "create", "cards2", "--type", "ff1")
    (home / "old.yaml").write_text(policy())
    return home


def diff(run, *more, code):
    done = run("policy", "diff", "--json", "old.yaml", "new.yaml", *more)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def reveals(run, home):
    """Does reveal under the new policy give the record of before back (but for what is one-way)?"""
    protected = run("protect", "-p", "old.yaml", input=json.dumps(RECORD).encode() + b"\n")
    assert protected.returncode == 0, protected.stderr
    revealed = run("reveal", "-p", "new.yaml", input=protected.stdout.encode())
    if revealed.returncode != 0:
        return False
    got = json.loads(revealed.stdout)
    return all(got[name] == value for name, value in RECORD.items() if name != "f")


LOSES = {
    "another key": {"methods__secret__key": "other_key", "keys__other_key": "local:other"},
    "the key's name now means another": {"keys__cards": "local:cards2"},
    "another namespace": {"namespace": "market"},
    "bound to nothing": {"methods__secret__bind": "none"},
    "bound to something": {"methods__plain__bind": "place"},
    "bound to a domain": {"methods__sealed__bind": {"domain": "notes"}},
    "bound to the record": {"methods__secret__bind": {"record": "$.g"}},
    "another tweak": {"methods__card__tweak": "00112233"},
    "another alphabet": {"methods__card__alphabet": "hex"},
    "less is transformed": {"methods__card__keep": {"first": 4}},
    "another method": {"methods__secret__type": "envelope"},
    "one-way now": {"protect__$.a": {"type": "redact"}},
    "another store": {"stores__main": "sqlite:other.db"},
    "a path is new": {"protect__$.g": "secret"},
    "a path is new whose values nothing marks": {"protect__$.h": "card"},
    "was hashed, is encrypted": {"protect__$.f": "secret"},
    "a field must be there": {"defaults": {"on_missing": "reject"}, "protect__$.z": {"type": "mask"}},
    "read as a whole": {"format": "bytes", "protect": {"$": "secret"}},
}


@pytest.mark.parametrize("name", LOSES)
def test_what_loses_access(run, shop, name):
    (shop / "new.yaml").write_text(policy(**LOSES[name]))
    found = diff(run, code=1)
    assert found["loses"] >= 1, found
    assert not reveals(run, shop)


SAFE = {
    "the same": {},
    "names of keys": {"keys__pii": None, "keys__people": "local:pii", **{f"methods__{name}__key": "people" for name in
                                                                         ("secret", "sealed", "token", "plain")}},
    "names of methods": {"methods__secret": None, "methods__address": BASE["methods"]["secret"], "protect__$.a": "address"},
    "hashes are bound to something else": {"methods__hash__bind": {"domain": "people"}},
    "how long a data key lives": {"methods__sealed__max_age": "1h", "methods__sealed__max_uses": 10},
    "how long a token lives": {"methods__token__ttl": "30d", "methods__token__convergent": True},
    "a path is new, and plain may pass": {"protect__$.g": "secret", "defaults": {"on_plaintext": "pass"}},
    "one-way and new": {"protect__$.g": {"type": "mask"}},
    "another way to hash": {"methods__hash__encoding": "base64url"},
    "what happens to errors": {"defaults": {"on_error": "drop"}},
    "a further key": {"keys__other": "local:other", "methods__more": {"type": "encrypt", "key": "other"}},
}


@pytest.mark.parametrize("name", SAFE)
def test_what_is_safe(run, shop, name):
    (shop / "new.yaml").write_text(policy(**SAFE[name]))
    found = diff(run, code=0)
    assert found["loses"] == found["exposes"] == 0, found
    assert (found["changes"] == []) == (name in ("the same", "names of keys", "names of methods", "a further key"))
    assert reveals(run, shop)


def test_path_that_is_gone_is_lost_and_exposed(run, shop):
    (shop / "new.yaml").write_text(policy(**{"protect__$.a": None}))
    found = diff(run, code=1)
    assert [(c["kind"], c["topic"], c["path"]) for c in found["changes"]] == \
        [("loses", "orders", "$.a"), ("exposes", "orders", "$.a")]
    assert found["changes"][0]["old_line"] > 0 and found["changes"][0]["new_line"] == 0
    assert not reveals(run, shop)
    assert '"Ada"' in run("protect", "-p", "new.yaml", input=json.dumps(RECORD).encode() + b"\n").stdout


def test_path_under_a_wider_one_is_lost_but_not_exposed(run, shop):
    (shop / "old.yaml").write_text(policy(**{"protect": {"$.p.q": "secret"}}))
    (shop / "new.yaml").write_text(policy(**{"protect": {"$.p": "secret"}}))
    found = diff(run, code=1)
    assert found["loses"] == 2 and found["exposes"] == 0


TOPICS = """
version: 1
keys: {{pii: "local:pii", other: "local:other", cards: "local:cards", cards2: "local:cards2"}}
topics:
{}
"""


def entry(match, key="pii", more=""):
    return f"""- match: {match}
  {more}
  protect: {{$.a: {{type: encrypt, key: {key}}}}}
"""


def test_topics(run, shop):
    """Names that either spells out, patterns as they are written, and names that were asked for."""
    (shop / "old.yaml").write_text(TOPICS.format(entry("[exact, gone]") + entry('"shop.*"') + entry("/x\\d+/")))
    (shop / "new.yaml").write_text(TOPICS.format(entry("exact") + entry("shop.special", "other") + entry('"shop.*"') +
                                                 entry("fresh")))
    found = diff(run, code=1)
    kinds = [(c["kind"], c["topic"]) for c in found["changes"]]
    assert kinds == [("loses", "gone"), ("loses", "/x\\d+/"), ("loses", "shop.special"), ("differs", "fresh")]
    asked = diff(run, "-t", "x1", "-t", "shop.y", code=1)
    assert [(c["kind"], c["topic"]) for c in asked["changes"]][-1] == ("loses", "x1")
    assert not any(c["topic"] == "shop.y" for c in asked["changes"])


def test_earlier_entry_that_takes_topics(run, shop):
    """A pattern that is still there loses what an earlier one takes now; one that cannot meet it, or came first before, is none."""
    before, wide, apart = entry('"shop.a*"', "other"), entry('"shop.*"'), entry('"audit.*"', "other")
    narrow = entry('"shop.old.*"', "other")
    for first, rest in ((apart, narrow), (entry('"s*.x"'), ""), ("", narrow)):
        (shop / "old.yaml").write_text(TOPICS.format(before + wide + rest))
        (shop / "new.yaml").write_text(TOPICS.format(before + first + wide + rest))
        assert diff(run, code=0)["changes"] == []
    (shop / "old.yaml").write_text(TOPICS.format(before + wide + narrow))
    for first, rest in ((narrow, ""), (entry('"*"', "other"), narrow), (entry("/.*x/", "other"), narrow)):
        (shop / "new.yaml").write_text(TOPICS.format(before + first + wide + rest))
        found = diff(run, code=1)
        assert [c["kind"] for c in found["changes"]] == ["loses"], found
        assert found["changes"][0]["topic"] in ("shop.old.*", "*", "/.*x/")


def test_field_that_was_not_there(run, shop):
    """on_missing: reject refuses records of before that lack what a new rule is for, or what was removed."""
    must = "defaults: {{on_missing: reject}}\ntopics:"
    text = TOPICS.replace("topics:", must).format("- match: orders\n  protect: {$.a: {type: %s}}\n")
    wider = text.replace("}}\n", "}, $.z: {type: redact}}\n")
    for old, new, code in ((text % "remove", text % "mask", 1), (text % "mask", wider % "mask", 1),
                           (text % "mask", text % "redact", 0), (text % "mask", wider.replace("redact", "remove") % "mask", 0)):
        (shop / "old.yaml").write_text(old)
        (shop / "new.yaml").write_text(new)
        found = diff(run, code=code)
        assert found["loses"] == code, found
        record = run("protect", "-p", "old.yaml", input=b'{"a": "abc"}\n').stdout.encode()
        assert (run("reveal", "-p", "new.yaml", input=record).returncode != 0) == bool(code)


@pytest.mark.parametrize("was, now, more, was_on, now_on", [
    ("key: pii, bind: {domain: a}", "key: pii, bind: {domain: b}", "", "", ""),
    ("key: pii, bind: {record: $.x}", "key: pii, bind: {record: $.y}", "", "", ""),
    ("key: {name: pii, per: $.x}", "key: {name: pii, per: $.y}", "stores: {main: 'sqlite:p.db'}", "", ""),
    ("key: pii", "key: pii", "", "on_plaintext: pass", "on_plaintext: reject"),
    ("key: pii", "key: pii", "", "on_null: keep", "on_null: protect")])
def test_one_thing_that_differs_loses(run, shop, was, now, more, was_on, now_on):
    for name, method, settings in (("old.yaml", was, was_on), ("new.yaml", now, now_on)):
        (shop / name).write_text(TOPICS.format(f"- match: orders\n  {settings}\n"
                                               f"  protect: {{$.a: {{type: envelope, {method}}}}}\n") + more)
    assert diff(run, code=1)["loses"] == 1


def test_transform_that_masked(run, shop):
    """Masked values are not to be decoded, once `one_way` is gone."""
    method = '- match: orders\n  protect: {{$.a: {{type: transform, role: r, one_way: {}}}}}\n'
    (shop / "old.yaml").write_text(TOPICS.format(method.format("true")))
    (shop / "new.yaml").write_text(TOPICS.format(method.format("false")))
    assert diff(run, code=1)["loses"] == 1


def test_keys_headers_and_dead_letters(run, shop):
    more = "on_error: dead_letter\n  dead_letter: {{topic: orders.dead, key: {}}}\n  " \
           "key: {{type: fpe, key: {}}}\n  headers: {{x-customer: {{type: encrypt, key: {}}}}}"
    (shop / "old.yaml").write_text(TOPICS.format(entry("orders", more=more.format("pii", "cards", "pii"))))
    (shop / "new.yaml").write_text(TOPICS.format(entry("orders", more=more.format("other", "cards2", "other"))))
    found = diff(run, code=1)
    assert {(c["topic"], c["path"]) for c in found["changes"] if c["kind"] == "loses"} == \
        {("orders.dead", "$"), ("orders", "key"), ("orders", "header:x-customer")}


def test_text(run, shop):
    (shop / "new.yaml").write_text(policy(**LOSES["another key"]))
    done = run("policy", "diff", "old.yaml", "new.yaml")
    first, last = done.stdout.splitlines()
    assert first.startswith("loses: orders $.a: its key was local:pii and is local:other;")
    assert first.endswith(")") and "(old.yaml:" in first and ", new.yaml:" in first
    assert last == "1 entries compared: 1 changes lose access to old data, 0 leave new data in clear, 0 others"
    assert run("policy", "diff", "-q", "old.yaml", "new.yaml").stdout.count("\n") == 1


def test_bad_policies_and_usage(run, shop):
    (shop / "new.yaml").write_text(policy(**{"methods__secret__type": "encript"}))
    done = run("policy", "diff", "old.yaml", "new.yaml")
    assert done.returncode == 78 and "new.yaml:" in done.stderr and done.stdout == ""
    assert run("policy", "diff", "old.yaml", "none.yaml").returncode == 66
    assert run("policy", "diff", "old.yaml").returncode == 64
