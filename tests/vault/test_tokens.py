"""Tokens in the life of a stream: revoked, expired, renewed, logged in anew; wrapped secret ids; each way to log in."""
import subprocess
import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from double import Double
from logins import make_jwt
from shop import DENIED, IMPATIENT, Shop, purchases, wait_until

RULES = 'path "transit/*" { capabilities = ["read", "update"] }'


def login_shop(folder, vault, method, role=None, secret=None, **environment):
    """A shop that has no token, but a way to log in."""
    shop = Shop(folder, vault, **environment)
    del shop.environment["VAULT_TOKEN"]
    shop.environment["SEALSTREAM_VAULT_AUTH"] = method
    if role:
        shop.environment["SEALSTREAM_VAULT_ROLE"] = role
    if secret:
        (folder / "secret").write_text(secret)
        (folder / "secret").chmod(0o600)
        shop.environment["SEALSTREAM_VAULT_SECRET_FILE"] = str(folder / "secret")
    return shop


def approle(vault, **role):
    """(role id, secret id)"""
    vault.api("POST", "sys/auth/approle", {"type": "approle"})
    vault.api("POST", "sys/policies/acl/p", {"policy": RULES})
    vault.api("POST", "auth/approle/role/r", {"token_policies": "p", **role})
    return (vault.api("GET", "auth/approle/role/r/role-id")["data"]["role_id"],
            vault.api("POST", "auth/approle/role/r/secret-id", {})["data"]["secret_id"])


