"""`sealstream token …`, `store rekey`: are tokens found, counted, taken away, moved; and is nothing shown or lost by it?"""
import json
import os
import pathlib
import re
import signal
import sqlite3
import stat
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import Program

POLICY = """version: 1
namespace: shop
keys: {{pii: "local:pii", other: "local:other"}}
stores: {{main: "sqlite:tokens.db"}}
methods:
  name: {{type: token, key: pii, ttl: {ttl}, metadata: "purpose=billing,team=web"}}
  card: {{type: token, key: pii, shape: keep, keep: {{first: 6, last: 4}}, convergent: true, bind: {{domain: card}}}}
  number: {{type: token, key: pii, shape: keep, bind: {{record: $.id}}}}
  far: {{type: token, key: other}}
topics:
- match: orders
  protect: {{$.name: name, $.card: card, $.number: number, $.any: {{type: token, key: pii}}}}
- match: elsewhere
  protect: {{$.name: far}}
- match: nothing
  protect: {{$.name: {{type: redact}}}}
"""
ZOE = {"id": 1, "name": "Zoe Quist", "card": "4111-1111-1111-1111", "number": 12345678, "any": {"x": [1.10]}}
BOB = {"id": 2, "name": "Bob", "card": "4111-1111-1111-1111"}


class Tokens(Program):
    def __init__(self, folder, ttl="400d", text=None):
        super().__init__(folder)
        self.run("-q", "key", "create", "pii")
        self.run("-q", "key", "create", "other")
        self.environment["SEALSTREAM_POLICY"] = str(folder / "policy.yaml")
        self.write(ttl, text)

    def write(self, ttl, text=None):
        (self.folder / "policy.yaml").write_text((text or POLICY).format(ttl=ttl))

    def lines(self, command, *records, topic="orders", exit_code=0):
        data = "".join(json.dumps(one) + "\n" for one in records).encode()
        out, said = self.run(command, "-t", topic, input=data, exit_code=exit_code)
        return [json.loads(line) for line in out.splitlines()], said

    def protect(self, *records, **how):
        return self.lines("protect", *records, **how)[0]

    def reveal(self, *records, **how):
        return self.lines("reveal", *records, **how)[0]

    def token(self, *words, exit_code=0, **how):
        out, said = self.run("token", *words, exit_code=exit_code, **how)
        return out.decode(), said


@pytest.fixture
def tokens(tmp_path):
    return Tokens(tmp_path)


def test_values_become_tokens_and_come_back(tokens):
    zoe, bob = tokens.protect(ZOE, BOB)
    assert zoe["name"].startswith("seal:t1:") and len(zoe["name"]) == 30
    assert zoe["any"].startswith("json+seal:t1:")
    assert zoe["card"] == bob["card"] != ZOE["card"] and zoe["card"][:7] == "4111-11" and zoe["card"][-5:] == "-1111"
    assert 10**7 <= zoe["number"] < 10**8 and zoe["number"] != ZOE["number"]
    assert tokens.reveal(zoe, bob) == [ZOE, BOB]
    assert tokens.reveal(bob, zoe) == [BOB, ZOE]


def test_the_store_has_no_plaintext(tokens):
    policy = tokens.folder / "policy.yaml"
    policy.write_text(policy.read_text().replace("namespace: shop", "namespace: shop-of-zoe").replace("domain: card", "domain: card-numbers"))
    tokens.protect(ZOE, BOB)
    content = b"".join(path.read_bytes() for path in tokens.folder.glob("tokens.db*"))
    assert len(content) > 4096
    content = re.sub(rb"vault:v\d+:[A-Za-z0-9+/]+", b"", content)  # wrapped keys: their base64 may spell a short word by chance
    for word in (b"Zoe Quist", b"4111-11", b"411111", b"12345678", b"billing", b"card-numbers", b"shop-of-zoe", b"seal:t1"):
        assert word not in content, word
    assert stat.S_IMODE((tokens.folder / "tokens.db").stat().st_mode) == 0o600


