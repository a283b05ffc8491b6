"""`store init` and `store check`: making a store, and looking at all its rows."""
import json
import re
import sqlite3
import stat

import pytest

POLICY = """
version: 1
keys: {pii: local:pii, other: local:other}
stores: {main: "sqlite:keys.db", spare: "sqlite:spare.db"}
topics:
  - match: shop
    protect:
      $.name: {type: envelope, key: {name: pii, per: $.id, store: main}}
  - match: sales
    protect:
      $.name: {type: envelope, key: {name: other, per: $.id, store: main}}
  - match: spare
    protect:
      $.name: {type: envelope, key: {name: pii, per: $.id, store: spare}}
"""
TOKENS = """
version: 1
keys: {pii: local:pii}
stores: {main: "sqlite:tokens.db"}
topics:
  - match: shop
    protect:
      $.mail: {type: token, key: pii, convergent: true}
"""
PEOPLE, FEW = 1200, 9  # more than a page, and less


@pytest.fixture
def store(run, home):
    """A store with people of two keys, one of them forgotten; store(sql, *values) changes it behind the program's back."""
    (home / "p.yaml").write_text(POLICY)
    for key in ("pii", "other"):
        assert run("key", "create", key).returncode == 0
    for topic, people in (("shop", PEOPLE), ("sales", FEW)):
        records = b"".join(b'{"id":%d,"name":"Ann"}\n' % i for i in range(people))
        assert run("protect", "-p", "p.yaml", "-t", topic, input=records).returncode == 0
    assert run("key", "forget", "-p", "p.yaml", "--per", "7", "-t", "shop").returncode == 0

    def sql(text, *values):
        with sqlite3.connect(home / "keys.db") as db:
            return db.execute(text, values).fetchall()

    return sql


def check(run, *args, code=0):
    done = run("store", "check", *args, "--json")
    assert done.returncode == code, done.stderr
    return [item for item in json.loads(done.stdout)["stores"]]


def test_init(run, home):
    for said in ("made", "is there already"):
        done = run("store", "init", "sqlite:new.db")
        assert (done.returncode, done.stdout, done.stderr) == (0, f"sqlite:new.db: {said}\n", "")
    assert stat.S_IMODE((home / "new.db").stat().st_mode) == 0o600
    (home / "p.yaml").write_text(POLICY)
    assert run("store", "init", "-p", "p.yaml", "--store", "spare").stdout == "sqlite:spare.db: made\n"
    assert not (home / "keys.db").exists()
    assert run("store", "init", "-p", "p.yaml").stdout == "sqlite:keys.db: made\nsqlite:spare.db: is there already\n"


@pytest.mark.parametrize("args, code, says", [
    ([], 64, "which store? Name its ADDRESS, or a policy"),
    (["mysql:x"], 64, "a store is sqlite:FILE or postgresql://HOST/NAME"),
    (["sqlite:"], 64, "a file stands after sqlite:"),
    (["sqlite:none.db"], 66, "there is no store ./none.db: what protects makes it, and so does `sealstream store init`"),
    (["sqlite:other.db"], 78, "another program's data base"),
    (["postgresql://127.0.0.1:1/x"], 69, "is not reachable"),
    (["-p", "p.yaml", "--store", "mian"], 64, "the policy has no store mian; did you mean main?"),
    (["-p", "bare.yaml"], 78, "the policy has no stores"),
])
def test_stores_that_are_none(run, home, args, code, says):
    (home / "p.yaml").write_text(POLICY)
    (home / "bare.yaml").write_text("version: 1\nkeys: {}\ntopics: [{match: a, protect: {$.a: {type: remove}}}]\n")
    with sqlite3.connect(home / "other.db") as db:
        db.execute("CREATE TABLE t (a)")
    before = (home / "other.db").read_bytes()
    done = run("store", "check", *args)
    assert done.returncode == code and says in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert not (home / "none.db").exists() and (home / "other.db").read_bytes() == before


def test_a_newer_store(run, store):
    store("PRAGMA user_version = 9")
    for command in ("init", "check"):
        done = run("store", command, "sqlite:keys.db")
        assert done.returncode == 78 and "made by a newer sealstream" in done.stderr
    assert store("PRAGMA user_version") == [(9,)]


def test_a_locked_store(run, home, store):
    """Who writes does not hold up who looks."""
    with sqlite3.connect(home / "keys.db") as db:
        db.execute("BEGIN IMMEDIATE")
        assert check(run, "sqlite:keys.db")[0]["unknown"] == 0


def test_all_is_well(run, store):
    main = check(run, "sqlite:keys.db")[0]
    rows = {"store_keys": 2, "peppers": 2, "counters": 2, "people": PEOPLE - 1 + FEW, "forgotten": 1}
    assert {name: n for name, n in main["rows"].items() if n} == rows
    assert (main["unknown"], main["lost"], main["keys"]) == (0, 0, [])
    assert run("store", "init", "-p", "p.yaml").returncode == 0
    main, spare = check(run, "-p", "p.yaml")
    tokens = {"opened": 0, "bad": 0}
    assert main["keys"] == [{"key": "pii", "people": {"opened": PEOPLE - 1, "bad": 0, "others": FEW}, "tokens": tokens},
                            {"key": "other", "people": {"opened": FEW, "bad": 0, "others": PEOPLE - 1}, "tokens": tokens}]
    assert spare["store"] == "sqlite:spare.db" and sum(spare["rows"].values()) == 0
    text = run("store", "check", "-p", "p.yaml", "--store", "main").stdout
    assert f"sqlite:keys.db: {sum(rows.values())} rows, all as they should be\n" in text
    assert re.search(rf"^key pii:\n  people's keys that open +{PEOPLE - 1}\n", text, re.M)


