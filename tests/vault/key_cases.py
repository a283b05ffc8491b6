"""The `key` commands on a Transit mount: cases for any server that the fixture `place` gives (test_keys.py: the double;
tests/services/test_vault_keys.py: a real one)."""
import base64
import hashlib
import hmac
import json
import os
import subprocess

import pytest
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import padding

KINDS = {"plain": (), "derived": ("--derived",), "convergent": ("--convergent",)}
TYPES = ("aes256-gcm96", "aes128-gcm96", "chacha20-poly1305")
RECORD = {"mail": "zoe@example.org", "amount": 129.99}
POLICY = """version: 1
keys: {{k: "{key}"}}
methods: {{secret: {{type: encrypt, key: k}}}}
topics:
- match: t
  protect: {{$.mail: secret, $.amount: secret}}
"""


class Place:
    """A program with a keyring of its own, and a Transit mount. `api(method, path, body)` gives the answer's data."""

    def __init__(self, program, mount, environment, api, types=TYPES):
        self.program, self.mount, self.environment, self._api, self.types = program, mount, environment, api, types

    def run(self, *words, exit_code=0, input=None):
        out, said = self.program.run(*words, exit_code=exit_code, input=input, environment=self.environment)
        return said if exit_code else out.decode()

    def there(self, name):
        return f"vault:{self.mount}/{name}"

    def api(self, method, path, body=None):
        return self._api(method, f"{self.mount}/{path}", body)

    def show(self, name):
        return json.loads(self.run("key", "show", name, "--json"))

    def stream(self, command, key, record):
        path = self.program.folder / "policy.yaml"
        path.write_text(POLICY.format(key=key))
        return json.loads(self.run(command, "-p", path, input=json.dumps(record).encode() + b"\n"))

    def byok(self, name, material, how, operation="import"):
        """An import that knows nothing of sealstream."""
        key = serialization.load_pem_public_key(self.api("GET", "wrapping_key")["public_key"].encode())
        ephemeral = os.urandom(32)
        blob = key.encrypt(ephemeral, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
        blob += keywrap.aes_key_wrap_with_padding(ephemeral, material)
        self.api("POST", f"keys/{name}/{operation}", {"ciphertext": base64.b64encode(blob).decode(), "hash_function": "SHA256",
                                                      **how})

    def agree(self, one, other):
        """Text of each side opens on the other; convergent keys make the same."""
        for writer, reader in ((one, other), (other, one)):
            text = self.stream("protect", writer, RECORD)
            assert self.stream("reveal", reader, text) == RECORD
            if self.show(writer).get("convergent"):
                assert self.stream("protect", reader, RECORD) == text


# Made, read, changed, removed

def test_a_key_lives(place):
    pii = place.there("pii")
    assert place.run("key", "create", pii) == f"{pii} version 1 (aes256-gcm96)\n"
    assert place.run("key", "rotate", pii) == f"{pii} version 2\n"
    shown = place.show(pii)
    assert (shown["name"], shown["type"], shown["latest_version"]) == (f"{place.mount}/pii", "aes256-gcm96", 2)
    assert not shown["exportable"] and not shown["imported"] and "derived" not in shown
    assert [v["version"] for v in shown["versions"]] == [1, 2] and "uses" not in shown["versions"][0]
    text = place.run("key", "config", pii, "--min-decryption-version", 2, "--min-encryption-version", 2, "--auto-rotate", 7200)
    assert "min decryption version  2\n" in text and "after 7200 seconds" in text
    found = place.api("GET", "keys/pii")
    assert (found["min_decryption_version"], found["min_encryption_version"]) == (2, 2)
    assert "add --yes" in place.run("key", "destroy", pii, exit_code=64)
    assert "--deletion-allowed true" in place.run("key", "destroy", pii, "--yes", exit_code=77)
    place.run("key", "config", pii, "--deletion-allowed", "true")
    assert place.run("key", "destroy", pii, "--yes") == f"{pii} destroyed\n"
    place.run("key", "show", pii, exit_code=78)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_made_is_what_was_asked_for(place, kind):
    for type_ in place.types:
        place.run("key", "create", place.there(type_), "--type", type_, *KINDS[kind])
        found = place.api("GET", f"keys/{type_}")
        assert (found["type"], found["derived"]) == (type_, kind != "plain")
        assert found.get("convergent_encryption", False) == (kind == "convergent")
        shown = place.show(place.there(type_))
        assert (shown.get("derived", False), shown.get("convergent", False)) == (kind != "plain", kind == "convergent")


def test_nothing_is_made_over_a_key(place):
    pii = place.there("pii")
    place.run("key", "create", pii, "--exportable")
    material = place.run("key", "export", pii)
    for words in ((), ("--convergent",), ("--type", "aes128-gcm96")):
        said = place.run("key", "create", pii, *words, exit_code=73)
        assert "there already" in said and f"key rotate {pii}" in said
    assert place.run("key", "export", pii) == material


def test_lists_are_of_one_mount(place):
    out, said = place.program.run("key", "list", f"vault:{place.mount}", environment=place.environment)
    assert out == b"" and said.startswith(f"sealstream: no keys at {place.mount} of "), said
    for name in ("b", "a"):
        place.run("key", "create", place.there(name))
    place.byok("imported", bytes(32), {"type": "aes256-gcm96"})
    place.run("key", "create", "local-one")
    listed = json.loads(place.run("key", "list", f"vault:{place.mount}/", "--json"))
    assert listed["schema"] == "sealstream.keys/1" and listed["server"].startswith("http") and "keyring" not in listed
    assert [key["name"] for key in listed["keys"]] == [f"{place.mount}/{name}" for name in ("a", "b", "imported")]
    assert [line.split()[0] for line in place.run("key", "list").splitlines()] == ["NAME", "local-one"]
    assert "which mount" in place.run("key", "list", "vault:", exit_code=64)
    assert "nothing is mounted" in place.run("key", "list", "vault:no-such-mount", exit_code=78)


def test_names_that_cannot_be(place):
    assert "MOUNT/NAME" in place.run("key", "create", "vault:pii", exit_code=64)
    assert "Transform" in place.run("key", "show", f"vault:{place.mount}/role/pii", exit_code=78)
    assert "did you mean vault?" in place.run("key", "show", "vualt:transit/pii", exit_code=64)
    assert "nothing is mounted" in place.run("key", "create", "vault:no-such-mount/pii", exit_code=78)
    assert "takes no ff1 keys" in place.run("key", "create", place.there("cards"), "--type", "ff1", exit_code=78)


def test_export_is_what_the_server_exports(place):
    pii = place.there("pii")
    place.run("key", "create", pii)
    assert "--exportable true" in place.run("key", "export", pii, exit_code=77)
    place.run("key", "config", pii, "--exportable", "true")
    place.run("key", "rotate", pii)
    keys = place.api("GET", "export/encryption-key/pii")["keys"]
    for version in ("1", "2"):
        assert place.run("key", "export", pii, "--version", version).strip() == keys[version]
    macs = place.api("GET", "export/hmac-key/pii")["keys"]
    assert place.run("key", "export", pii, "--hmac").strip() == macs["2"]
    assert "latest is 2" in place.run("key", "export", pii, "--version", 3, exit_code=78)
    place.run("key", "config", pii, "--min-decryption-version", 2)
    assert "minimum decryption version" in place.run("key", "export", pii, "--version", 1, exit_code=77)
    assert "takes true" in place.run("key", "config", pii, "--exportable", "false", exit_code=64)


# Imported

def import_(place, name, material, *words, exit_code=0):
    (place.program.folder / "material").write_bytes(material)
    return place.run("key", "import", name, "--material", "material", *words, exit_code=exit_code)


def test_imports_are_versions(place):
    pii = place.there("pii")
    materials = [hashlib.sha256(b"%d" % n).digest() for n in range(3)]
    for number, material in enumerate(materials, 1):
        assert import_(place, pii, material, "--type", "aes256-gcm96", "--exportable") == \
            f"{pii} version {number} (aes256-gcm96)\n"
    found = place.api("GET", "keys/pii")
    assert found["imported_key"] and found["imported_key_allow_rotation"] and found["latest_version"] == 3
    assert place.api("GET", "export/encryption-key/pii")["keys"]["2"] == base64.b64encode(materials[1]).decode()
    assert "version 2 of key" in import_(place, pii, materials[1], "--type", "aes256-gcm96", exit_code=73)
    assert "has type aes256-gcm96" in import_(place, pii, bytes(32), "--type", "chacha20-poly1305", exit_code=78)
    assert "not base64" in import_(place, pii, bytes(31), "--type", "aes256-gcm96", exit_code=65)
    for words in (("--derived",), ("--convergent",)):
        said = import_(place, place.there("d"), bytes(32), "--type", "aes256-gcm96", *words, exit_code=78)
        assert "old KDF" in said and "--unwrapped" in said
    place.run("key", "rotate", pii)
    assert "takes no material" in import_(place, pii, bytes(32), "--type", "aes256-gcm96", exit_code=73)


# Copied

@pytest.mark.parametrize("kind", KINDS)
def test_from_the_server(place, kind):
    for type_ in place.types:
        there, here = place.there(type_), f"local:{type_}"
        place.run("key", "create", there, "--type", type_, *KINDS[kind], "--exportable")
        place.run("key", "rotate", there)
        out = place.run("key", "copy", there, here)
        assert out.splitlines() == [f"{there} version {n} -> {here} version {n}" for n in (1, 2)] + [
            f"{here}: 2 of 2 versions copied, 0 there already"]
        place.agree(there, here)
        place.run("key", "rotate", there)
        assert f"{type_}: 1 of 3 versions copied, 2 there already" in place.run("key", "copy", there, type_)
        place.agree(there, here)


def test_to_the_server_wrapped(place):
    for type_ in place.types:
        there, here = place.there(type_), f"local:{type_}"
        place.run("key", "create", here, "--type", type_, "--exportable")
        place.run("key", "rotate", here)
        assert f"{there}: 2 of 2 versions copied" in place.run("key", "copy", here, there)
        place.agree(there, here)
        place.run("key", "rotate", here)
        assert f"{there}: 1 of 3 versions copied, 2 there already" in place.run("key", "copy", here, there)
        assert f"{there}: 0 of 3 versions copied, 3 there already" in place.run("key", "copy", here, there)
        place.agree(there, here)


@pytest.mark.parametrize("kind", ["derived", "convergent"])
def test_to_the_server_unwrapped(place, kind):
    for type_ in TYPES:
        there, here = place.there(type_), f"local:{type_}"
        place.run("key", "create", here, "--type", type_, *KINDS[kind], "--exportable")
        place.run("key", "rotate", here)
        said = place.run("key", "copy", here, there, exit_code=78)
        assert "old KDF" in said and "--unwrapped" in said
        place.run("key", "show", there, exit_code=78)
        assert f"{there}: 2 of 2 versions copied" in place.run("key", "copy", here, there, "--unwrapped", "--exportable")
        assert place.api("GET", f"keys/{type_}")["kdf"] == "hkdf_sha256"
        place.agree(there, here)
        assert f"{there}: 0 of 2 versions copied" in place.run("key", "copy", here, there, "--unwrapped")
        place.run("key", "rotate", there)
        assert f"{here}: 1 of 3 versions copied" in place.run("key", "copy", there, here)
        place.agree(there, here)
    place.run("key", "create", "x", "--type", "xchacha20-poly1305", "--derived", "--exportable")
    assert "different numbers" in place.run("key", "copy", "x", place.there("x"), "--unwrapped", exit_code=78)
    place.run("key", "create", "plain", "--exportable")
    assert "for derived keys" in place.run("key", "copy", "plain", place.there("plain"), "--unwrapped", exit_code=64)


def test_a_derived_key_that_was_imported_is_not_copied(place):
    """The server derives with another function than ours: measured, not believed."""
    place.byok("odd", bytes(32), {"type": "aes256-gcm96", "derived": True, "exportable": True})
    assert place.api("GET", "keys/odd")["kdf"] == "hmac-sha256-counter"
    assert "old KDF" in place.run("key", "copy", place.there("odd"), "odd", exit_code=78)
    assert "no key odd" in place.run("key", "create", "other") + place.run("key", "show", "odd", exit_code=78)


def test_the_destination_must_be_a_beginning(place):
    place.run("key", "create", "mine", "--exportable")
    pii = place.there("pii")
    place.run("key", "create", pii, "--exportable")
    assert "another key" in place.run("key", "copy", "mine", pii, exit_code=73)
    assert "another key" in place.run("key", "copy", pii, "mine", exit_code=73)
    place.run("key", "create", "short", "--type", "aes128-gcm96", "--exportable")
    assert "with type aes128-gcm96" in place.run("key", "copy", pii, "short", exit_code=73)
    place.run("key", "create", "derived", "--derived")
    assert "it is derived" in place.run("key", "copy", pii, "derived", exit_code=73)
    place.run("key", "copy", pii, "copy", "--exportable")
    place.run("key", "rotate", "copy")
    assert "2 versions" in place.run("key", "copy", pii, "copy", exit_code=73)
    assert "made by Transit" in place.run("key", "copy", "copy", pii, exit_code=73)
    assert place.show("copy")["latest_version"] == 2 and place.show(pii)["latest_version"] == 1
    place.run("key", "create", "closed")
    assert "not exportable" in place.run("key", "copy", "closed", place.there("closed"), exit_code=77)
    place.run("key", "create", "cards", "--type", "ff1", "--exportable")
    assert "takes no ff1 keys" in place.run("key", "copy", "cards", place.there("cards"), exit_code=78)


def test_minimums(place):
    place.run("key", "create", "mine", "--exportable")
    for _ in range(2):
        place.run("key", "rotate", "mine")
    place.run("key", "config", "mine", "--min-encryption-version", 3)
    there = place.there("mine")
    place.run("key", "copy", "mine", there)
    assert place.api("GET", "keys/mine")["min_encryption_version"] == 3
    place.run("key", "config", there, "--min-decryption-version", 2)
    place.run("key", "rotate", "mine")
    said = place.run("key", "copy", "mine", there, exit_code=77)
    assert f"key config {there} --min-decryption-version 1" in said
    place.run("key", "config", there, "--min-decryption-version", 1)
    place.run("key", "copy", "mine", there)
    place.run("key", "config", "mine", "--min-decryption-version", 3)
    assert "versions below 3 of mine cannot be exported" in place.run("key", "copy", "mine", place.there("x"), exit_code=77)


def test_hmac_keys(place):
    policy = "version: 1\nkeys: {{k: \"{}\"}}\ntopics:\n- match: t\n  protect: {{$.mail: {{type: hash, key: k, version: 2}}}}\n"

    def hashed(key):
        (place.program.folder / "hash.yaml").write_text(policy.format(key))
        return place.run("protect", "-p", "hash.yaml", input=b'{"mail": "zoe@example.org"}\n')

    place.run("key", "create", "mac", "--type", "hmac", "--exportable")
    place.run("key", "rotate", "mac")
    place.run("key", "copy", "mac", place.there("mac"), "--exportable")
    assert hashed("local:mac") == hashed(place.there("mac"))
    if place.api("GET", "export/hmac-key/mac")["keys"]["1"]:
        place.run("key", "copy", place.there("mac"), "local:again")
        assert hashed("local:again") == hashed("local:mac")
    else:  # Vault 1.13 does not export what was imported
        assert "exports nothing" in place.run("key", "copy", place.there("mac"), "local:again", exit_code=78)
    place.run("key", "create", place.there("made"), "--type", "hmac", "--exportable")
    place.run("key", "rotate", place.there("made"))
    made = base64.b64decode(place.api("GET", "export/hmac-key/made")["keys"]["2"])
    used = place.api("POST", "hmac/made", {"input": base64.b64encode(b"probe").decode()})["hmac"].split(":")[2]
    if base64.b64encode(hmac.digest(made, b"probe", "sha256")).decode() == used:
        place.run("key", "copy", place.there("made"), "local:made")
        assert hashed("local:made") == hashed(place.there("made"))
    else:  # Vault 1.13 exports another key than the one that it uses
        assert "not the key that it uses" in place.run("key", "copy", place.there("made"), "local:made", exit_code=78)
        assert "no key made" in place.run("key", "show", "made", exit_code=78)
    # The HMAC keys that stand beside an encryption key.
    place.run("key", "create", place.there("pii"), "--exportable")
    place.run("key", "rotate", place.there("pii"))
    place.run("key", "copy", place.there("pii"), "local:pii-mac", "--hmac")
    assert place.show("pii-mac")["type"] == "hmac"
    assert hashed("local:pii-mac") == hashed(place.there("pii"))
    assert "no HMAC key beside" in place.run("key", "copy", "mac", place.there("x"), "--hmac", exit_code=64)


def test_material_is_nowhere_in_what_is_said(place):
    place.run("key", "create", "mine", "--derived", "--exportable")
    raw = base64.b64decode(place.run("key", "export", "mine"))
    said = place.run("key", "copy", "mine", place.there("mine"), "--unwrapped", "--log-level", "debug")
    out, heard = place.program.run("key", "copy", "mine", place.there("mine"), "--log-level", "debug",
                                   environment=place.environment)
    for text in (raw.hex(), base64.b64encode(raw).decode(), raw.decode("latin-1")):
        assert text not in said and text not in out.decode() and text not in heard


# Data keys, which no command makes by itself

@pytest.mark.parametrize("kind", KINDS)
def test_data_keys(place, kind):
    """Each is of its length, new each time, and what the server itself opens the wrapped form to."""
    maker = place.program.path.parent / "tests" / "vault" / "data_key"
    for type_, bound in [(type_, bound) for type_ in place.types for bound in ("", "a place")]:
        name = f"{type_}-{len(bound)}"
        place.run("key", "create", place.there(name), "--type", type_, *KINDS[kind])
        done = subprocess.run([maker, f"{place.mount}/{name}", bound], capture_output=True, text=True, timeout=60,
                              env=place.program.environment | place.environment)
        if kind != "plain" and bound == "":
            assert done.returncode == 1 and "bind: none" in done.stderr
            continue
        assert (done.returncode, done.stderr) == (0, "")
        made = [line.split() for line in done.stdout.splitlines()]
        more = {"context" if kind != "plain" else "associated_data": base64.b64encode(bound.encode()).decode()} if bound else {}
        opened = [place.api("POST", f"decrypt/{name}", {"ciphertext": text} | more)["plaintext"] for _, text in made]
        assert [len(base64.b64decode(key)) for key in opened] == [16, 16, 32, 32, 64, 64]
        assert len(set(opened)) == len(made)
        assert [key for key, _ in made] == [opened[0], "-", opened[2], "-", opened[4], "-"]