def test_lookup(tokens):
    zoe, _ = tokens.protect(ZOE, BOB)
    out, _ = tokens.token("lookup", zoe["name"], zoe["any"], zoe["card"], str(zoe["number"]))
    assert "Zoe Quist" not in out and "4111-1111" not in out and "12345678" not in out
    for text in ("$['name'] of namespace \"shop\"", "domain card of", "$['number'] and another field", "purpose=billing,team=web",
                 "convergent  yes", "expires     never", "store       main, under key pii"):
        assert text in out, text
    out, _ = tokens.token("lookup", zoe["name"], zoe["card"], str(zoe["number"]), "--value", "--json")
    found = json.loads(out)
    assert found["schema"] == "sealstream.tokens/1" and found["missing"] == 0
    assert [one["value"] for one in found["tokens"]] == ["Zoe Quist", ZOE["card"], str(ZOE["number"])]
    assert [one["shaped"] for one in found["tokens"]] == [False, True, True]


@pytest.mark.parametrize("token, code, says", [
    ("seal:t1:AAECAwQFBgcICQoLDA0ODw", 1, "the store has no such token"),
    ("4111-1112-3456-1111", 1, "the store has no such token"),
    ("vault:v1:AAAA", 65, "is not a token"),
    ("seal:t1:AAECAwQFBgcICQoLDA0ODx", 65, "is not a token"),
])
def test_lookup_of_what_is_none(tokens, token, code, says):
    tokens.protect(ZOE)
    out, said = tokens.token("lookup", token, "--method", "name", exit_code=code)
    assert says in said and out == ""


def test_choice_of_methods(tokens):
    tokens.protect({"name": "Far"}, topic="elsewhere")
    out, _ = tokens.token("stats", "--method", "far")
    assert out.startswith("key other, store main: 1 token\n")
    out, _ = tokens.token("stats", "-t", "orders")
    assert out == "key pii, store main: 0 tokens\n"
    out, _ = tokens.token("stats")
    assert "key pii, store main: 0 tokens\n" in out and "key other, store main: 1 token\n" in out
    assert "did you mean card?" in tokens.token("stats", "--method", "crad", exit_code=64)[1]
    assert "this topic has no method of type token, so it has no tokens" in tokens.token("stats", "-t", "nothing", exit_code=64)[1]
    assert "say which with --method" in tokens.token("export", "--yes", exit_code=64)[1]


def test_stats(tokens):
    tokens.protect(ZOE, BOB)
    out, _ = tokens.token("stats", "--json", "--method", "name")
    stats = json.loads(out)
    one = stats["stores"][0]
    assert stats["schema"] == "sealstream.tokens.stats/1" and stats["damaged"] == 0
    assert (one["tokens"], one["convergent"], one["shaped"], one["expired"], one["left_over"]) == (5, 1, 2, 0, 0)
    assert {place["bound_to"]: place["tokens"] for place in one["places"]} == {
        "$['name'] of namespace \"shop\"": 2, "domain card of namespace \"shop\"": 1,
        "$['number'] and another field of namespace \"shop\"": 1, "$['any'] of namespace \"shop\"": 1}
    out, _ = tokens.token("stats", "--method", "name")
    assert "Zoe Quist" not in out and "5 tokens" in out


def test_no_store_is_made_by_looking(tokens):
    for words in (("stats",), ("lookup", "seal:t1:AAECAwQFBgcICQoLDA0ODw"), ("purge",), ("export", "--yes", "--method", "name")):
        tokens.token(*words, exit_code=66)
    tokens.run("store", "rekey", exit_code=66)
    assert not (tokens.folder / "tokens.db").exists()


