"""Stores in a policy: what the program makes, leaves alone, and says about them."""
import json
import sqlite3
import stat

import pytest

POLICY = """
version: 1
keys: {{pii: local:pii}}
stores: {{main: "{address}"}}
topics:
  - match: shop
    protect:
      $.name: {{type: envelope, key: {{name: pii, per: $.id, store: main}}}}
tests:
  - {{topic: shop, in: {{id: 7, name: Ann}}, out: {{name: {{like: "seal:e1:.*"}}}}, round_trip: true}}
  - {{topic: shop, in: {{name: Ann}}, error: missing}}
"""
RECORDS = b"".join(b'{"id":%d,"name":"Ann %d"}\n' % (i % 7, i) for i in range(100))


@pytest.fixture
def policy(home):
    def write(address="sqlite:keys.db"):
        (home / "p.yaml").write_text(POLICY.format(address=address))
        return "p.yaml"

    return write


@pytest.fixture
def key(run):
    assert run("key", "create", "pii").returncode == 0


def rows(path):
    with sqlite3.connect(path) as db:
        return db.execute("SELECT space, count(*) FROM sealstream_row GROUP BY space ORDER BY space").fetchall()


def test_there_and_back(run, home, policy, key):
    protected = run("protect", "-p", policy(), input=RECORDS)
    assert (protected.returncode, protected.stderr) == (0, "")
    assert protected.stdout.count("seal:e1:") == 100 and "Ann " not in protected.stdout
    path = home / "keys.db"  # starts at the current directory
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert rows(path)[1] == ("people", 7)
    back = run("reveal", "-p", "p.yaml", input=protected.stdout.encode())
    assert (back.returncode, back.stdout.encode()) == (0, RECORDS)
    assert b"Ann " not in path.read_bytes()


def test_a_record_without_its_person(run, policy, key):
    done = run("protect", "-p", policy(), input=b'{"name":"Ann"}\n{"id":null,"name":"Ann"}\n{"id":1,"name":"Ann"}\n')
    assert done.returncode == 1 and done.stdout.count("seal:e1:") == 1
    assert "the value gets the key of $.id, which the record has not" in done.stderr
    assert "$.id says whose key the value gets, and must be text or a number" in done.stderr
    assert "Ann" not in done.stderr


def test_policy_test_leaves_stores_alone(run, home, policy):
    for address in ("sqlite:keys.db", "sqlite:/none/keys.db", "postgresql://127.0.0.1:1/keys"):
        done = run("policy", "test", policy(address))
        assert done.returncode == 0, done.stdout + done.stderr
    assert not (home / "keys.db").exists()
    assert not list((home / "tmp").iterdir())


@pytest.mark.parametrize("address, exit_code, says", [
    ("sqlite:none/keys.db", 73, "whose directory must exist"),
    ("sqlite:other.db", 78, "another program's data base"),
    ("sqlite:text.db", 65, "is damaged"),
    ("sqlite:tmp", 78, "is no file"),
    ("postgresql://127.0.0.1:1/keys", 69, "is not reachable"),
])
def test_stores_that_are_none(run, home, policy, key, address, exit_code, says):
    with sqlite3.connect(home / "other.db") as db:
        db.execute("CREATE TABLE t (a)")
    (home / "text.db").write_text("no data base, whatever its name is, and long enough to be read as one\n" * 20)
    done = run("protect", "-p", policy(address), input=RECORDS)
    assert done.returncode == exit_code, done.stderr
    assert done.stdout == "" and done.stderr.count("\n") == 1
    assert f"policy store 'main' ({address}): " in done.stderr and says in done.stderr


@pytest.mark.parametrize("address", ["postgresql://u:hunter2@h/n", "postgresql://h/n?password=hunter2"])
def test_a_password_in_a_policy(run, policy, address):
    for words in (("policy", "lint"), ("policy", "explain"), ("protect", "-p"), ("doctor", "-p")):
        done = run(*words, policy(address), input=RECORDS)
        assert done.returncode == 78
        assert "a password has no place in a policy" in done.stderr + done.stdout
        assert "hunter2" not in done.stderr + done.stdout


def test_doctor(run, home, policy, key):
    def look(address="sqlite:keys.db"):
        done = run("doctor", "--json", "-p", policy(address))
        return done.returncode, {check["name"]: check for check in json.loads(done.stdout)["checks"]}["store main"]

    code, check = look()
    assert (code, check["status"]) == (0, "ok") and "there is no store" in check["text"]
    assert not (home / "keys.db").exists()
    run("protect", "-p", "p.yaml", input=RECORDS)
    before = rows(home / "keys.db")
    code, check = look()
    assert (code, check["status"], check["text"]) == (0, "ok", "sqlite:keys.db: can be read and written")
    assert rows(home / "keys.db") == before
    code, check = look("postgresql://127.0.0.1:1/keys")
    assert (code, check["status"]) == (1, "fail") and "is not reachable" in check["text"]


def test_inspect_tells_where_the_version_is(run, home, policy, key):
    protected = run("protect", "-p", policy(), input=RECORDS[:RECORDS.index(b"\n") + 1]).stdout.encode()
    out = run("inspect", input=protected).stdout.splitlines()
    assert out[0].startswith("stdin:1: $['name']: envelope of a string, key version in store, ")
    assert out[1:] == ["1 record, 1 of them with protected values; 1 value",
                       "  $['name']: 1 x envelope of a string, key version in store"]
    (line,) = run("inspect", "--versions", input=protected).stdout.splitlines()[2:]
    assert line.split() == ["1", "in", "store", "string", "$['name']"]
    kind = json.loads(run("inspect", "-s", "--json", input=protected).stdout)["kinds"][0]
    assert kind["key_version"] is None


def test_only_protect_makes_a_store(run, home, policy, key):
    protected = run("protect", "-p", policy(), input=RECORDS).stdout.encode()
    policy("sqlite:kyes.db")
    for words in (("reveal", "-p", "p.yaml"), ("rewrap", "-p", "p.yaml"), ("key", "forget", "-p", "p.yaml", "--per", "7"),
                  ("consume", "-p", "p.yaml", "-b", "127.0.0.1:1", "-t", "shop")):
        done = run(*words, input=protected)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (66, "", 1), done.stderr
        assert "policy store 'main'" in done.stderr and "there is no store ./kyes.db: what protects makes it" in done.stderr
        assert not (home / "kyes.db").exists()
    (home / "kyes.db").touch()
    assert "is empty: what protects makes its table" in run("reveal", "-p", "p.yaml", input=protected).stderr
    assert (home / "kyes.db").stat().st_size == 0
    assert run("protect", "-p", "p.yaml", input=RECORDS).returncode == 0
    assert rows(home / "kyes.db")[1] == ("people", 7)


def test_explain_and_schema(run, policy):
    text = run("policy", "explain", policy()).stdout
    assert " pii local:pii, one per $.id in main " in text
    schema = json.loads(run("policy", "schema").stdout)
    assert schema["properties"]["stores"]["additionalProperties"]["pattern"] == "^(sqlite|postgresql):"
    jsonschema, yaml = pytest.importorskip("jsonschema"), pytest.importorskip("yaml")
    good = POLICY.format(address="sqlite:keys.db")
    jsonschema.validate(yaml.safe_load(good), schema)
    for wrong in (good.replace("per: $.id", "pre: $.id"), good.replace("sqlite:", "oracle:"), good.replace("name: pii, ", "")):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(yaml.safe_load(wrong), schema)
