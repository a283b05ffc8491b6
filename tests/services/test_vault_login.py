"""A real Vault's tokens: renewed, used up, ended, rotated by others; wrapped secret ids; OIDC with a browser's part played.

That each way of logging in works at all is tested elsewhere; here is what a token's and a secret's life does to a run.
"""
import base64
import http.server
import json
import os
import re
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import hvac
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

POLICY = """version: 1
keys: {{pii: "vault:{mount}/pii"}}
topics: [{{match: "*", protect: {{$.a: {{type: encrypt, key: pii}}}}}}]
"""
LINE = b'{"a":"secret"}\n'


class Stream:
    """A run of `protect` that is given one record after the other."""

    def __init__(self, shop, environment, **options):
        self.process = shop.program.start("protect", "-p", "policy.yaml", "-t", "t", environment=environment,
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                          **{"stderr": subprocess.PIPE} | options)

    def feed(self, seconds=120):
        """One record in, one out."""
        self.process.stdin.write(LINE)
        self.process.stdin.flush()
        timer = threading.Timer(seconds, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        if not line:
            raise AssertionError(self.process.stderr.read().decode())
        assert json.loads(line)["a"].startswith("vault:v1:")

    def end(self, exit_code=0):
        _, said = self.process.communicate(timeout=120)
        assert self.process.returncode == exit_code, said
        return (said or b"").decode()


class Shop:
    """A policy with one key, and a role of AppRole that may use it."""

    def __init__(self, vault, transit, program):
        self.vault, self.program, self.name = vault, program, transit
        self.mount = f"approle-{transit}"
        vault.key("pii", transit)
        vault.policy(transit, **{f"{transit}/keys/pii": ["read"], f"{transit}/encrypt/pii": ["update"]})
        (program.folder / "policy.yaml").write_text(POLICY.format(mount=transit))

    def role(self, **more):
        return self.vault.approle("r", self.name, mount=self.mount, **more)

    def write(self, name, text):
        path = self.program.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def by_approle(self, role_id, secret, **more):
        return self.vault.environment("") | {
            "SEALSTREAM_VAULT_AUTH": "approle", "SEALSTREAM_VAULT_AUTH_MOUNT": self.mount, "SEALSTREAM_VAULT_ROLE": role_id,
            "SEALSTREAM_VAULT_SECRET_FILE": str(self.write("secret-id", secret))} | more

    def protect(self, environment, exit_code=0, lines=LINE):
        return self.program.run("protect", "-p", "policy.yaml", "-t", "t", input=lines, environment=environment,
                                exit_code=exit_code)

    def tokens(self):
        """Accessors of all tokens that logins by the role gave and that live."""
        found = []
        for accessor in self.vault.call("GET", "auth/token/accessors?list=true")["keys"]:
            status, answer = self.vault.ask("POST", "auth/token/lookup-accessor", {"accessor": accessor})
            if status == 200 and answer["data"]["path"] == f"auth/{self.mount}/login":
                found.append(accessor)
        return found


@pytest.fixture
def shop(vault, transit, sealstream):
    it = Shop(vault, transit, sealstream)
    yield it
    vault.ask("DELETE", f"sys/auth/{it.mount}")


def test_renewed_at_two_thirds(shop):
    """One token for the whole of a run that is longer than three lives of it, most of the time idle. Its last third is the time in
    which even a slow machine gets the renewal done."""
    stream = Stream(shop, shop.by_approle(*shop.role(ttl="12s")))
    stream.feed()
    first = shop.tokens()
    for _ in range(5):
        time.sleep(8)
        stream.feed()
    assert shop.tokens() == first and len(first) == 1
    assert stream.end() == ""


def test_logs_in_anew_at_the_longest_life(shop):
    stream = Stream(shop, shop.by_approle(*shop.role(ttl="2s", max_ttl="4s")))
    seen = set()
    for _ in range(20):
        stream.feed()
        seen.update(shop.tokens())
        time.sleep(0.4)
    assert len(seen) >= 2
    assert stream.end() == ""


def test_batch_tokens(shop):
    """They cannot be renewed, and have no accessor: a new login at two thirds."""
    stream = Stream(shop, shop.by_approle(*shop.role(ttl="2s", token_type="batch")))
    for _ in range(8):
        stream.feed()
        time.sleep(0.5)
    assert stream.end() == ""


def test_tokens_of_few_uses(shop):
    """Each call is a use: a token of three lasts for three, and the run does not notice."""
    stream = Stream(shop, shop.by_approle(*shop.role(token_num_uses=3)))
    for _ in range(12):
        stream.feed()
    assert stream.end() == ""


def test_tokens_that_may_not_look_at_themselves(shop):
    """Without the policy `default`: neither lookup-self nor renew-self."""
    environment = shop.by_approle(*shop.role(ttl="3s", token_no_default_policy=True))
    stream = Stream(shop, environment)
    for _ in range(10):
        stream.feed()
        time.sleep(0.4)
    shop.vault.revoke_logins(shop.mount)
    stream.feed()
    assert stream.end() == ""
    bare = shop.vault.make_token(shop.name, no_default_policy=True)
    shop.protect(shop.vault.environment(bare))


def test_secret_id_used_up(shop):
    """The end when a token is gone and no login gives another: which way, what the server said, what to do."""
    role_id, secret = shop.role(secret_id_num_uses=1)
    stream = Stream(shop, shop.by_approle(role_id, secret))
    stream.feed()
    shop.vault.revoke_logins(shop.mount)
    stream.process.stdin.write(LINE)
    said = stream.end(77)
    assert f"logging in with approle at auth/{shop.mount} failed" in said and "invalid secret id" in said
    assert "--vault-secret-file" in said and shop.vault.address in said
    assert secret not in said and "path \"" not in said  # no matter of a policy


def test_bare_token_that_ends(shop):
    token = shop.vault.make_token(shop.name, ttl="18s", explicit_max_ttl="18s")
    stream = Stream(shop, shop.vault.environment(token))
    stream.feed()
    deadline = time.monotonic() + 120
    while shop.vault.ask("GET", "auth/token/lookup-self", token=token)[0] != 403:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    stream.process.stdin.write(LINE)
    said = stream.end(77)
    assert re.search(r"warning: \S+ the token ends in \d s: the token nears the end of its longest life", said), said
    assert "the token of VAULT_TOKEN has ended" in said and token not in said


def test_sink_file_that_rotates(shop):
    """As an Agent writes it: the old token is revoked, the new one lies there already."""
    tokens = [shop.vault.make_token(shop.name) for _ in range(3)]
    path = shop.write("sink", tokens[0])
    stream = Stream(shop, shop.vault.environment("") | {"SEALSTREAM_VAULT_TOKEN_FILE": str(path)})
    for old, new in zip(tokens, tokens[1:]):
        stream.feed()
        shop.write("sink", new + "\n")
        shop.vault.revoke(old)
    stream.feed()
    shop.vault.revoke(tokens[-1])
    stream.process.stdin.write(LINE)
    assert f"the token of {path} has ended" in stream.end(77)


def test_policy_or_token(shop):
    """A good token that may not is told from one that is none."""
    good, bad = shop.vault.make_token("default"), "hvs.none"
    _, said = shop.protect(shop.vault.environment(good), 77)
    assert f'path "{shop.name}/keys/pii" {{ capabilities = ["read"] }}' in said and "is good" in said
    _, said = shop.protect(shop.vault.environment(bad), 77)
    assert "the token of VAULT_TOKEN has ended, was revoked or is not one of this server" in said and "capabilities" not in said


def test_mount_that_is_none(shop):
    role_id, secret = shop.role()
    _, said = shop.protect(shop.by_approle(role_id, secret, SEALSTREAM_VAULT_AUTH_MOUNT="nowhere"), 77)
    assert "logging in with approle at auth/nowhere failed" in said


# --- wrapped secret ids -----------------------------------------------------------------------------------------------------

@pytest.fixture
def wrapping(shop):
    role_id, _ = shop.role(ttl="2s", max_ttl="3s")
    client = hvac.Client(url=shop.vault.address, token=shop.vault.token, verify=str(shop.vault.ca) if shop.vault.ca else True)
    return role_id, client


def test_wrapped_once_logs_in_often(shop, wrapping):
    role_id, client = wrapping
    wrapped = client.auth.approle.generate_secret_id("r", mount_point=shop.mount, wrap_ttl="60s")["wrap_info"]["token"]
    environment = shop.by_approle(role_id, wrapped, SEALSTREAM_VAULT_SECRET_WRAPPED="true")
    stream = Stream(shop, environment)
    for _ in range(9):  # three logins
        stream.feed()
        time.sleep(0.6)
    assert stream.end() == ""
    _, said = shop.protect(environment, 77)
    assert "has been used already or has ended" in said and "somebody else may have the secret id" in said
    assert wrapped not in said


def test_wrapped_by_somebody_else(shop, wrapping):
    """A token that wraps anything else is left alone: whoever put it there learns nothing, and its owner can still open it."""
    role_id, client = wrapping
    foreign = client.write("sys/wrapping/wrap", secret_id="x", wrap_ttl="60s")["wrap_info"]["token"]
    _, said = shop.protect(shop.by_approle(role_id, foreign, SEALSTREAM_VAULT_SECRET_WRAPPED="true"), 77)
    assert "was not made for a secret id of this mount but at sys/wrapping/wrap" in said
    assert client.sys.unwrap(foreign)["data"] == {"secret_id": "x"}


# --- OIDC -------------------------------------------------------------------------------------------------------------------

class Provider(http.server.BaseHTTPRequestHandler):
    """An identity provider: knows one person, who always agrees."""

    def log_message(self, *arguments):
        pass

    def answer(self, body, status=200, **headers):
        raw = json.dumps(body).encode()
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json", "Content-Length": str(len(raw))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        asked, at = dict(urllib.parse.parse_qsl(query)), self.server.issuer
        if path == "/.well-known/openid-configuration":
            self.answer({"issuer": at, "authorization_endpoint": at + "/authorize", "token_endpoint": at + "/token",
                         "jwks_uri": at + "/keys", "id_token_signing_alg_values_supported": ["ES256"],
                         "response_types_supported": ["code"], "subject_types_supported": ["public"]})
        elif path == "/keys":
            self.answer({"keys": [self.server.jwk]})
        elif path == "/authorize":
            self.server.nonce = asked["nonce"]
            self.answer({}, 302, Location=asked["redirect_uri"] + "?" + urllib.parse.urlencode(
                {"state": asked["state"], "code": "4/0Ab=&c"}))
        else:
            self.answer({}, 404)

    def do_POST(self):
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        if self.path != "/token" or form["code"] != "4/0Ab=&c":
            return self.answer({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {"iss": self.server.issuer, "aud": "sealstream", "sub": "ada", "iat": now, "exp": now + 300,
                  "nonce": self.server.nonce}
        return self.answer({"access_token": "a", "token_type": "Bearer", "id_token": self.server.sign(claims)})


def part(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.fixture
def provider():
    key = ec.generate_private_key(ec.SECP256R1())

    def sign(claims):
        text = part(b'{"alg":"ES256","kid":"k"}') + "." + part(json.dumps(claims).encode())
        r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return text + "." + part(r.to_bytes(32, "big") + s.to_bytes(32, "big"))

    numbers = key.public_key().public_numbers()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        server.issuer, server.sign = f"http://127.0.0.1:{server.server_address[1]}", sign
        server.jwk = {"kty": "EC", "crv": "P-256", "kid": "k", "use": "sig", "alg": "ES256",
                      "x": part(numbers.x.to_bytes(32, "big")), "y": part(numbers.y.to_bytes(32, "big"))}
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.issuer
        server.shutdown()


def until(master, pattern):
    """What the terminal shows, up to the pattern."""
    shown = ""
    while not (found := re.search(pattern, shown)):
        shown += os.read(master, 4096).decode()
    return found


@pytest.mark.skipif("VAULT_ADDR" in os.environ, reason="the provider is on this machine alone")
def test_oidc(shop, provider):
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 8250)) == 0:
            pytest.skip("somebody else waits for a browser on this machine")
    mount = f"oidc-{shop.name}"
    shop.vault.enable_auth("oidc", mount)
    shop.vault.call("POST", f"auth/{mount}/config", {"oidc_discovery_url": provider, "oidc_client_id": "sealstream",
                                                     "oidc_client_secret": "s", "jwt_supported_algs": ["ES256"]})
    shop.vault.call("POST", f"auth/{mount}/role/people", {
        "role_type": "oidc", "user_claim": "sub", "allowed_redirect_uris": ["http://localhost:8250/oidc/callback"],
        "token_policies": [shop.name]})
    environment = shop.vault.environment("") | {
        "SEALSTREAM_VAULT_AUTH": "oidc", "SEALSTREAM_VAULT_AUTH_MOUNT": mount, "SEALSTREAM_VAULT_ROLE": "people"}
    _, said = shop.protect(environment, 78)
    assert "needs a person with a browser" in said
    master, terminal = os.openpty()
    stream = Stream(shop, environment, stderr=terminal)
    os.close(terminal)
    address = until(master, r"(http://\S+)\s")[1]
    evil = "http://localhost:8250/oidc/callback?state=other&code=x"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(evil, timeout=60)
    assert refused.value.code == 400
    assert b"Logged in" in urllib.request.urlopen(address, timeout=60).read()
    stream.feed()
    stream.end()
    os.close(master)
    shop.vault.call("DELETE", f"sys/auth/{mount}")
