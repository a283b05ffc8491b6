"""rewrap of files, and inspect --versions: what is under an old version of a key moves to the newest, and nothing else."""
import json
import re
import subprocess

import pytest

POLICY = """version: 1
namespace: shop
keys: {pii: "local:pii", cards: "local:cards", log: "local:log"}
methods:
  secret: {type: encrypt, key: pii}
  card: {type: fpe, key: cards, alphabet: digits, keep: {first: 6, last: 4}}
topics:
  - match: purchases
    protect:
      $.Name: secret
      $.Address: secret
      $.free: {type: encrypt, key: pii, bind: none}
      $.credit_card: card
      $.log: {type: hash, key: log}
"""
RECORD = (b'{"Name" : "Ada","Address":{"a":1.10},"free":"x","credit_card":"4111-1111-1111-1111","n":129.90, '
          b'"dup":1,"dup":2}\n')


@pytest.fixture
def shop(shop):
    shop.run("-q", "key", "create", "log", "--type", "hmac")
    shop.policy(POLICY)
    return shop


def rotated(shop, n=1):
    """Records under version 1, when version 2 is the newest."""
    hidden = shop.protect(RECORD * n)
    shop.run("key", "rotate", "pii")
    return hidden


def test_old_values_move_and_nothing_else_does(shop):
    hidden = rotated(shop, 3)
    out, err = shop.run("rewrap", input=hidden)
    assert "9 values rewrapped, 0 were under the newest version already" in err
    assert out.count(b":v2:") == 9 and b":v1:" not in out
    assert out.count(b"json+vault:v2:") == 3
    assert shop.reveal(out) == RECORD * 3

    def without_values(text):
        return re.sub(rb"vault:v\d:[A-Za-z0-9+/=]+", b"#", text)

    assert without_values(out) == without_values(hidden)
    again, err = shop.run("rewrap", input=out)
    assert again == out and "0 values rewrapped, 9 were under the newest version already" in err


def test_it_is_quiet_when_told(shop):
    assert shop.run("-q", "rewrap", input=rotated(shop))[1] == ""


def test_mixed_versions_in_many_workers(shop):
    old = rotated(shop, 2000)
    lines = [line for pair in zip(old.splitlines(True), shop.protect(RECORD * 2000).splitlines(True)) for line in pair]
    out, err = shop.run("rewrap", "-j", "4", input=b"".join(lines))
    assert "6000 values rewrapped, 6000 were" in err
    assert out.splitlines(True)[1::2] == lines[1::2]  # in order, and what was new is what it was
    assert shop.reveal(out) == RECORD * 4000


def test_a_file_is_replaced_when_all_of_it_is_done(shop):
    shop.write("p.ndjson", rotated(shop))
    shop.run("rewrap", "p.ndjson", "-o", "p.ndjson")
    assert b":v2:" in (shop.folder / "p.ndjson").read_bytes()
    done = (shop.folder / "p.ndjson").read_bytes()
    shop.run("key", "rotate", "pii")
    shop.write("p.ndjson", done + b"not json\n")
    shop.run("rewrap", "p.ndjson", "-o", "p.ndjson", "--fail-fast", exit_code=65)
    assert (shop.folder / "p.ndjson").read_bytes() == done + b"not json\n"


def test_envelopes(shop):
    payload = rotated(shop).decode().rstrip()
    line = json.dumps({"topic": "purchases", "key": "k", "ts": 5, "payload": payload}).encode() + b"\n"
    out = shop.run("rewrap", "-J", input=line)[0]
    envelope = json.loads(out)
    assert {**envelope, "payload": 0} == {**json.loads(line), "payload": 0}
    assert shop.reveal((envelope["payload"] + "\n").encode()) == RECORD


@pytest.mark.parametrize("record, why", [
    (b'{"Name":"in clear"}\n', "the value is not protected"), (b"{\n", "byte"),
    (b'{"Name":"vault:v1:AAAA"}\n', "$['Name']"), (b'{"Name":7}\n', "the value is not protected")])
def test_what_cannot_be_revealed_cannot_be_rewrapped(shop, record, why):
    hidden = rotated(shop)
    out, err = shop.run("rewrap", input=record + hidden, exit_code=1)
    assert shop.reveal(out) == RECORD
    assert why in err and "1 of 2 records failed" in err and "in clear" not in err
    moved = b'{"Address":' + re.search(rb'"vault:v1:[^"]+"', hidden).group() + b"}\n"
    assert shop.run("rewrap", input=moved, exit_code=1)[0] == b""


def test_the_old_version_can_be_closed_then(shop):
    hidden = rotated(shop)
    out = shop.run("rewrap", input=hidden)[0]
    shop.run("key", "config", "pii", "--min-decryption-version", "2")
    assert shop.reveal(out) == RECORD
    err = shop.run("reveal", input=hidden, exit_code=1)[1]
    assert "version" in err and "minimum" in err
    shop.run("rewrap", input=hidden, exit_code=1)


