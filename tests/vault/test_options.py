"""Where the server is said to be: flag, environment, default, in this order, for every command that opens keys."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import Program  # noqa: E402

RECORD = b'{"a":"x"}\n'
NOWHERE = "https://127.0.0.1:1"


@pytest.fixture
def shop(tmp_path, vault):
    vault.api("POST", "transit/keys/pii", {})
    program = Program(tmp_path)
    program.environment = {name: value for name, value in program.environment.items() if not name.startswith("BAO_")}
    (tmp_path / "policy.yaml").write_text('version: 1\nkeys: {k: "vault:transit/pii"}\n'
                                          "topics: [{match: t, protect: {$.a: {type: encrypt, key: k}}}]\n"
                                          'tests: [{topic: t, in: {a: "x"}, round_trip: true}]\n')
    program.environment |= {"SEALSTREAM_POLICY": "policy.yaml"}
    return program


def protects(shop, *arguments, **environment):
    return b"vault:v1:" in shop.run("protect", *arguments, input=RECORD, environment=environment)[0]


def test_flag_then_environment_then_default(shop, vault):
    there = {"VAULT_TOKEN": vault.token, "VAULT_CACERT": str(vault.ca)}
    assert protects(shop, VAULT_ADDR=vault.address, **there)
    assert protects(shop, "--vault-addr", vault.address, VAULT_ADDR=NOWHERE, **there)
    assert protects(shop, "--vault-addr", vault.address, "--vault-ca-cert", vault.ca, VAULT_ADDR=NOWHERE,
                    **there | {"VAULT_CACERT": "absent"})
    err = shop.run("protect", "--vault-addr", NOWHERE, input=RECORD, environment=vault.environment(), exit_code=69)[1]
    assert "127.0.0.1:1/" in err
    assert "https://127.0.0.1:8200/" in shop.run("protect", input=RECORD, environment=there, exit_code=69)[1]


def test_openbaos_own_variables(shop, vault):
    """Of each, VAULT_X counts before BAO_X."""
    bao = {name.replace("VAULT_", "BAO_"): value for name, value in vault.environment().items()}
    assert protects(shop, **bao)
    assert protects(shop, **vault.environment(), BAO_ADDR=NOWHERE, BAO_TOKEN="other", BAO_CACERT="absent")
    shop.run("protect", input=RECORD, environment=bao | {"VAULT_ADDR": NOWHERE}, exit_code=69)


def test_an_agents_address(shop, vault):
    """Counts before the environment's other address, not before the flag's."""
    there = vault.environment()
    assert protects(shop, **there | {"VAULT_ADDR": NOWHERE, "VAULT_AGENT_ADDR": vault.address})
    assert protects(shop, "--vault-addr", vault.address, **there | {"VAULT_ADDR": "", "VAULT_AGENT_ADDR": NOWHERE})


@pytest.mark.parametrize("words", [["protect"], ["reveal"], ["rewrap"], ["key", "show", "vault:transit/pii"],
                                   ["key", "rotate", "vault:transit/pii"], ["key", "list", "vault:transit"],
                                   ["doctor", "--vault", "-p", "policy.yaml"]])
def test_every_command_takes_them(shop, vault, words):
    """By flags alone, but for the token; before the command, too."""
    where = ["--vault-addr", vault.address, "--vault-ca-cert", vault.ca]
    token = {"VAULT_TOKEN": vault.token}
    data = RECORD if words == ["protect"] else b""
    shop.run(*words, *where, input=data, environment=token)
    vault.control.reset()
    shop.run(*where, *words, input=data, environment=token)
    assert vault.control.stats()["requests"] > 0


@pytest.mark.parametrize("arguments, environment, says", [
    (["--vault-addr", "ftp://x"], {}, "vault-addr"), (["--vault-timeout", "soon"], {}, "vault-timeout"),
    (["--vault-batch", "0"], {}, "--vault-batch must be"), ([], {"VAULT_SKIP_VERIFY": "maybe"}, "VAULT_SKIP_VERIFY"),
    (["--vault-auth", "magic"], {}, "vault-auth")])
def test_what_cannot_be(shop, vault, arguments, environment, says):
    words = ["protect", *arguments]
    process = shop.start(*words, environment=vault.environment() | environment, stdin=-1, stdout=-1, stderr=-1)
    out, err = process.communicate(RECORD, timeout=60)
    assert process.returncode in (64, 78) and out == b""
    assert says in err.decode() and err.decode().count("\n") == 1


def test_unverified_is_told_each_time(shop, vault):
    there = {"VAULT_ADDR": vault.address, "VAULT_TOKEN": vault.token, "VAULT_SKIP_VERIFY": "1"}
    for _ in range(2):
        out, err = shop.run("protect", input=RECORD, environment=there)
        assert b"vault:v1:" in out and "warning" in err and "VAULT_SKIP_VERIFY" in err
