"""`sealstream key …`: does it do what its help says, and does each failure have its own text and exit code?"""
import base64
import fcntl
import json
import os
import pathlib
import pty
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import Program

POLICY = """version: 1
keys: {pii: "local:pii"}
topics:
- match: t
  protect: {$.a: {type: encrypt, key: pii}}
"""


@pytest.fixture
def sealstream(tmp_path):
    return Program(tmp_path)


def show(sealstream, name):
    return json.loads(sealstream.run("key", "show", name, "--json")[0])


def test_first_use_says_where_the_master_key_lies(sealstream, tmp_path):
    out, said = sealstream.run("key", "create", "pii")
    assert out == b"pii version 1 (aes256-gcm96)\n"
    assert f"{tmp_path}/keyring/master.key" in said and "back it up" in said
    assert (tmp_path / "keyring" / "master.key").stat().st_mode & 0o777 == 0o600
    out, said = sealstream.run("key", "create", "cards", "--type", "ff1")
    assert out == b"cards version 1 (ff1)\n" and said == ""


def test_only_create_and_import_make_a_keyring(sealstream, tmp_path):
    for words in (["list"], ["show", "k"], ["rotate", "k"], ["config", "k", "--auto-rotate", "off"], ["export", "k"],
                  ["destroy", "k", "--yes"]):
        _, said = sealstream.run("key", *words, exit_code=66)
        assert "no keyring at" in said and "key create" in said
        assert not (tmp_path / "keyring").exists()


def test_list(sealstream, tmp_path):
    sealstream.run("key", "create", "b", "--type", "hmac")
    sealstream.run("key", "create", "a")
    lines = sealstream.run("key", "list")[0].decode().splitlines()
    assert lines[0].split() == ["NAME", "TYPE", "LATEST", "MINIMUM", "USES"]
    assert [line.split() for line in lines[1:]] == [["a", "aes256-gcm96", "1", "1", "0"], ["b", "hmac", "1", "1"]]
    listed = json.loads(sealstream.run("key", "list", "--json")[0])
    assert listed["schema"] == "sealstream.keys/1" and listed["keyring"] == str(tmp_path / "keyring")
    assert [key["name"] for key in listed["keys"]] == ["a", "b"]
    (tmp_path / "keyring" / "b.skey").write_bytes(b"SEALKEY\1 not really")
    out, said = sealstream.run("key", "list", exit_code=1)
    assert b"aes256-gcm96" in out and "b.skey" in said and "damaged" in said
    listed = json.loads(sealstream.run("key", "list", "--json", exit_code=1)[0])
    assert listed["keys"][1]["error"]["code"] == "key_file"


def test_show(sealstream):
    sealstream.run("key", "create", "pii", "--exportable")
    shown = show(sealstream, "pii")
    assert shown["schema"] == "sealstream.key/1" and shown["exportable"] and not shown["imported"]
    assert (shown["min_decryption_version"], shown["min_encryption_version"]) == (1, 0)
    assert shown["auto_rotate"] == 2**31 and [v["uses"] for v in shown["versions"]] == [0]
    text = sealstream.run("key", "show", "pii")[0].decode()
    assert "latest version          1\n" in text and "min encryption version  latest\n" in text


def test_rotate(sealstream):
    sealstream.run("key", "create", "pii")
    out, said = sealstream.run("key", "rotate", "pii")
    assert out == b"pii version 2\n" and said == ""
    sealstream.run("key", "create", "cards", "-t", "ff1")
    out, said = sealstream.run("key", "rotate", "cards")
    assert out == b"cards version 2\n" and "`version: 2`" in said and "version 1" in said