def test_expiry_and_purge(tmp_path):
    tokens = Tokens(tmp_path, ttl="1h")
    assert tokens.reveal(*tokens.protect(BOB)) == [BOB]
    assert "0 of 2 tokens taken away" in tokens.token("purge", "--method", "name")[0]
    tokens.token("purge", "--also-live", "--yes", "--method", "name")
    tokens.write(ttl="1s")
    zoe, = tokens.protect(ZOE)
    time.sleep(1.2)
    revealed, said = tokens.lines("reveal", zoe, exit_code=1)
    assert revealed == [] and "has expired" in said and "Zoe Quist" not in said
    assert "(expired)" in tokens.token("lookup", zoe["name"])[0]
    assert "1 of 4 tokens would be taken away" in tokens.token("purge", "--dry-run", "--method", "name")[0]
    assert "1 of 4 tokens taken away" in tokens.token("purge", "--method", "name")[0]
    assert "0 of 3 tokens taken away" in tokens.token("purge", "--method", "name")[0]
    tokens.token("lookup", zoe["name"], exit_code=1)
    del zoe["name"]
    assert tokens.reveal(zoe)[0]["card"] == ZOE["card"]


def test_purge_of_what_lives(tokens):
    zoe, bob = tokens.protect(ZOE, BOB)
    said = tokens.token("purge", "--also-live", exit_code=64)[1]
    assert "can never be revealed" in said
    assert tokens.reveal(zoe, bob) == [ZOE, BOB]
    assert "--metadata takes one part" in tokens.token("purge", "--metadata", "a=b,c=d", exit_code=64)[1]
    assert "0 of 5" in tokens.token("purge", "--also-live", "--yes", "--metadata", "purpose=bill", "--method", "name")[0]
    assert "0 of 5" in tokens.token("purge", "--also-live", "--yes", "--older-than", "1h", "--method", "name")[0]
    assert "2 of 5" in tokens.token("purge", "--also-live", "--yes", "--metadata", "team=web", "--method", "name")[0]
    revealed, said = tokens.lines("reveal", zoe, bob, exit_code=1)
    assert revealed == [] and "was purged" in said
    assert "3 of 3" in tokens.token("purge", "--also-live", "--yes", "--method", "name")[0]
    cards = [{"id": 3, "card": f"4111-11{i:02}-0000-1111"} for i in range(9)]  # six digits that are drawn may be the same once
    before = tokens.protect(*cards)
    assert tokens.protect(*cards) == before
    tokens.token("purge", "--also-live", "--yes", "--method", "name")
    assert tokens.protect(*cards) != before  # the fingerprints went, too


def test_export_and_import(tokens, tmp_path):
    zoe, bob = tokens.protect(ZOE, BOB)
    out, said = tokens.token("export", "--method", "name", exit_code=64)
    assert out == "" and "in clear" in said
    out, said = tokens.token("export", "--method", "name", "--yes")
    lines = [json.loads(line) for line in out.splitlines()]
    assert {line["value"] for line in lines} == {"Zoe Quist", "Bob", ZOE["card"], "12345678", '{"x": [1.1]}'}
    assert {line["kind"] for line in lines} == {"string", "json"}
    tokens.token("export", "--method", "name", "--yes", "-o", "x.ndjson")
    assert stat.S_IMODE((tmp_path / "x.ndjson").stat().st_mode) == 0o600
    assert (tmp_path / "x.ndjson").read_text() == out
    tokens.token("export", "--method", "name", "--yes", "-o", "x.ndjson", exit_code=73)  # never over another file

    (tmp_path / "tokens.db").rename(tmp_path / "old.db")
    assert "5 added, 0 there already, 0 failed" in tokens.token("import", "x.ndjson", "--method", "name")[0]
    assert tokens.reveal(zoe, bob) == [ZOE, BOB]
    assert tokens.protect(BOB)[0]["card"] == bob["card"]
    assert "0 added, 5 there already, 0 failed" in tokens.token("import", "--method", "card", input=out.encode())[0]