@pytest.mark.parametrize("change, unknown, lost, bad", [
    ("UPDATE sealstream_row SET value = x'00' WHERE its_a_person", 1, 0, 0),
    ("UPDATE sealstream_row SET value = CAST(value || x'00' AS BLOB) WHERE its_a_person", 1, 0, 0),
    ("UPDATE sealstream_row SET value = CAST(substr(value, 1, 40) || iif(substr(value, 41, 1) = x'00', x'01', x'00') || substr(value, 42) AS BLOB) WHERE its_a_person", 0, 0, 1),
    ("UPDATE sealstream_row SET key = x'00112233445566778899aabbccddeeff' WHERE its_a_person", 0, 0, 1),
    ("DELETE FROM sealstream_row WHERE space = 'keys' AND length(key) = 33", 0, PEOPLE - 1 + FEW + 4, 0),
    ("INSERT INTO sealstream_row VALUES ('keys', x'01', x'02')", 1, 0, 0),
    ("INSERT INTO sealstream_row SELECT 'people', key, value FROM sealstream_row WHERE space = 'keys'", 6, 0, 0),
])
def test_rows_that_were_changed(run, store, change, unknown, lost, bad):
    person = "key = (SELECT min(key) FROM sealstream_row WHERE space = 'people' AND length(value) = 109)"
    store(change.replace("its_a_person", person))
    main = check(run, "sqlite:keys.db", code=1 if unknown + lost else 0)[0]
    assert (main["unknown"], main["lost"]) == (unknown, lost)
    if not lost:
        main = check(run, "-p", "p.yaml", "--store", "main", code=1)[0]
        assert sum(key["people"]["bad"] for key in main["keys"]) == bad
    done = run("store", "check", "-p", "p.yaml", "--store", "main")
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "bring them back from a backup" in done.stderr


def test_looking_changes_nothing(run, store):
    before = store("SELECT space, hex(key), hex(value) FROM sealstream_row")
    assert run("store", "check", "-p", "p.yaml", "--store", "main").returncode == 0
    assert store("SELECT space, hex(key), hex(value) FROM sealstream_row") == before


@pytest.fixture
def tokens(run, home):
    """A store with tokens of a convergent method; tokens(sql) changes it."""
    (home / "p.yaml").write_text(TOKENS)
    assert run("key", "create", "pii").returncode == 0
    lines = b"".join(b'{"mail":"c%d@example.org"}\n' % (i % PEOPLE) for i in range(2 * PEOPLE))
    assert run("protect", "-p", "p.yaml", input=lines).returncode == 0

    def sql(text):
        with sqlite3.connect(home / "tokens.db") as db:
            return db.execute(text).fetchall()

    return sql


def test_tokens(run, tokens):
    main = check(run, "-p", "p.yaml")[0]
    assert main["rows"] == {"store_keys": 1, "peppers": 1, "counters": 1, "people": 0, "forgotten": 0, "tokens": PEOPLE,
                            "fingerprints": PEOPLE, "token_states": 1}
    assert main["keys"] == [{"key": "pii", "people": {"opened": 0, "bad": 0, "others": 0},
                             "tokens": {"opened": PEOPLE, "bad": 0}}]


@pytest.mark.parametrize("change, unknown, lost, bad", [
    ("UPDATE sealstream_row SET value = x'01' WHERE its_a_token", 1, 0, 0),
    ("UPDATE sealstream_row SET value = CAST(x'09' || substr(value, 2) AS BLOB) WHERE its_a_token", 1, 0, 0),
    ("UPDATE sealstream_row SET value = CAST(substr(value, 1, 60) || iif(substr(value, 61, 1) = x'00', x'01', x'00') || substr(value, 62) AS BLOB) WHERE its_a_token", 0, 0, 1),
    ("UPDATE sealstream_row SET key = CAST(substr(key, 1, 40) || iif(substr(key, 41) = x'00', x'01', x'00') AS BLOB) WHERE its_a_token", 0, 0, 1),
    ("UPDATE sealstream_row SET key = CAST(substr(key, 1, 8) || 'x' || substr(key, 10) AS BLOB) WHERE its_a_token", 1, 0, 0),
    ("UPDATE sealstream_row SET key = CAST(substr(key, 1, 9) AS BLOB) WHERE its_a_token", 1, 0, 0),
    ("UPDATE sealstream_row SET key = x'00' WHERE its_a_token", 1, 0, 0),
    ("UPDATE sealstream_row SET value = x'02' WHERE space = 'tokens' AND length(key) = 21", 1, 0, 0),
    ("DELETE FROM sealstream_row WHERE space = 'keys' AND length(key) = 33", 0, 2 * PEOPLE + 2, 0),
])
def test_tokens_that_were_changed(run, tokens, change, unknown, lost, bad):
    tokens(change.replace("its_a_token", "key = (SELECT min(key) FROM sealstream_row WHERE space = 'tokens' AND length(key) = 41)"))
    main = check(run, "sqlite:tokens.db", code=1 if unknown + lost else 0)[0]
    assert (main["unknown"], main["lost"]) == (unknown, lost)
    if bad:
        assert check(run, "-p", "p.yaml", code=1)[0]["keys"][0]["tokens"] == {"opened": PEOPLE - 1, "bad": bad}
