"""`sealstream key forget`: is one person's data gone, everywhere, and only theirs?"""
import json
import pathlib
import sqlite3
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import Program

POLICY = """version: 1
namespace: shop
keys: {{pii: "local:pii", mac: "local:mac"}}
stores: {{main: "sqlite:keys.db", other: "sqlite:other.db"}}
methods:
  own: {{type: envelope, key: {{name: pii, per: $.customer, store: main}}, max_age: {max_age}}}
  also: {{type: envelope, key: {{name: pii, per: $.customer, store: main}}, max_age: {also}, carry: value}}
  order: {{type: envelope, key: {{name: pii, per: $.order, store: {orders}}}}}
  plain: {{type: envelope, key: pii}}
topics:
- match: people
  protect: {{$.name: own, $.mail: also, $.free: plain}}
- match: orders
  protect: {{$.note: order}}
- match: nobody
  protect: {{$.note: plain}}
"""
ANN, BOB = {"customer": "c-1", "name": "Ann", "mail": "ann@example.org", "free": "x"}, {"customer": 2, "name": "Bob", "mail": None}


class People(Program):
    def __init__(self, folder, orders="other", max_age="10m", also="10m"):
        super().__init__(folder)
        self.run("key", "create", "pii")
        self.environment["SEALSTREAM_POLICY"] = str(folder / "policy.yaml")
        (folder / "policy.yaml").write_text(POLICY.format(orders=orders, max_age=max_age, also=also))

    def lines(self, command, *records, topic="people", exit_code=0):
        data = "".join(json.dumps(one) + "\n" for one in records).encode()
        out, said = self.run(command, "-t", topic, input=data, exit_code=exit_code)
        return [json.loads(line) for line in out.splitlines()], said

    def protect(self, *records, **how):
        return self.lines("protect", *records, **how)[0]

    def reveal(self, *records, **how):
        return self.lines("reveal", *records, **how)[0]

    def forget(self, person, *words, exit_code=0, topic="people"):
        out, said = self.run("key", "forget", "--per", person, *(("-t", topic) if topic else ()), *words, exit_code=exit_code)
        return out.decode(), said


@pytest.fixture
def people(tmp_path):
    return People(tmp_path)


def test_one_is_forgotten_the_others_are_not(people):
    ann, bob = people.protect(ANN, BOB)
    assert people.reveal(ann, bob) == [ANN, BOB]
    out, said = people.forget("c-1")
    assert out == "key pii, store main: forgotten; what was protected under this person's key is unreadable for ever\n"
    assert "within 600 s (max_age)" in said and "backups" in said
    assert "c-1" not in out + said
    revealed, said = people.lines("reveal", ann, bob, exit_code=1)
    assert revealed == [BOB]
    assert "stdin:1: $['name']" in said and "forgotten on purpose" in said and "Ann" not in said


def test_no_later_record_makes_a_new_key(people):
    people.protect(ANN)
    people.forget("c-1")
    for _ in range(2):
        protected, said = people.lines("protect", ANN, BOB, exit_code=1)
        assert [one["customer"] for one in protected] == [2]
        assert "forgotten on purpose" in said and "--admit" in said
    out, said = people.forget("c-1")
    assert out == "key pii, store main: forgotten before; nothing has changed\n"


def test_numbers_count_by_their_digits(people):
    people.protect(BOB)
    assert "forgotten;" in people.forget("2")[0]
    assert people.lines("protect", BOB, {**BOB, "customer": "2"}, {**BOB, "customer": 2.0}, exit_code=1)[0][0]["customer"] == 2.0


def test_admitted_anew(tmp_path):
    people = People(tmp_path, max_age="1s", also="1s")
    [old] = people.protect(ANN)
    assert people.forget("c-1", "--admit")[0] == "key pii, store main: this person was not forgotten; nothing has changed\n"
    people.forget("c-1")
    time.sleep(1)
    assert "admitted; the next record makes a new key" in people.forget("c-1", "--admit")[0]
    assert "was not forgotten, and has no key yet" in people.forget("c-1", "--admit")[0]
    [new] = people.protect(ANN)
    assert people.reveal(new) == [ANN]
    said = people.lines("reveal", old, exit_code=1)[1]
    assert "this person has another key now" in said


def test_nobody_is_admitted_too_early(people):
    """A process that still knows the old key would protect under it what nobody could ever read."""
    people.protect(ANN)
    people.forget("c-1")
    out, said = people.forget("c-1", "--admit", exit_code=75)
    assert out == "" and "processes that are running" in said and "(max_age)" in said
    assert people.lines("protect", ANN, exit_code=1)[0] == []


def test_before_the_first_record(people):
    people.protect(BOB)
    out, said = people.forget("c-1")
    assert "had no key; from now on none is made" in out
    assert "warning" in said and "as it stands at $.customer?" in said
    assert people.lines("protect", ANN, exit_code=1)[0] == []