@pytest.mark.parametrize("arguments, message", [
    (["file", "--from", "a"], "but not both"), (["-b", "127.0.0.1:1"], "say --from TOPIC"),
    (["--from", "a"], "no broker is named"), (["file", "-c", "3"], "--count is for topics"),
    (["-b", "127.0.0.1:1", "--from", "a", "--to", "a"], "the same topic")])
def test_usage(shop, arguments, message):
    assert message in shop.run("rewrap", *arguments, exit_code=64)[1]


def test_a_policy_is_needed(program):
    for arguments in (["file"], ["-b", "127.0.0.1:1", "--from", "a", "--to", "b"]):
        assert "a policy is needed" in program.run("rewrap", *arguments, exit_code=64)[1]


# ---- inspect --versions ----

def test_versions(shop):
    hidden = rotated(shop, 2) + shop.protect(RECORD) + b'{"Name":"vault:v1:AAAA"}\n{"n":1}\n'
    bare = {"SEALSTREAM_KEYRING": "absent", "SEALSTREAM_POLICY": "absent"}
    out = shop.run("inspect", "--versions", input=hidden, environment=bare)[0].decode().splitlines()
    assert out == [
        "5 records, 4 of them with protected values; 10 values, 1 of them damaged",
        "      values  key version  form    field",
        "           2            1  json    $['Address']",
        "           1            2  json    $['Address']",
        "           2            1  string  $['Name']",
        "           1            2  string  $['Name']",
        "           1      damaged  -       $['Name']",
        "           2            1  string  $['free']",
        "           1            2  string  $['free']",
    ]
    report = json.loads(shop.run("inspect", "--versions", "--json", input=hidden)[0])
    assert report["schema"] == "sealstream.inspect.versions/1"
    assert (report["records"], report["values"], report["damaged"], report["other_paths"]) == (5, 10, 1, 0)
    assert [(v["path"], v.get("key_version"), v.get("value"), v["values"]) for v in report["versions"]] == [
        ("$['Address']", 1, "json", 2), ("$['Address']", 2, "json", 1), ("$['Name']", 1, "string", 2),
        ("$['Name']", 2, "string", 1), ("$['Name']", None, None, 1), ("$['free']", 1, "string", 2),
        ("$['free']", 2, "string", 1)]
    assert report["versions"][4]["method"] is None


def test_versions_of_many_and_of_none(program):
    assert program.run("inspect", "--versions", input=b'{"a":1}\n')[0] == b"1 record, 0 of them with protected values; 0 values\n"
    data = "".join('{"n%d":"vault:v1:AAAA"}\n' % i for i in range(1003)).encode()
    out = program.run("inspect", "--versions", input=data)[0].decode().splitlines()
    assert len(out) == 1003 and out[-1].split() == ["3", "-", "-", "other", "paths"]
    assert json.loads(program.run("inspect", "--versions", "--json", input=data)[0])["other_paths"] == 3


def test_a_topic_is_no_file(program):
    for arguments in (["file"], ["-J"]):
        assert "--topic excludes" in program.run("inspect", "-t", "x", "-b", "127.0.0.1:1", *arguments, exit_code=64)[1]
    assert "no broker is named" in program.run("inspect", "-t", "x", exit_code=64)[1]


def test_in_place_no_record_is_lost(shop):
    """One that fails would be gone for good, with all its other fields."""
    hidden = shop.protect(RECORD * 3)
    held = shop.folder / "held.ndjson"
    first, second, third = hidden.splitlines(keepends=True)
    spoilt = first + second.replace(b"vault:v1:", b"vault:v1:AAAA", 1) + third
    held.write_bytes(spoilt)
    shop.run("key", "rotate", "pii")
    (shop.folder / "link").symlink_to("held.ndjson")
    for name in ("held.ndjson", "link"):
        _, err = shop.run("rewrap", "held.ndjson", "-o", name, exit_code=1)
        assert f"1 of 3 records failed, so {name} stays as it was" in err
    with held.open("rb") as file:
        done = subprocess.run([shop.path, "rewrap", "-o", "held.ndjson"], stdin=file, capture_output=True, cwd=shop.folder,
                              env=shop.environment)
    assert done.returncode == 1 and b"stays as it was" in done.stderr
    assert held.read_bytes() == spoilt
    _, err = shop.run("rewrap", "held.ndjson", "-o", "other.ndjson", exit_code=1)
    assert "failed and was left out" in err and (shop.folder / "other.ndjson").read_bytes().count(b"\n") == 2
    held.write_bytes(hidden)
    shop.run("rewrap", "held.ndjson", "-o", "held.ndjson")
    assert b":v1:" not in held.read_bytes() and held.read_bytes().count(b"\n") == 3
