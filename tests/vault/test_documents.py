"""README.md and docs/VAULT.md do what they say: their blocks run, their policies are enough, and none of their lines is too much."""
import os
import pathlib
import re
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from documents import FILES, ROOT, blocks, policies, run_blocks  # noqa: E402
from double import Double  # noqa: E402
from program import Program  # noqa: E402

PROGRAM = pathlib.Path(os.environ.get("SEALSTREAM", ROOT / "build" / "sealstream")).resolve()
RECORD = b'{"Address":"1 High St","Name":"Ada"}\n'


@pytest.fixture
def tools(tmp_path):
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("vault", "bao"):
        (folder / name).write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/tests/vault/server_cli.py "$@"\n')
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize("name", FILES)
def test_blocks_run(name, tmp_path, tools, certificates):
    assert blocks(name)
    folder = tmp_path / "work"
    folder.mkdir()
    with Double(tls=certificates, mounts=()) as double:
        run_blocks(name, folder, PROGRAM, tools, double.environment())


# ---- policies ----

KEYS = """version: 1
keys: {k: "vault:%s/%s"}
topics: [{match: t, protect: {$.Address: {type: %s, key: k, bind: %s}}}]
"""


class Client:
    """The program with a policy file, under a token that may do what `rules` say."""

    def __init__(self, folder, vault):
        self.vault, self.program = vault, Program(folder)
        self.root = vault.environment()
        for name, options in (("pii", {}), ("names", {"type": "hmac", "key_size": 32})):
            vault.api("POST", f"transit/keys/{name}", options)
        self.n = 0

    def write(self, key="pii", method="encrypt", bind="place", mount="transit"):
        (self.program.folder / "policy.yaml").write_text(KEYS % (mount, key, method, bind))

    def environment(self, rules):
        if rules is None:
            return self.root
        self.n += 1
        self.vault.api("POST", f"sys/policies/acl/it-{self.n}", {"policy": rules})
        token = self.vault.api("POST", "auth/token/create", {"policies": [f"it-{self.n}"]})["auth"]["client_token"]
        return self.root | {"VAULT_TOKEN": token}

    def run(self, *arguments, rules=None, **options):
        return self.program.run(*arguments, environment=self.environment(rules), timeout=60, **options)

    def attempt(self, *arguments, rules):
        """The finished process, however it ended."""
        process = self.program.start(*arguments, environment=self.environment(rules), stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def transform(self, command, data, rules=None, **options):
        return self.run(command, "-p", "policy.yaml", input=data, rules=rules, **options)[0]


@pytest.fixture
def client(tmp_path, vault):
    return Client(tmp_path, vault)


def without_each_line(rules):
    """(line left out, the rest) for each line."""
    lines = rules.strip().splitlines()
    assert lines and all(line.startswith("path ") for line in lines)
    for i, line in enumerate(lines):
        yield line, "\n".join(lines[:i] + lines[i + 1:]) + "\n"


def is_named(line, err):
    """The refusal names a path that the line would have granted."""
    path = re.match(r'path "([^"]+)"', line)[1]
    named = re.search(r'path "([^"]+)" { capabilities = \["', err)
    return named and re.fullmatch(re.escape(path).replace(r"\+", "[^/]+").replace(r"\*", ".*"), named[1])


def is_just_enough(client, rules, work):
    """`work(rules)` is done under all of the lines, and refused without any one of them, by the name of that line."""
    work(rules, 0)
    for line, rest in without_each_line(rules):
        err = work(rest, 77)
        assert is_named(line, err), err


@pytest.mark.parametrize("name, command", [("producer", "protect"), ("consumer", "reveal"), ("rewrap-bound", "rewrap")])
def test_policies_of_streams(client, name, command):
    client.write()
    data = RECORD if command == "protect" else client.transform("protect", RECORD)
    client.vault.api("POST", "transit/keys/pii/rotate", {})
    is_just_enough(client, policies()[name],
                   lambda rules, code: client.run(command, "-p", "policy.yaml", input=data, rules=rules, exit_code=code)[1])


def test_policy_of_data_keys(client):
    """`file protect` asks for a data key; `file reveal` for what every consumer may."""
    (client.program.folder / "x").write_bytes(RECORD)
    key = ["--key", "vault:transit/pii"]
    is_just_enough(client, policies()["data-keys"], lambda rules, code: client.run(
        "file", "protect", *key, "--force", "x", rules=rules, exit_code=code)[1])
    is_just_enough(client, policies()["consumer"], lambda rules, code: client.run(
        "file", "reveal", *key, "-o", "-", "x.seal", rules=rules, exit_code=code)[1])
    assert client.run("file", "reveal", *key, "-o", "-", "x.seal", rules=policies()["consumer"])[0] == RECORD


def test_policy_of_data_keys_for_fields(client):
    """`envelope` asks for the same; with a key for each person a second run reads the store's own key, which is decrypted."""
    client.write(method="envelope")
    data = client.transform("protect", RECORD, policies()["data-keys"])
    assert client.transform("reveal", data, policies()["consumer"]) == RECORD
    (client.program.folder / "policy.yaml").write_text(
        'version: 1\nkeys: {k: "vault:transit/pii"}\nstores: {main: "sqlite:people.db"}\n'
        "topics: [{match: t, protect: {$.Address: {type: envelope, key: {name: k, per: $.Name}}}}]\n")
    client.transform("protect", RECORD, policies()["data-keys"])
    err = client.run("protect", "-p", "policy.yaml", input=RECORD, rules=policies()["data-keys"], exit_code=77)[1]
    assert is_named('path "transit/decrypt/pii"', err), err
    data = client.transform("protect", RECORD, policies()["data-keys"] + policies()["consumer"])
    assert client.transform("reveal", data, policies()["consumer"]) == RECORD


def test_policy_of_rewrapping_on_the_server(client):
    client.write(bind="none")
    data = client.transform("protect", RECORD)
    client.vault.api("POST", "transit/keys/pii/rotate", {})
    is_just_enough(client, policies()["rewrap-unbound"],
                   lambda rules, code: client.run("rewrap", "-p", "policy.yaml", input=data, rules=rules, exit_code=code)[1])
    moved = client.transform("rewrap", data, policies()["rewrap-unbound"])
    assert b"vault:v2:" in moved and client.transform("reveal", moved) == RECORD


def test_policy_of_hashing(client):
    client.write("names", "hash")
    is_just_enough(client, policies()["hash"],
                   lambda rules, code: client.run("protect", "-p", "policy.yaml", input=RECORD, rules=rules, exit_code=code)[1])


def test_a_producer_makes_no_key(client):
    """A mistyped name is an error, under its own policy and under one that may do everything."""
    client.write("pi")
    for rules in (policies()["producer"], 'path "transit/*" { capabilities = ["create", "read", "update"] }\n'):
        client.run("protect", "-p", "policy.yaml", input=RECORD, rules=rules, exit_code=77 if "pii" in rules else 78)
    assert client.vault.api("GET", "transit/keys?list=true")["data"]["keys"] == ["names", "pii"]


def refused(client, rules, commands):
    """What the first refused one of the commands says; "" when all of them are done."""
    for words in commands:
        done = client.attempt(*words, rules=rules)
        if done.returncode:
            assert done.returncode == 77, f"{words}: {done.returncode}: {done.stderr}"
            return done.stderr
    return ""


def all_lines_are_needed(client, rules, commands):
    """`commands(n)`: the n-th time, on keys that are not there yet."""
    assert refused(client, rules, commands(0)) == ""
    for n, (line, rest) in enumerate(without_each_line(rules), 1):
        assert is_named(line, refused(client, rest, commands(n))), line


def test_policy_of_administration(client):
    rules = policies()["admin"]
    all_lines_are_needed(client, rules, lambda n: [
        ["key", *words] for words in (
            ["create", f"vault:transit/new-{n}"], ["list", "vault:transit"], ["show", f"vault:transit/new-{n}"],
            ["rotate", f"vault:transit/new-{n}"], ["config", f"vault:transit/new-{n}", "--deletion-allowed", "true"],
            ["destroy", f"vault:transit/new-{n}", "--yes"])])
    client.write()
    client.run("protect", "-p", "policy.yaml", input=RECORD, rules=rules, exit_code=77)  # manages keys, uses none


def test_policy_of_key_copy(client):
    def commands(n):
        for kind in ("aes256-gcm96", "hmac"):
            mine = f"{kind}-{n}"
            client.run("key", "create", mine, "--type", kind, "--exportable")
            client.run("key", "rotate", mine)
            client.run("key", "config", mine, "--min-encryption-version", "2")
            yield ["key", "copy", f"local:{mine}", f"vault:transit/{mine}", "--exportable"]
        # Not of type hmac: Vault 1.13 exports another key of such a one than it uses, and is told so.
        client.run("key", "create", f"vault:transit/there-{n}", "--exportable")
        yield ["key", "copy", f"vault:transit/there-{n}", f"local:again-{n}"]
        yield ["key", "copy", f"vault:transit/there-{n}", f"local:again-hmac-{n}", "--hmac"]

    all_lines_are_needed(client, policies()["key-copy"], commands)


def test_policy_of_transforming(tmp_path, certificates):
    """encode to protect, decode to reveal; without the reads it works, but mistakes are found later."""
    rules = policies()["transform"]
    with Double("vault-enterprise", tls=certificates, mounts=("transit", "transform")) as vault:
        vault.api("POST", "transform/transformations/fpe/creditcard",
                  {"template": "builtin/creditcardnumber", "tweak_source": "internal", "allowed_roles": ["payments"]})
        vault.api("POST", "transform/role/payments", {"transformations": ["creditcard"]})
        client = Client(tmp_path, vault)
        (tmp_path / "policy.yaml").write_text('version: 1\ntopics: [{match: t, protect: {$.card: {type: transform, role: payments, '
                                              'transformation: creditcard}}}]\n')
        card = b'{"card":"4111-1111-1111-1234"}\n'
        hidden = client.transform("protect", card, rules)
        assert client.transform("reveal", hidden, rules) == card != hidden
        for line, rest in without_each_line(rules):
            for command, data, word in (("protect", card, "/encode/"), ("reveal", hidden, "/decode/")):
                err = client.run(command, "-p", "policy.yaml", input=data, rules=rest, exit_code=77 if word in line else 0)[1]
                assert word not in line or is_named(line, err), err


# ---- messages ----

def protected(client):
    return client.transform("protect", RECORD)


def below_minimum(client):
    data = protected(client)
    client.vault.api("POST", "transit/keys/pii/rotate", {})
    client.vault.api("POST", "transit/keys/pii/config", {"min_decryption_version": 2})
    return data


# What must be done for a message of the section "Troubleshooting": (changes, command, exit code); changes may give the input.
MESSAGES = {
    "nothing is mounted": (lambda c: c.write("pii", mount="nowhere"), "protect", 78),
    "no key transit": (lambda c: c.write("absent"), "protect", 78),
    "a policy of the token": (lambda c: c.root.update(VAULT_TOKEN=c.vault.token_for(("transit/keys/pii", "read"))), "protect", 77),
    "has ended": (lambda c: c.root.update(VAULT_TOKEN="hvs.nobody"), "protect", 77),
    "there is no token": (lambda c: c.root.pop("VAULT_TOKEN") and None, "protect", 78),
    "is not what Vault gives": (lambda c: c.vault.control.fault(times=0, html=True) and None, "protect", 69),
    "no connection": (lambda c: c.vault.control.away(), "protect", 69),
    "no TLS connection": (lambda c: c.root.update(VAULT_ADDR="https" + c.vault.listen(tls=False).address.removeprefix("http")), "protect", 69),
    "refuses POST auth": (lambda c: c.root.update(SEALSTREAM_VAULT_AUTH="userpass", SEALSTREAM_VAULT_USER="ann",
                                                  SEALSTREAM_VAULT_PASSWORD="correct horse"), "protect", 77),
    "the server's certificate": (lambda c: c.root.pop("VAULT_CACERT") and None, "protect", 77),
    "does not authenticate": (lambda c: protected(c).replace(b"vault:v1:", b"vault:v1:AAAA"), "reveal", 1),
    "is below its minimum": (below_minimum, "reveal", 1),
}


def told_messages():
    """The first column of the table, as patterns."""
    section = (ROOT / "docs/VAULT.md").read_text().split("## Troubleshooting")[1]
    return {text: re.escape(text).replace("…", "[^\n]+") for text in re.findall(r"^\| `([^`]+)` \|", section, re.M)}


def test_each_message_has_a_cause():
    assert all(sum(text.startswith(start) for start in MESSAGES) == 1 for text in told_messages())
    assert len(told_messages()) == len(MESSAGES)


@pytest.mark.parametrize("text", told_messages())
def test_messages_are_said_as_written(client, text):
    changes, command, exit_code = next(cause for start, cause in MESSAGES.items() if text.startswith(start))
    client.write()
    data = changes(client) or RECORD
    err = client.run(command, "-p", "policy.yaml", input=data, exit_code=exit_code)[1]
    assert re.search(told_messages()[text], err), err
    assert "High St" not in err and client.vault.token not in err


def test_every_policy_is_tried():
    """A policy that a document adds needs a test that applies it."""
    source = pathlib.Path(__file__).read_text()
    tried = {name for name in policies() if f'policies()["{name}"]' in source or f'("{name}", ' in source}
    assert tried == set(policies())