def test_a_held_keyring_is_worth_another_try(sealstream):
    sealstream.run("key", "create", "pii")
    folder = pathlib.Path(json.loads(sealstream.run("key", "list", "--json")[0])["keyring"])
    with open(folder / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _, said = sealstream.run("key", "rotate", "pii", exit_code=75)
    assert "held the lock" in said and "try again" in said
    out, _ = sealstream.run("key", "rotate", "pii")
    assert out == b"pii version 2\n"


def test_config(sealstream):
    sealstream.run("key", "create", "pii")
    sealstream.run("key", "rotate", "pii")
    sealstream.run("key", "config", "pii", "--min-decryption-version", 2, "--min-encryption-version", 2,
                   "--deletion-allowed", "true", "--auto-rotate", "off")
    shown = show(sealstream, "pii")
    assert (shown["min_decryption_version"], shown["min_encryption_version"]) == (2, 2)
    assert shown["deletion_allowed"] and shown["auto_rotate"] == 0
    out, _ = sealstream.run("key", "config", "pii", "--min-encryption-version", "latest", "--auto-rotate", 1000)
    assert b"after 1000 encryptions" in out and b"disabled" in out
    for words, text in ((["--min-decryption-version", 3], "1 to 2"), (["--min-decryption-version", 0], "1"),
                        (["--min-encryption-version", "newest"], "or latest"), (["--auto-rotate", 0], "or off"),
                        (["--auto-rotate", 2**32 + 1], "4294967296"), (["--deletion-allowed", "yes"], "true or false"),
                        ([], "nothing to change")):
        _, said = sealstream.run("key", "config", "pii", *words, exit_code=64)
        assert text in said


def test_export_and_import(sealstream, tmp_path):
    sealstream.run("key", "create", "closed")
    _, said = sealstream.run("key", "export", "closed", exit_code=77)
    assert "not exportable" in said
    sealstream.run("key", "create", "open", "--exportable")
    sealstream.run("key", "rotate", "open")
    for version in (1, 2):
        raw, _ = sealstream.run("key", "export", "open", "--version", version, "--format", "raw")
        text, _ = sealstream.run("key", "export", "open", "--version", version)
        assert len(raw) == 32 and base64.b64decode(text) == raw
        (tmp_path / "material").write_bytes(raw)
        out, _ = sealstream.run("key", "import", "copy", "-t", "aes256-gcm96", "--material", "material")
        assert out == b"copy version %d (aes256-gcm96)\n" % version
    assert show(sealstream, "copy")["imported"] and show(sealstream, "copy")["auto_rotate"] == 0
    _, said = sealstream.run("key", "import", "copy", "-t", "aes256-gcm96", "--material", "material", exit_code=73)
    assert "version 2 of key copy has this material already" in said
    _, said = sealstream.run("key", "export", "open", "--version", 3, exit_code=78)
    assert "latest is 2" in said
    (tmp_path / "material").write_bytes(base64.b64encode(raw))
    _, said = sealstream.run("key", "import", "copy", "-t", "aes256-gcm96", "--material", "material", exit_code=65)
    assert "not base64" in said
    sealstream.run("key", "import", "copy", "--material", "material", exit_code=64)
    _, said = sealstream.run("key", "import", "copy", "-t", "hmac", "--material", "away", exit_code=66)
    assert "away" in said


def test_export_is_not_for_terminals(sealstream):
    sealstream.run("key", "create", "open", "--exportable")
    for words, exit_code in (([], 64), (["--yes"], 0)):
        ours, theirs = pty.openpty()
        done = subprocess.run([sealstream.path, "key", "export", "open", *words], env=sealstream.environment,
                              stdout=theirs, stderr=subprocess.PIPE, timeout=60)
        os.close(theirs)
        assert done.returncode == exit_code
        if exit_code == 0:
            assert len(base64.b64decode(os.read(ours, 100))) == 32
        else:
            assert b"--yes" in done.stderr
        os.close(ours)


def test_destroy(sealstream):
    sealstream.run("key", "create", "pii")
    _, said = sealstream.run("key", "destroy", "pii", exit_code=64)
    assert "--yes" in said
    _, said = sealstream.run("key", "destroy", "pii", "--yes", exit_code=77)
    assert "--deletion-allowed true" in said
    sealstream.run("key", "config", "pii", "--deletion-allowed", "true")
    out, _ = sealstream.run("key", "destroy", "pii", "--yes")
    assert out == b"pii destroyed\n"
    sealstream.run("key", "show", "pii", exit_code=78)


def test_names(sealstream, tmp_path):
    for name in ("../pii", ".pii", "a b", "x" * 65, ""):
        _, said = sealstream.run("key", "create", name, exit_code=64)
        assert "not a key name" in said and "1 to 64" in said and not (tmp_path / "keyring").exists()
    sealstream.run("key", "create", "customers")
    _, said = sealstream.run("key", "show", "costumers", exit_code=78)
    assert "did you mean customers?" in said
    sealstream.run("key", "create", "customers", exit_code=73)


def test_master_keys(sealstream, tmp_path):
    master, phrase = tmp_path / "master", tmp_path / "phrase"
    master.write_bytes(os.urandom(32))
    master.chmod(0o644)
    _, said = sealstream.run("key", "create", "k", "--master-key-file", "master", exit_code=77)
    assert "chmod 600" in said
    master.chmod(0o600)
    _, said = sealstream.run("key", "create", "k", "--master-key-file", "master")
    assert said == ""
    _, said = sealstream.run("key", "list", exit_code=77)
    assert "--master-key-file" in said
    sealstream.run("key", "list", environment={"SEALSTREAM_MASTER_KEY_FILE": str(master)})
    master.write_bytes(os.urandom(32))
    _, said = sealstream.run("key", "list", "--master-key-file", "master", exit_code=77)
    assert "not the master key" in said
    phrase.write_bytes(b"correct horse\n")
    phrase.chmod(0o600)
    other = ["--keyring", "other", "--passphrase-file", "phrase"]
    sealstream.run("key", "create", "k", *other)
    sealstream.run("key", "rotate", "k", *other)
    phrase.write_bytes(b"correct house\n")
    _, said = sealstream.run("key", "rotate", "k", *other, exit_code=77)
    assert "passphrase" in said and "house" not in said
    _, said = sealstream.run("key", "list", *other, "--master-key-file", "master", exit_code=64)
    assert "one of them" in said


def test_a_keyring_open_to_others_is_refused(sealstream, tmp_path):
    sealstream.run("key", "create", "k")
    (tmp_path / "keyring").chmod(0o755)
    _, said = sealstream.run("key", "list", exit_code=77)
    assert "chmod 700" in said


def protect(sealstream, records):
    return sealstream.run("protect", "-p", "policy.yaml", "-t", "t",
                          input=b"".join(json.dumps({"a": a}).encode() + b"\n" for a in records))[0]


def test_values_across_rotation_and_minimum(sealstream, tmp_path):
    (tmp_path / "policy.yaml").write_text(POLICY)
    sealstream.run("key", "create", "pii")
    old = protect(sealstream, ["one"])
    assert b"vault:v1:" in old
    sealstream.run("key", "rotate", "pii")
    new = protect(sealstream, ["two"])
    assert b"vault:v2:" in new
    reveal = ["reveal", "-p", "policy.yaml", "-t", "t"]
    revealed = sealstream.run(*reveal, input=old + new)[0]
    assert [json.loads(line)["a"] for line in revealed.splitlines()] == ["one", "two"]
    sealstream.run("key", "config", "pii", "--min-decryption-version", 2)
    out, said = sealstream.run(*reveal, input=old + new, exit_code=1)
    assert b"two" in out and b"one" not in out and "minimum decryption version 2" in said


def test_uses_are_counted_over_runs(sealstream, tmp_path):
    (tmp_path / "policy.yaml").write_text(POLICY)
    sealstream.run("key", "create", "pii")
    for runs in (1, 2, 3):
        protect(sealstream, ["x"] * 100)
        assert show(sealstream, "pii")["versions"][0]["uses"] == runs * 100
    sealstream.run("key", "config", "pii", "--auto-rotate", 300)
    assert b"vault:v2:" in protect(sealstream, ["x"])
    assert [v["uses"] for v in show(sealstream, "pii")["versions"]] == [300, 1]


def test_no_secret_is_ever_said(sealstream, tmp_path):
    raw = bytes(range(1, 33))
    (tmp_path / "material").write_bytes(raw)
    said = []
    for words, exit_code in ((["import", "k", "-t", "hmac", "--material", "material"], 0), (["list"], 0),
                             (["show", "k"], 0), (["show", "k", "--json"], 0), (["export", "k"], 77),
                             (["import", "k", "-t", "hmac", "--material", "material"], 73)):
        out, err = sealstream.run("--log-level", "debug", "key", *words, exit_code=exit_code)
        said += [out, err.encode()]
    master = (tmp_path / "keyring" / "master.key").read_bytes()
    for secret in (raw, master):
        for form in (secret, base64.b64encode(secret), secret.hex().encode()):
            assert form not in b"".join(said)


# ---- references, kinds, copies ----

def test_a_reference_says_which_store(sealstream):
    assert sealstream.run("key", "create", "local:pii")[0] == b"local:pii version 1 (aes256-gcm96)\n"
    assert sealstream.run("key", "rotate", "pii")[0] == b"pii version 2\n"
    assert show(sealstream, "local:pii") == show(sealstream, "pii")
    assert show(sealstream, "local:pii")["name"] == "pii"
    for store in ("local", "local:"):
        assert sealstream.run("key", "list", store) == sealstream.run("key", "list")
    for words, text in ((["show", "locla:pii"], "did you mean local?"), (["show", "file:pii"], "there are local, vault"),
                        (["list", "local:sub"], "no folders"), (["show", "local:a:b"], "not a key name"),
                        (["show", ":pii"], "no store"), (["create", "local:"], "not a key name"),
                        (["config", "pii", "--exportable", "true"], "decided when it is made")):
        _, said = sealstream.run("key", *words, exit_code=64)
        assert text in said


def test_kinds(sealstream):
    for type_ in ("aes256-gcm96", "aes128-gcm96", "chacha20-poly1305", "xchacha20-poly1305"):
        out, _ = sealstream.run("key", "create", f"{type_}-d", "--type", type_, "--derived")
        assert out == f"{type_}-d version 1 ({type_}, derived)\n".encode()
        out, _ = sealstream.run("key", "create", f"{type_}-c", "--type", type_, "--convergent")
        assert out == f"{type_}-c version 1 ({type_}, convergent)\n".encode()
        shown = show(sealstream, f"{type_}-c")
        assert shown["derived"] and shown["convergent"] and shown["auto_rotate"] == 0
        assert "derived                 yes, and convergent" in sealstream.run("key", "show", f"{type_}-c")[0].decode()
    assert "derived" not in sealstream.run("key", "create", "plain")[0].decode() + json.dumps(show(sealstream, "plain"))
    for type_ in ("ff1", "hmac"):
        _, said = sealstream.run("key", "create", "x", "--type", type_, "--derived", exit_code=78)
        assert "cannot be derived" in said
    _, said = sealstream.run("key", "config", "aes256-gcm96-c", "--auto-rotate", 5, exit_code=78)
    assert "convergent and cannot rotate itself" in said


def test_an_older_program_says_what_it_does_not_know(sealstream, tmp_path):
    """It reads format 1 alone; the text is the one that 0.1.0 had for any other format."""
    sealstream.run("key", "create", "new", "--derived")
    sealstream.run("key", "create", "old")
    folder = tmp_path / "keyring"
    assert (folder / "old.skey").read_bytes()[7] == 1 and (folder / "new.skey").read_bytes()[7] == 2
    (folder / "new.skey").write_bytes(b"SEALKEY\x03" + (folder / "new.skey").read_bytes()[8:])
    _, said = sealstream.run("key", "show", "new", exit_code=65)
    assert "key file format 3 is not known here" in said and "or a newer one" in said


def test_copies(sealstream, tmp_path):
    for name, words in (("aes", []), ("ff1", ["--type", "ff1"]), ("mac", ["--type", "hmac"]), ("con", ["--convergent"]),
                        ("xc", ["--type", "xchacha20-poly1305", "--derived"])):
        sealstream.run("key", "create", name, *words, "--exportable")
        sealstream.run("key", "rotate", name)
        copy = f"{name}-copy"
        out, _ = sealstream.run("key", "copy", name, f"local:{copy}", "--exportable")
        assert out.decode().splitlines() == [
            f"{name} version 1 -> local:{copy} version 1", f"{name} version 2 -> local:{copy} version 2",
            f"local:{copy}: 2 of 2 versions copied, 0 there already"]
        for version in (1, 2):
            assert sealstream.run("key", "export", name, "--version", version) == \
                sealstream.run("key", "export", copy, "--version", version)
        assert show(sealstream, copy).get("convergent", False) == (name == "con")
        sealstream.run("key", "rotate", name)
        assert b"1 of 3 versions copied, 2 there" in sealstream.run("key", "copy", name, copy)[0]
        assert b"0 of 3 versions copied, 3 there" in sealstream.run("key", "copy", name, copy)[0]
        _, said = sealstream.run("key", "copy", copy, f"{copy}-again", "--unwrapped", exit_code=64)
        assert "--unwrapped is for" in said
    for words, text, code in ((["ff1", "mac"], "with type hmac instead of ff1", 73), (["aes", "con"], "it is convergent", 73),
                              (["gone", "x"], "no key gone", 78), (["aes", "../x"], "not a key name", 64),
                              (["aes", "x", "--hmac"], "no HMAC key beside", 64)):
        _, said = sealstream.run("key", "copy", *words, exit_code=code)
        assert text in said
    sealstream.run("key", "create", "other", "--exportable")
    _, said = sealstream.run("key", "copy", "aes", "other", exit_code=73)
    assert "another key" in said and len(show(sealstream, "other")["versions"]) == 1
    sealstream.run("key", "config", "aes", "--min-decryption-version", 2)
    _, said = sealstream.run("key", "copy", "aes", "x", exit_code=77)
    assert "versions below 2 of aes cannot be exported" in said
    sealstream.run("key", "show", "x", exit_code=78)


def test_a_copy_that_died_goes_on(sealstream, tmp_path):
    sealstream.run("key", "create", "aes", "--exportable")
    for _ in range(30):
        sealstream.run("key", "rotate", "aes")
    process = sealstream.start("key", "copy", "aes", "copy", stdout=subprocess.PIPE)
    for _ in range(5):
        process.stdout.readline()
    process.kill()
    process.wait()
    there = len(show(sealstream, "copy")["versions"])
    assert 5 <= there
    out, _ = sealstream.run("key", "copy", "aes", "copy")
    assert f"copy: {31 - there} of 31 versions copied, {there} there already" in out.decode()