class Stream:
    """A run of `protect` that is fed record by record."""

    def __init__(self, shop, *words):
        self.run = shop.start("protect", *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.out = b""
        self.fed = 0

    def feed(self):
        self.run.stdin.write(purchases(1, self.fed))
        self.run.stdin.flush()
        self.fed += 1
        line = self.run.stdout.readline()
        assert line, self.run.stderr.read()
        self.out += line

    def end(self, shop, vault):
        self.run.stdin.close()
        err = self.run.stderr.read().decode()
        assert self.run.wait(timeout=60) == 0, err
        shop.environment["VAULT_TOKEN"] = "root"
        shop.environment["SEALSTREAM_VAULT_AUTH"] = "token"
        assert shop.reveal(self.out) == purchases(self.fed)
        return err


def logins(vault):
    return vault.control.stats().get("auth/approle/login", 0)


def test_revoked_in_mid_stream(tmp_path, vault):
    role, secret = approle(vault)
    shop = login_shop(tmp_path, vault, "approle", role, secret)
    stream = Stream(shop)
    stream.feed()
    assert logins(vault) == 1
    vault.control.revoke(all_but_root=True)
    stream.feed()
    assert logins(vault) == 2
    stream.feed()
    err = stream.end(shop, vault)
    assert logins(vault) == 2
    assert "error" not in err.lower(), err


def test_expired_early(tmp_path, vault):
    """The server forgets it before its time; the clocks differ."""
    role, secret = approle(vault, token_ttl="1h")
    shop = login_shop(tmp_path, vault, "approle", role, secret)
    stream = Stream(shop)
    stream.feed()
    vault.control.advance(3700)
    stream.feed()
    stream.end(shop, vault)
    assert logins(vault) == 2


def test_renewed_while_nothing_comes(tmp_path, vault):
    role, secret = approle(vault, token_ttl="30s")  # it is asked for at two thirds: ten seconds for a slow machine
    shop = login_shop(tmp_path, vault, "approle", role, secret)
    stream = Stream(shop)
    stream.feed()
    wait_until(lambda: vault.control.stats().get("auth/token/renew-self", 0) >= 1)
    time.sleep(12.5)
    stream.feed()
    stream.end(shop, vault)
    assert logins(vault) == 1


def test_renewal_ends(tmp_path, vault):
    """After token_max_ttl there is a new login, not an error."""
    role, secret = approle(vault, token_ttl="2s", token_max_ttl="3s")
    shop = login_shop(tmp_path, vault, "approle", role, secret)
    stream = Stream(shop)
    began = time.monotonic()
    for _ in range(9):
        stream.feed()
        time.sleep(0.5)
    lived = time.monotonic() - began
    stream.end(shop, vault)
    assert 2 <= logins(vault) <= 2 + lived  # once in each life of a token, not with each record


def test_many_workers_log_in_once(tmp_path, vault):
    role, secret = approle(vault)
    shop = login_shop(tmp_path, vault, "approle", role, secret)
    assert shop.run("protect", "-j", "4", "--vault-batch", "20", input=purchases(2000))[0].count(b"\n") == 2000
    assert logins(vault) == 1


def test_used_up_secret(tmp_path, vault):
    """Revoked, and the secret id does not serve again: a clear end, and what came out before is whole."""
    role, secret = approle(vault, secret_id_num_uses=1)
    shop = login_shop(tmp_path, vault, "approle", role, secret, **IMPATIENT)
    stream = Stream(shop)
    stream.feed()
    vault.control.revoke(all_but_root=True)
    out, err = stream.run.communicate(purchases(1, 1), timeout=60)
    assert (stream.run.returncode, out) == (DENIED, b""), err
    assert b"approle" in err and secret.encode() not in err


def test_a_bare_token_that_ends(tmp_path, vault):
    shop = Shop(tmp_path, vault, **IMPATIENT)
    shop.environment["VAULT_TOKEN"] = token = vault.token_for(("transit/*", "read update"))
    stream = Stream(shop)
    stream.feed()
    vault.control.revoke(token)
    out, err = stream.run.communicate(purchases(1, 1), timeout=60)
    assert (stream.run.returncode, out) == (DENIED, b""), err
    assert token not in err.decode()


def test_wrapped_secret_id(tmp_path, vault):
    role, _ = approle(vault)
    wrapped = vault.api("POST", "auth/approle/role/r/secret-id", {}, headers={"X-Vault-Wrap-TTL": "60"})["wrap_info"]["token"]
    shop = login_shop(tmp_path, vault, "approle", role, wrapped, **IMPATIENT, SEALSTREAM_VAULT_SECRET_WRAPPED="true")
    assert shop.protect(purchases(1))
    code, out, err = shop.try_("protect", purchases(1))  # it was opened: somebody else has it
    assert code == DENIED and out == b"" and wrapped not in err, err


def test_userpass(tmp_path, vault):
    vault.api("POST", "sys/policies/acl/p", {"policy": RULES})
    for method in ("userpass", "ldap"):
        folder = tmp_path / method
        folder.mkdir()
        vault.api("POST", f"sys/auth/{method}", {"type": method})
        vault.api("POST", f"auth/{method}/config", {"url": "ldaps://directory"})
        vault.api("POST", f"auth/{method}/users/ann", {"password": "correct horse", "token_policies": ["p"]})
        shop = login_shop(folder, vault, method, None, "correct horse\n", **IMPATIENT, SEALSTREAM_VAULT_USER="ann")
        assert shop.protect(purchases(1))
        (folder / "secret").write_text("wrong")
        code, out, err = shop.try_("protect", purchases(1))
        assert code == DENIED and out == b"" and method in err, err


@pytest.mark.parametrize("method", ["userpass", "ldap"])
def test_a_wrong_password_and_an_old_vault(tmp_path, certificates, method):
    """Up to 1.13 it comes with status 500, which is no reason to try again."""
    with Double(product="vault", old=True, tls=certificates) as vault:
        vault.api("POST", f"sys/auth/{method}", {"type": method})
        vault.api("POST", f"auth/{method}/config", {"url": "ldaps://directory"})
        vault.api("POST", f"auth/{method}/users/ann", {"password": "correct horse"})
        shop = login_shop(tmp_path, vault, method, None, "wrong", SEALSTREAM_VAULT_USER="ann")
        code, out, err = shop.try_("protect", purchases(1))
        assert code == DENIED and out == b"", err
        assert vault.control.stats()[f"auth/{method}/login/ann"] == 1


def test_a_wrong_secret_id_and_an_old_vault(tmp_path, certificates):
    """The same for AppRole."""
    with Double(product="vault", old=True, tls=certificates) as vault:
        role, _ = approle(vault)
        shop = login_shop(tmp_path, vault, "approle", role, "11111111-2222-3333-4444-555555555555")
        code, out, err = shop.try_("protect", purchases(1))
        assert code == DENIED and out == b"" and "invalid secret id" in err and "--vault-secret-file" in err, err
        assert vault.control.stats()["auth/approle/login"] == 1


def test_a_way_to_log_in_that_is_not_enabled(tmp_path, vault):
    """The server says "permission denied", as of everything that it does not tell strangers."""
    shop = login_shop(tmp_path, vault, "userpass", None, "correct horse", SEALSTREAM_VAULT_USER="ann",
                      SEALSTREAM_VAULT_AUTH_MOUNT="userpas")
    code, out, err = shop.try_("protect", purchases(1))
    assert code == DENIED and out == b"" and "auth/userpas" in err and "--vault-auth-mount" in err, err


@pytest.mark.parametrize("method", ["jwt", "kubernetes"])
def test_jwt(tmp_path, vault, method):
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    vault.api("POST", "sys/policies/acl/p", {"policy": RULES})
    vault.api("POST", f"sys/auth/{method}", {"type": method})
    vault.api("POST", f"auth/{method}/config", {"jwt_validation_pubkeys": [pem], "pem_keys": [pem]})
    vault.api("POST", f"auth/{method}/role/pump", {
        "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "bound_service_account_names": ["pump"],
        "bound_service_account_namespaces": ["shop"], "token_policies": ["p"]})
    claims = {"sub": "system:serviceaccount:shop:pump", "aud": "vault", "exp": int(time.time()) + 600}
    shop = login_shop(tmp_path, vault, method, "pump", make_jwt(key, claims), **IMPATIENT)
    assert shop.protect(purchases(1))
    (tmp_path / "secret").write_text(make_jwt(key, {**claims, "exp": 1}))
    code, out, err = shop.try_("protect", purchases(1))
    assert code == DENIED and out == b"" and "--vault-role" in err, err


def test_certificate(tmp_path, certificates):
    with Double(tls=certificates, client_certificates=True) as vault:
        vault.api("POST", "sys/policies/acl/p", {"policy": RULES})
        vault.api("POST", "sys/auth/cert", {"type": "cert"})
        vault.api("POST", "auth/cert/certs/pump", {"certificate": (certificates / "ca.pem").read_text(), "token_policies": ["p"],
                                                   "allowed_common_names": ["sealstream"]})
        shop = login_shop(tmp_path, vault, "cert", "pump", None, **IMPATIENT)
        shop.environment |= {"VAULT_CLIENT_CERT": str(certificates / "client.pem"), "VAULT_CLIENT_KEY": str(certificates / "client.key")}
        assert shop.protect(purchases(1))
        vault.api("POST", "auth/cert/certs/pump", {"certificate": (certificates / "ca.pem").read_text(), "allowed_common_names": ["other"]})
        code, out, err = shop.try_("protect", purchases(1))
        assert code == DENIED and out == b"", err


@pytest.mark.parametrize("region", [None, "eu-central-1"])
def test_aws(tmp_path, certificates, region):
    """The double checks the signature, as STS would."""
    with Double(product="vault-enterprise", tls=certificates) as vault:
        vault.api("POST", "sys/policies/acl/p", {"policy": RULES})
        vault.api("POST", "sys/auth/aws", {"type": "aws"})
        vault.api("POST", "auth/aws/config/client", {"iam_server_id_header_value": "vault.example"})
        vault.api("POST", "auth/aws/role/pump", {"auth_type": "iam", "bound_iam_principal_arn": "arn:aws:iam::1:role/*", "token_policies": ["p"]})
        vault.control.aws_key("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "arn:aws:iam::1:role/pump", "session")
        shop = login_shop(tmp_path, vault, "aws", "pump", None, **IMPATIENT)
        shop.environment |= {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                             "AWS_SESSION_TOKEN": "session", "SEALSTREAM_VAULT_AWS_SERVER_ID": "vault.example"}
        if region:
            shop.environment["SEALSTREAM_VAULT_AWS_REGION"] = region
        code, out, err = shop.try_("protect", purchases(1))
        assert code == 0, err
        for name, value in (("AWS_SECRET_ACCESS_KEY", "other"), ("SEALSTREAM_VAULT_AWS_SERVER_ID", "other"), ("AWS_SESSION_TOKEN", "other")):
            code, out, err = shop.try_("protect", purchases(1), **{name: value})
            assert code == DENIED and out == b"" and "wJalr" not in err, err
