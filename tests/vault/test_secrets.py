"""Does a secret show anywhere? Tokens, secret ids, plaintexts, bodies: in output, in logs at the highest level, in argv."""
import base64
import json
import pathlib
import subprocess

import pytest

from shop import CANARY, IMPATIENT, Shop, purchases, wait_until

CANARIES = [CANARY, base64.b64encode(CANARY.encode()).decode()[:-4]]


def clean(text, *secrets):
    for secret in (*CANARIES, *secrets):
        assert secret not in text, secret[:6]


@pytest.mark.parametrize("format_", ["text", "json"])
@pytest.mark.parametrize("fault", [None, dict(status=503), dict(status=403), dict(status=400), dict(html=True), dict(drop=True),
                                   dict(cut=300), dict(body="x" + CANARY), dict(status=400, errors=["made of " + CANARY[:6]])],
                         ids=["none", "503", "403", "400", "html", "drop", "cut", "garbage", "text"])
def test_logs_at_the_highest_level(tmp_path, vault, fault, format_):
    shop = Shop(tmp_path, vault, **IMPATIENT, SEALSTREAM_LOG_LEVEL="debug", SEALSTREAM_LOG_FORMAT=format_)
    token = vault.token_for(("transit/*", "create read update"))
    shop.environment["VAULT_TOKEN"] = token
    data = shop.protect(purchases(2))
    text = json.loads(data.splitlines()[0])["Address"]
    if fault:
        vault.control.fault(path="transit/(en|de)crypt", times=0, **fault)
    for command, records in (("protect", purchases(2)), ("reveal", data)):
        code, out, err = shop.try_(command, records)
        clean(err, token, text[9:])
        if command == "protect":
            clean(out.decode(), token)


def test_logging_in(tmp_path, vault):
    """The secret id, the token that it gave and its body stay out of sight; also when they are refused."""
    vault.api("POST", "sys/auth/approle", {"type": "approle"})
    vault.api("POST", "sys/policies/acl/p", {"policy": 'path "transit/*" { capabilities = ["read", "update"] }'})
    vault.api("POST", "auth/approle/role/r", {"token_policies": "p"})
    role = vault.api("GET", "auth/approle/role/r/role-id")["data"]["role_id"]
    secret = vault.api("POST", "auth/approle/role/r/secret-id", {})["data"]["secret_id"]
    (tmp_path / "secret").write_text(secret + "\n")
    shop = Shop(tmp_path, vault, **IMPATIENT, SEALSTREAM_LOG_LEVEL="debug", SEALSTREAM_VAULT_AUTH="approle",
                SEALSTREAM_VAULT_ROLE=role, SEALSTREAM_VAULT_SECRET_FILE=str(tmp_path / "secret"))
    del shop.environment["VAULT_TOKEN"]
    code, out, err = shop.try_("protect", purchases(2))
    assert code == 0, err
    tokens = [one for one in vault.core.tokens if one != "root"]
    clean(err + out.decode(), secret, *tokens)
    vault.api("POST", "auth/approle/role/r/secret-id/destroy", {"secret_id": secret})
    code, out, err = shop.try_("protect", purchases(2))
    assert code == 77 and out == b""
    clean(err, secret)


def test_argv_and_requests(tmp_path, vault):
    """While it runs: nothing secret in the command line; and only what must be sent is sent."""
    shop = Shop(tmp_path, vault)
    token = vault.token_for(("transit/*", "read update"))
    shop.environment["VAULT_TOKEN"] = token
    vault.control.record()
    vault.control.fault(path="transit/encrypt", times=1, stall=1.5)
    run = shop.start("protect", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    run.stdin.write(purchases(2))
    run.stdin.close()
    wait_until(lambda: vault.control.seen("transit/encrypt"))
    command_line = pathlib.Path(f"/proc/{run.pid}/cmdline").read_text()
    out, err = run.stdout.read(), run.stderr.read()
    assert run.wait(timeout=60) == 0
    clean(command_line, token)
    clean(out.decode() + err.decode(), token)
    for one in vault.control.seen():
        assert one["headers"]["x-vault-token"] == token
        assert one["headers"]["x-vault-request"] == "true"
        assert token not in one["path"] + json.dumps(one["query"]) and token.encode() not in one["body"]
        assert CANARIES[1] not in one["path"]
    (one,) = vault.control.seen("transit/encrypt")
    assert b'"n"' not in one["body"]


def test_the_token_goes_to_the_server_alone(tmp_path, vault):
    """A redirect to another scheme or a login page gets none; a place without the certificate neither."""
    shop = Shop(tmp_path, vault, **IMPATIENT)
    plain = vault.listen(tls=False)
    vault.control.record()
    vault.control.fault(path="transit/encrypt", times=0, status=307, body="", headers={"Location": plain.address + "/v1/transit/encrypt/pii"})
    code, out, _ = shop.try_("protect", purchases(1))
    assert code != 0 and out == b""
    assert plain.address.split("//")[1] not in [one["headers"]["host"] for one in vault.control.seen()]


@pytest.mark.parametrize("word", ["--vault-token", "--vault-password", "--vault-secret-id"])
def test_no_option_takes_a_secret(shop, word):
    code, out, err = shop.try_("protect", purchases(1), word, "s.abc")
    assert code == 64 and out == b""
