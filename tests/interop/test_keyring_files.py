"""A keyring that one side wrote opens on the other."""
import base64
import hashlib
import json
import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from keyring_files import Keyring, mac

MASTER = hashlib.sha256(b"interop master").digest()


def secret_file(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def test_reads_what_sealstream_wrote(sealstream, tmp_path):
    sealstream.run("key", "create", "pii", "--exportable")
    sealstream.run("key", "rotate", "pii")
    sealstream.run("key", "config", "pii", "--auto-rotate", "5000", "--deletion-allowed", "true")
    material = secret_file(tmp_path, "material", bytes(range(24)))
    sealstream.run("key", "import", "cards", "--type", "ff1", "--material", material)
    ring = Keyring(tmp_path / "keyring")
    pii = ring.read("pii")
    assert (pii["type"], pii["flags"], pii["auto_rotate"], len(pii["versions"])) == ("aes256-gcm96", 3, 5000, 2)
    for number, version in enumerate(pii["versions"], 1):
        out, _ = sealstream.run("key", "export", "pii", "--version", number)
        assert base64.b64decode(out) == version["material"]
    cards = ring.read("cards")
    assert (cards["type"], cards["flags"], cards["versions"][0]["material"]) == ("ff1", 4, bytes(range(24)))


def test_reads_a_keyring_with_a_passphrase(sealstream, tmp_path):
    phrase = secret_file(tmp_path, "phrase", b"correct horse battery\n")
    sealstream.run("key", "create", "mac", "--type", "hmac", "--exportable", "--passphrase-file", phrase)
    ring = Keyring(tmp_path / "keyring", passphrase=b"correct horse battery")
    out, _ = sealstream.run("key", "export", "mac", "--format", "raw", "--passphrase-file", phrase)
    assert out == ring.read("mac")["versions"][0]["material"]


def test_sealstream_reads_what_others_wrote(sealstream, tmp_path):
    keys = [os.urandom(32), os.urandom(32)]
    ring = Keyring.create(tmp_path / "keyring", MASTER)
    ring.write("pii", 1, keys, flags=2, uses=77)
    master = secret_file(tmp_path, "master", MASTER)
    out, _ = sealstream.run("key", "show", "pii", "--json", "--master-key-file", master)
    shown = json.loads(out)
    assert shown["schema"] == "sealstream.key/1"
    assert [version["uses"] for version in shown["versions"]] == [77, 77]
    for number, key in enumerate(keys, 1):
        out, _ = sealstream.run("key", "export", "pii", "--version", number, "--master-key-file", master)
        assert base64.b64decode(out) == key
    # Both sides change the same file.
    sealstream.run("key", "rotate", "pii", "--master-key-file", master)
    assert [version["material"] for version in ring.read("pii")["versions"][:2]] == keys


def test_a_lowered_count_is_noticed(sealstream, tmp_path):
    sealstream.run("key", "create", "pii")
    path = tmp_path / "keyring" / "pii.skey"
    data = bytearray(path.read_bytes())
    ring = Keyring(tmp_path / "keyring")
    at = 11 + len("pii") + 28 + 4 + 8  # uses of version 1
    assert data[at:at + 8] == bytes(8)
    data[at + 7] = 9
    path.write_bytes(data)
    _, said = sealstream.run("key", "show", "pii", exit_code=65)
    assert "edited" in said and "pii.skey" in said
    data[-32:] = mac(ring.authenticate, bytes(data[:-32]))  # who has the master key may
    path.write_bytes(data)
    out, _ = sealstream.run("key", "show", "pii", "--json")
    assert json.loads(out)["versions"][0]["uses"] == 9


@pytest.mark.parametrize("name", ["raw", "phrase"])
def test_golden_keyrings(name):
    from program import ROOT
    golden = ROOT / "tests" / "compat" / "keyring-1"
    ring = Keyring(golden / name, master=(golden / "master").read_bytes(),
                   passphrase=(golden / "passphrase").read_bytes().rstrip(b"\n"))
    for number, version in enumerate(ring.read("pii")["versions"], 1):
        assert version["material"] == hashlib.sha256(f"aes256 {name} {number}".encode()).digest()
    text = {"raw": "rNgUXsXZub/uBHMwNEZm2DLhlP/XxRAvQ/D+yg==", "phrase": "OwE4FAdS8a+3DiZnt4g8/swlHIVa8Eg8/m3Kuw=="}
    sealed = base64.b64decode(text[name])
    assert AESGCM(ring.read("pii")["versions"][2]["material"]).decrypt(sealed[:12], sealed[12:], b"place") == b""