@pytest.mark.parametrize("line, says", [
    ("{", "byte 1"),
    ("[1]", "do not have"),
    ('{"token":"seal:t1:AAECAwQFBgcICQoLDA0ODw"}', "a token needs"),
    ('{"token":"seal:t1:AAECAwQFBgcICQoLDA0ODx","kind":"string","value":"x"}', "token must be"),
    ('{"token":"4111","kind":"string","value":"x"}', "where 'shaped' is not there"),
    ('{"token":"4111","kind":"string","value":"x","shaped":"01"}', "16 hexadecimal digits"),
    ('{"token":"seal:t1:AAECAwQFBgcICQoLDA0ODw","kind":"text","value":"x"}', "kind must be"),
    ('{"token":"seal:t1:AAECAwQFBgcICQoLDA0ODw","kind":"string","value":7}', "value must be text"),
    ('{"token":"seal:t1:AAECAwQFBgcICQoLDA0ODw","kind":"string","value":"x","value_base64":""}', "one of value and value_base64"),
    ('{"token":"seal:t1:AAECAwQFBgcICQoLDA0ODw","kind":"string","value_base64":"="}', "base64url"),
    ('{"token":"seal:t1:AAECAwQFBgcICQoLDA0ODw","kind":"string","value":"x","created_ms":-1}', "milliseconds"),
    ('{"token":"seal:t1:AAECAwQFBgcICQoLDA0ODw","kind":"string","value":"x","convergent":1}', "true or false"),
    ('{"token":"seal:t1:AAECAwQFBgcICQoLDA0ODw","kind":"string","value":"x","kind":"string"}', "there once"),
    ('{"token":"seal:t1:AAECAwQFBgcICQoLDA0ODw","kind":"string","value":"x","more":1}', "do not have"),
    ('{"token":"seal:t1:AAECAwQFBgcICQoLDA0ODw","kind":"string","value":"x","metadata":"a=b\\n  value  y"}', "metadata must be"),
    ('{"token":"seal:t1:AAECAwQFBgcICQoLDA0ODw","kind":"string","value":"x","metadata":"billing"}', "metadata must be"),
])
def test_import_of_bad_lines(tokens, line, says):
    good = '{"token":"seal:t1:BBECAwQFBgcICQoLDA0ODw","kind":"string","value":"secret"}'
    out, said = tokens.token("import", "--method", "name", input=(line + "\n" + good + "\n").encode(), exit_code=1)
    assert out == "1 added, 0 there already, 1 failed\n"
    assert "stdin:1: " in said and says in said and "secret" not in said and "stdin:2" not in said


def test_import_of_another_value_under_a_token_that_is_there(tokens):
    first = '{"token":"seal:t1:BBECAwQFBgcICQoLDA0ODw","kind":"string","value":"secret"}\n'
    tokens.token("import", "--method", "name", input=first.encode())
    other = first.replace("secret", "others")
    out, said = tokens.token("import", "--method", "name", input=(first + other).encode(), exit_code=1)
    assert out == "0 added, 1 there already, 1 failed\n" and "here already" in said and "others" not in said


def test_rekey(tokens):
    zoe, bob = tokens.protect(ZOE, BOB)
    with sqlite3.connect(tokens.folder / "tokens.db") as db:
        before = set(db.execute("select value from sealstream_row"))
    out, _ = tokens.run("store", "rekey", "--method", "name")
    assert out == b"key pii, store main: 5 tokens moved; the old keys are gone\n"
    with sqlite3.connect(tokens.folder / "tokens.db") as db:
        assert not before & set(db.execute("select value from sealstream_row"))
    assert tokens.reveal(zoe, bob) == [ZOE, BOB]
    assert tokens.protect(BOB)[0]["card"] == bob["card"]
    content = b"".join(path.read_bytes() for path in tokens.folder.glob("tokens.db*"))
    assert not [value for value, in before if len(value) > 80 and b"vault:v1:" in value and value in content]  # wrapped store keys
    out, _ = tokens.run("store", "rekey")
    assert out.decode().splitlines() == ["key pii, store main: 6 tokens moved; the old keys are gone",
                                         "key other, store main: 0 tokens moved; the old keys are gone"]