def test_which_kind_of_id_must_be_clear(people):
    people.protect(ANN)
    people.protect({"order": "c-1", "note": "fragile"}, topic="orders")
    said = people.forget("c-1", topic=None, exit_code=64)[1]
    assert "per $.customer and per $.order" in said and "--method or --topic" in said
    assert people.forget("c-1", "--method", "order", topic=None)[0].startswith("key pii, store other: forgotten;")
    assert people.protect(ANN)  # the customer of that number is not the order
    assert people.forget("c-1", "--method", "also", topic=None)[0].startswith("key pii, store main: forgotten;")
    assert people.lines("protect", ANN, exit_code=1)[0] == []  # one key for both methods of a person


@pytest.mark.parametrize("words, code, text", [
    ((), 64, "--per"),
    (("--per", ""), 64, "an id of 1 to 1024 bytes"),
    (("--per", "x" * 1025), 64, "an id of 1 to 1024 bytes"),
    (("--per", "c", "--method", "ownn"), 64, "no method ownn with a key for each person; did you mean own?"),
    (("--per", "c", "--method", "plain"), 64, "no method plain with a key for each person"),
    (("--per", "c", "-t", "nobody"), 64, "this topic has no method with a key for each person"),
    (("--per", "c", "-t", "elsewhere"), 78, "no topic of the policy matches elsewhere"),
    (("--per", "c", "-p", "missing.yaml"), 66, "missing.yaml"),
    (("--per", "c", "-t", "people", "more"), 64, "takes options only"),
])
def test_bad_usage(people, words, code, text):
    assert text in people.run("key", "forget", *words, exit_code=code)[1]


def test_a_policy_is_needed(people):
    del people.environment["SEALSTREAM_POLICY"]
    assert "a policy is needed" in people.run("key", "forget", "--per", "c", exit_code=64)[1]


def test_a_store_that_is_not_there_forgets_nobody(people, tmp_path):
    """An empty one would say yes to everything."""
    said = people.forget("c-1", exit_code=66)[1]
    assert "policy store 'main'" in said
    assert not (tmp_path / "keys.db").exists()


def test_a_key_that_is_away(people, tmp_path):
    people.protect(ANN)
    (tmp_path / "keyring" / "pii.skey").rename(tmp_path / "pii.skey")
    said = people.forget("c-1", exit_code=78)[1]
    assert "policy key 'pii'" in said
    (tmp_path / "pii.skey").rename(tmp_path / "keyring" / "pii.skey")
    assert people.protect(ANN)


def test_a_running_process_obeys_within_max_age(tmp_path):
    people = People(tmp_path, max_age="1s")
    arguments = [people.path, "protect", "-t", "people"]
    with subprocess.Popen(arguments, cwd=tmp_path, env=people.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as stream:
        stream.stdin.write(json.dumps(ANN).encode() + b"\n")
        stream.stdin.flush()
        assert json.loads(stream.stdout.readline())["customer"] == "c-1"
        people.forget("c-1")
        time.sleep(1.2)
        stream.stdin.write(json.dumps(ANN).encode() + b"\n")
        out, said = stream.communicate(timeout=60)
    assert (stream.returncode, out) == (1, b"")
    assert b"forgotten on purpose" in said


def store_keys(folder):
    with sqlite3.connect(folder / "keys.db") as db:
        rows = db.execute("SELECT value FROM sealstream_row WHERE space = 'keys'").fetchall()
    return [row[0][33:] for row in rows if row[0][0] == 3]


def test_store_keys_follow_a_rotation(people, tmp_path):
    """Rewrapped when they are next used, so that the old version can be retired."""
    protected = people.protect(ANN, BOB)
    [before] = store_keys(tmp_path)
    assert before.startswith(b"vault:v1:")
    people.run("key", "rotate", "pii")
    assert people.reveal(*protected) == [ANN, BOB]
    [after] = store_keys(tmp_path)
    assert after.startswith(b"vault:v2:")
    people.run("key", "config", "pii", "--min-decryption-version", "2")
    assert people.reveal({key: protected[1][key] for key in ("customer", "name", "mail")}) == [BOB]


def test_a_store_of_another_policy(people, tmp_path):
    """Another namespace is another policy: its people are others."""
    [ann] = people.protect(ANN)
    policy = (tmp_path / "policy.yaml").read_text()
    (tmp_path / "policy.yaml").write_text(policy.replace("namespace: shop", "namespace: bank"))
    people.protect(ANN)
    assert "forgotten;" in people.forget("c-1")[0]
    (tmp_path / "policy.yaml").write_text(policy)
    assert people.reveal(ann) == [ANN]
