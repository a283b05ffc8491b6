"""Story two by each way of logging in that the server has: encrypts, decrypts, and logs in anew when its token is gone."""
import json
import os
import subprocess
import time

import pytest
import stand_ins
import vault_build
import vault_flow
from kafka_node import die_with_parent, make_authority
from ports import free_ports

PROTECT, REVEAL = (("protect", "-p", "policy.yaml", "-t", "t"), ("reveal", "-p", "policy.yaml", "-t", "t"))


class Login:
    """One party that may encrypt and decrypt, and a mount of the test's own to log in by."""

    def __init__(self, vault, transit, sealstream):
        self.vault, self.name, self.folder = vault, transit, sealstream.folder
        self.mounts = []
        vault_flow.prepare(sealstream, vault, transit)
        vault.policy(transit, **vault_flow.rules(transit, "encrypt", "decrypt"))

    def enable(self, kind):
        path = f"{kind}-{self.name}"
        self.vault.enable_auth(kind, path)
        self.mounts.append(path)
        return path

    def secret(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    def by(self, kind, mount, **more):
        """The environment of a program that logs in so."""
        named = {"SEALSTREAM_VAULT_" + name.upper(): str(value) for name, value in more.items()}
        return self.vault.environment("") | {"SEALSTREAM_VAULT_AUTH": kind, "SEALSTREAM_VAULT_AUTH_MOUNT": mount} | named

    def configure(self, path, **body):
        self.vault.call("POST", f"auth/{path}", body)

    def close(self):
        for mount in self.mounts:
            self.vault.call("DELETE", f"sys/auth/{mount}")


@pytest.fixture
def login(vault, transit, sealstream):
    party = Login(vault, transit, sealstream)
    yield party
    party.close()


def check(sealstream, login, environment, forbidden=()):
    """There and back; nothing of what is secret is said."""
    lines, _ = sealstream.run("sample", "--count", "500")
    protected, said = sealstream.run(*PROTECT, "--log-level", "debug", input=lines, environment=environment)
    assert json.loads(protected.splitlines()[0])["Address"].startswith("vault:v1:")
    out, more = sealstream.run(*REVEAL, "--log-level", "debug", input=protected, environment=environment)
    assert out == lines
    for secret in forbidden:
        assert secret not in said + more
    return protected


# --- bare tokens ------------------------------------------------------------------------------------------------------------

def test_token(vault, login, sealstream):
    token = vault.make_token(login.name)
    check(sealstream, login, vault.environment(token), [token])


def test_home_file(vault, login, sealstream):
    token = vault.make_token(login.name)
    login.secret(".vault-token", token + "\n")
    check(sealstream, login, vault.environment(""), [token])


def test_token_helper(vault, login, sealstream):
    token = vault.make_token(login.name)
    helper = login.folder / "helper"
    helper.write_text(f"#!/bin/sh\n[ \"$1\" = get ] && printf %s {token}\n")
    helper.chmod(0o700)
    login.secret(".vault", f'token_helper = "{helper}"\n')
    check(sealstream, login, vault.environment(""), [token])


# --- ways to log in ---------------------------------------------------------------------------------------------------------

def test_approle(vault, login, sealstream):
    mount = login.enable("approle")
    role, secret = vault.approle("app", login.name, mount=mount)
    check(sealstream, login, login.by("approle", mount, role=role, secret_file=login.secret("id", secret)), [secret])
    check(sealstream, login, login.by("approle", mount, role=role, secret_id=secret), [secret])


def test_approle_wrapped(vault, login, sealstream):
    """The secret id comes wrapped: a token that can be unwrapped once. A second use is found out."""
    mount = login.enable("approle")
    role, _ = vault.approle("app", login.name, mount=mount)

    def wrapped():
        return vault.wrapped("POST", f"auth/{mount}/role/app/secret-id", {})

    path = login.secret("wrapped", wrapped())
    environment = login.by("approle", mount, role=role, secret_file=path, secret_wrapped="true")
    lines, _ = sealstream.run("sample", "--count", "10")
    sealstream.run(*PROTECT, input=lines, environment=environment)
    _, message = sealstream.run(*PROTECT, input=lines, environment=environment, exit_code=77)
    assert path in message or "unwrap" in message
    login.secret("wrapped", wrapped())
    sealstream.run(*PROTECT, input=lines, environment=environment)


def test_userpass(vault, login, sealstream):
    mount = login.enable("userpass")
    vault.userpass("ada", "correct horse", login.name, mount=mount)
    right = login.by("userpass", mount, user="ada", secret_file=login.secret("password", "correct horse\n"))
    check(sealstream, login, right, ["correct horse"])
    wrong = right | {"SEALSTREAM_VAULT_SECRET_FILE": login.secret("other", "wrong horse")}
    _, message = sealstream.run(*PROTECT, input=b"", environment=wrong, exit_code=77)
    assert vault.address in message and "wrong horse" not in message


def test_cert(vault, login, sealstream):
    if not vault.ca:
        pytest.skip("this server speaks plain HTTP")
    make_authority(login.folder, "client")
    for command in ("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out app.key",
                    "openssl req -new -key app.key -subj /CN=app -out app.csr",
                    "openssl x509 -req -in app.csr -CA client.pem -CAkey client.key -CAcreateserial -days 3 -out app.crt "
                    "-extfile app.ext"):
        (login.folder / "app.ext").write_text("extendedKeyUsage=clientAuth\n")
        subprocess.run(command.split(), cwd=login.folder, check=True, capture_output=True)
    mount = login.enable("cert")
    vault.cert("app", (login.folder / "client.pem").read_text(), login.name, mount=mount)
    environment = login.by("cert", mount, role="app")
    _, message = sealstream.run(*PROTECT, input=b"", environment=environment, exit_code=78)
    assert "vault-client-cert" in message
    check(sealstream, login, environment | {"VAULT_CLIENT_CERT": str(login.folder / "app.crt"),
                                            "VAULT_CLIENT_KEY": str(login.folder / "app.key")})


def test_jwt(vault, login, sealstream):
    mount, signer = login.enable("jwt"), stand_ins.Signer()
    login.configure(f"{mount}/config", jwt_validation_pubkeys=[signer.public], jwt_supported_algs=["ES256"])
    login.configure(f"{mount}/role/ci", role_type="jwt", user_claim="sub", bound_audiences=["vault"],
                    token_policies=[login.name])
    token = signer.sign(sub="job-1", aud="vault")
    check(sealstream, login, login.by("jwt", mount, role="ci", secret_file=login.secret("jwt", token)), [token])
    other = stand_ins.Signer().sign(sub="job-1", aud="vault")
    _, message = sealstream.run(*PROTECT, input=b"", exit_code=77,
                                environment=login.by("jwt", mount, role="ci", secret_file=login.secret("jwt", other)))
    assert vault.address in message and other not in message


def test_kubernetes(vault, login, sealstream):
    """A service account's token, which Vault lets the cluster's API review."""
    account, mount = ("default", "sealstream", "5d8a0a1b"), login.enable("kubernetes")
    token = stand_ins.Signer().sign(
        iss="kubernetes/serviceaccount", sub=f"system:serviceaccount:{account[0]}:{account[1]}",
        **{"kubernetes.io": {"namespace": account[0], "serviceaccount": {"name": account[1], "uid": account[2]}}})
    make_authority(login.folder)  # not used, but must be given
    with stand_ins.cluster(token, account) as host:
        login.configure(f"{mount}/config", kubernetes_host=f"http://{host}", token_reviewer_jwt=token,
                        kubernetes_ca_cert=(login.folder / "ca.pem").read_text(),
                        disable_local_ca_jwt=True, disable_iss_validation=True)
        login.configure(f"{mount}/role/pod", bound_service_account_names=[account[1]],
                        bound_service_account_namespaces=[account[0]], token_policies=[login.name])
        check(sealstream, login, login.by("kubernetes", mount, role="pod", secret_file=login.secret("token", token)), [token])


def test_ldap(vault, login, sealstream):
    mount = login.enable("ldap")
    with stand_ins.directory({"cn=ada,ou=people,dc=example": "tulip mania"}) as host:
        login.configure(f"{mount}/config", url=f"ldap://{host}", userdn="ou=people,dc=example", userattr="cn")
        login.configure(f"{mount}/users/ada", policies=login.name)
        right = login.by("ldap", mount, user="ada", secret_file=login.secret("password", "tulip mania"))
        check(sealstream, login, right, ["tulip mania"])
        wrong = right | {"SEALSTREAM_VAULT_SECRET_FILE": login.secret("other", "rose mania")}
        sealstream.run(*PROTECT, input=b"", environment=wrong, exit_code=77)


def test_aws(vault, login, sealstream):
    """A signed request for AWS STS, which Vault passes on."""
    mount = login.enable("aws")
    with stand_ins.sts("app") as host:
        login.configure(f"{mount}/config/client", sts_endpoint=f"http://{host}", sts_region="us-east-1",
                        access_key="unused", secret_key="unused", iam_server_id_header_value=stand_ins.SERVER_ID)
        login.configure(f"{mount}/role/app", auth_type="iam", resolve_aws_unique_ids=False, token_policies=[login.name],
                        bound_iam_principal_arn=[f"arn:aws:iam::{stand_ins.ACCOUNT}:role/app"])
        right = login.by("aws", mount, role="app", aws_server_id=stand_ins.SERVER_ID) | {
            "AWS_ACCESS_KEY_ID": stand_ins.KEY_ID, "AWS_SECRET_ACCESS_KEY": stand_ins.SECRET_KEY}
        check(sealstream, login, right, [stand_ins.SECRET_KEY])
        _, message = sealstream.run(*PROTECT, input=b"", environment=right | {"AWS_SECRET_ACCESS_KEY": "another"}, exit_code=77)
        assert vault.address in message
        sealstream.run(*PROTECT, input=b"", environment=right | {"SEALSTREAM_VAULT_AWS_SERVER_ID": "elsewhere"}, exit_code=77)


# --- an Agent in between ----------------------------------------------------------------------------------------------------

AGENT = """
vault {{
  address = "{address}"
  {ca}
}}
auto_auth {{
  method "approle" {{
    mount_path = "auth/{mount}"
    config = {{
      role_id_file_path                   = "role"
      secret_id_file_path                 = "id"
      remove_secret_id_file_after_reading = false
    }}
  }}
  sink "file" {{
    config = {{ path = "sink" }}
  }}
}}
cache {{
  use_auto_auth_token = true
}}
listener "tcp" {{
  address                = "127.0.0.1:{port}"
  tls_disable            = true
  require_request_header = true
}}
listener "unix" {{
  address                = "{folder}/agent.sock"
  tls_disable            = true
  require_request_header = true
}}
"""


@pytest.fixture
def agent(cache, vault, login):
    """A Vault Agent that logs in by itself; its port."""
    mount, [port] = login.enable("approle"), free_ports(1)
    role, secret = vault.approle("app", login.name, mount=mount)
    login.secret("role", role)
    login.secret("id", secret)
    (login.folder / "agent.hcl").write_text(AGENT.format(
        address=vault.address, ca=f'ca_cert = "{vault.ca}"' if vault.ca else "", mount=mount, port=port, folder=login.folder))
    environment = {"PATH": os.environ["PATH"], "HOME": str(login.folder), "GODEBUG": "x509negativeserial=1"}
    with open(login.folder / "agent.log", "w") as log:
        process = subprocess.Popen([vault_build.program(cache), "agent", "-config=agent.hcl"], cwd=login.folder, env=environment,
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)
    deadline = time.monotonic() + 120
    while not ((login.folder / "sink").exists() and (login.folder / "agent.sock").exists()):
        assert process.poll() is None and time.monotonic() < deadline, (login.folder / "agent.log").read_text()
        time.sleep(0.05)
    yield port
    process.terminate()
    process.wait()


@pytest.mark.parametrize("way", ["port", "socket", "sink"])
def test_agent(vault, login, agent, sealstream, way):
    """Through its port, through its socket, and with the token that it writes into a file."""
    environment = {"port": {"VAULT_AGENT_ADDR": f"http://127.0.0.1:{agent}"},
                   "socket": {"VAULT_AGENT_ADDR": f"unix://{login.folder}/agent.sock"},
                   "sink": vault.environment("") | {"SEALSTREAM_VAULT_TOKEN_FILE": str(login.folder / "sink")}}[way]
    check(sealstream, login, environment)
