"""`demo --vault`: the stories with the key on a server; what it makes there it says and removes, what is there it leaves alone."""
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from double import Double  # noqa: E402
from program import Program  # noqa: E402


@pytest.fixture
def bare(certificates):
    """A fresh server: nothing is mounted."""
    with Double(tls=certificates, mounts=()) as double:
        yield double


def keys(vault):
    return vault.api("GET", "transit/keys?list=true")["data"]["keys"]


def demo(folder, vault, *arguments, **options):
    program = Program(folder)
    program.environment = {name: value for name, value in program.environment.items() if not name.startswith("BAO_")}
    return program.run("demo", *arguments, environment=vault.environment() | {"TMPDIR": str(folder)}, **options)


def test_on_a_fresh_server(tmp_path, bare):
    bare.control.record()
    out = demo(tmp_path, bare, "--vault")[0].decode()
    assert f"Enabled Transit at transit/ of {bare.address}." in out
    assert "pii:   vault:transit/pii" in out and "key rotate vault:transit/pii" in out
    stories, files = out.split("Story three")
    assert stories.count("vault:v1:") == 3 and stories.count("vault:v2:") == 3
    assert "all 6 records came back byte for byte" in out
    assert "--key vault:transit/files" in files and "all 3 files arrived whole" in files
    assert len(bare.control.seen("transit/datakey/plaintext/files")) == 3 and len(bare.control.seen("transit/decrypt/files")) == 3
    assert "Removed the key vault:transit/pii." in out and "Removed the key vault:transit/files." in out and "Disabled Transit at transit/ again." in out
    assert "transit/" not in bare.core.root.mounts
    assert len(bare.control.seen("transit/keys/pii/rotate")) == 1
    assert list(tmp_path.glob("sealstream-demo*")) == []


def test_what_is_there_stays(tmp_path, vault):
    """The mount; a key of the same name; and with --keep the demo's own."""
    out = demo(tmp_path, vault, "--vault", "--keep")[0].decode()
    assert "Transit is at transit/" in out and "The key vault:transit/pii stays." in out
    assert keys(vault) == ["files", "pii"]
    err = demo(tmp_path, vault, "--vault", exit_code=73)[1]
    assert "vault:transit/pii exists already" in err and "--suffix" in err
    assert keys(vault) == ["files", "pii"] and vault.api("GET", "transit/keys/pii")["data"]["latest_version"] == 2
    vault.api("POST", "transit/keys/pii/config", {"deletion_allowed": True})
    vault.api("DELETE", "transit/keys/pii")
    err = demo(tmp_path, vault, "--vault", exit_code=73)[1]
    assert "vault:transit/files exists already" in err and keys(vault) == ["files"]
    out = demo(tmp_path, vault, "--vault", "--suffix", "-two")[0].decode()
    assert "Removed the key vault:transit/pii-two." in out and keys(vault) == ["files"]


def test_a_mount_that_others_use_by_now_stays(tmp_path, bare):
    edit = bare.control.fault(path="transit/keys/pii/rotate")  # in the middle of the stories
    edit.edit = lambda status, headers, data: (bare.api("POST", "transit/keys/others", {}), (status, headers, data))[1]
    out = demo(tmp_path, bare, "--vault")[0].decode()
    assert "Removed the key" in out and "Disabled" not in out and keys(bare) == ["others"]


def test_it_must_be_said(tmp_path, vault):
    """VAULT_ADDR in the environment is how people work with their server: no reason to write to it."""
    away = ["-b", "127.0.0.1:1", "--connect-timeout", "1s"]
    vault.control.reset()
    demo(tmp_path, vault, *away, exit_code=69)
    assert vault.control.stats().get("requests", 0) == 0


@pytest.mark.parametrize("arguments, environment, said", [
    (["VAULT_ADDR=http://127.0.0.1:1", "VAULT_TOKEN=hvs.secret"], {}, True),
    ([], {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "hvs.secret"}, False)])
def test_make_says_it(arguments, environment, said):
    done = subprocess.run(["make", "-n", "demo", *arguments], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True,
                          check=True)
    assert ("sealstream demo  --vault" in done.stdout) == said
    assert "hvs.secret" not in done.stdout  # make gives it to the program in its environment


def test_a_server_that_refuses(tmp_path, vault):
    vault.token = vault.token_for(("transit/keys/pii", "read"))
    err = demo(tmp_path, vault, "--vault", exit_code=77)[1]
    assert 'path "sys/mounts/transit" { capabilities = ["create", "update"] }' in err