def test_rekey_that_is_killed_and_goes_on(tokens):
    records = [{"id": i, "name": f"n{i}", "card": f"4111-11{i:02}-{i:04}-1111"} for i in range(3000)]
    made = tokens.protect(*records)
    command = [str(tokens.path), "store", "rekey", "--method", "name"]
    for delay in (0.02, 0.05, 0.1, 0.2):
        child = subprocess.Popen(command, cwd=tokens.folder, env=tokens.environment, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert tokens.reveal(*made[::100]) == records[::100]
    tokens.run("store", "rekey", "--method", "name")
    stats = json.loads(tokens.token("stats", "--json", "--method", "name")[0])["stores"][0]
    assert (stats["tokens"], stats["left_over"]) == (6000, 0)
    assert tokens.reveal(*made) == records
    assert [one["card"] for one in tokens.protect(*records)] == [one["card"] for one in made]


def test_rekey_under_load(tokens):
    """Others protect and reveal while two rekeys run at once: nothing is lost, and equal values stay equal."""
    cards = [{"id": 1, "card": f"4111-11{i % 100:02}-{i:04}-1111"} for i in range(1500)]
    made = tokens.protect(*cards)
    command = [str(tokens.path), "store", "rekey", "--method", "name"]
    children = [subprocess.Popen(command, cwd=tokens.folder, env=tokens.environment, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT) for _ in range(2)]
    runs = 0
    while runs < 3 or any(child.poll() is None for child in children):
        new = {"id": 1, "name": f"new {runs}", "card": cards[runs]["card"]}
        again, = tokens.protect(new)
        assert again["card"] == made[runs]["card"]
        assert tokens.reveal(again) == [new]
        runs += 1
    for child in children:
        out, _ = child.communicate()
        assert child.returncode == 0, out
    assert tokens.protect(*cards) == made
    assert tokens.reveal(*made) == cards


def test_damaged_rows_are_told(tokens):
    zoe, bob = tokens.protect(ZOE, BOB)
    with sqlite3.connect(tokens.folder / "tokens.db") as db:
        key, value = db.execute("select key, value from sealstream_row where space = 'tokens' and substr(hex(key), 17, 2) = '74' "
                                "order by length(value) desc, key limit 1").fetchone()
        db.execute("update sealstream_row set value = ? where key = ?", (value[:-1] + bytes([value[-1] ^ 1]), key))
    out, said = tokens.token("stats", "--json", "--method", "name", exit_code=1)
    assert json.loads(out)["damaged"] == 1 and json.loads(out)["stores"][0]["tokens"] == 4
    assert "1 row of the store is damaged" in said
    out, said = tokens.run("store", "rekey", "--method", "name", exit_code=65)
    assert "1 row of the store cannot be read, so the old keys must stay" in said
    with sqlite3.connect(tokens.folder / "tokens.db") as db:
        db.execute("update sealstream_row set value = ? where key = ?", (value, key))
    tokens.run("store", "rekey", "--method", "name")
    assert tokens.reveal(zoe, bob) == [ZOE, BOB]


def test_another_key_or_namespace_knows_nothing(tokens):
    zoe, = tokens.protect(ZOE)
    text = (tokens.folder / "policy.yaml").read_text()
    for change in (("namespace: shop", "namespace: other"), ('pii: "local:pii"', 'pii: "local:other"')):
        (tokens.folder / "policy.yaml").write_text(text.replace(*change))
        revealed, said = tokens.lines("reveal", zoe, exit_code=1)
        assert revealed == [] and "no tokens of this policy's key and namespace" in said


def test_a_full_disk_fails_closed(tokens):
    tokens.protect(BOB)
    size = (tokens.folder / "tokens.db").stat().st_size
    records = [{"id": i, "name": "x" * 5000} for i in range(200)]
    data = "".join(json.dumps(one) + "\n" for one in records).encode()

    def limit():
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100000, size + 100000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    done = subprocess.run([str(tokens.path), "protect", "-t", "orders", "--retry-for", "1s"], input=data, cwd=tokens.folder,
                          env=tokens.environment, capture_output=True, preexec_fn=limit, check=False)
    assert done.returncode in (69, 74, 75), done.stderr
    assert b"xxxx" not in done.stdout + done.stderr
    for line in done.stdout.splitlines():
        assert json.loads(line)["name"].startswith("seal:t1:")
    made = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["name"] for one in tokens.reveal(*made)] == ["x" * 5000] * len(made)
    assert os.path.exists(tokens.folder / "tokens.db")
