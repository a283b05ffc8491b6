"""Is the double strict where no answer was captured? The rules of Transit, tokens, policies, namespaces, and its faults."""
import base64
import json
import os
import socket
import ssl
import subprocess
import sys
import time

import pytest
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

import ciphers
from core import go_base64
from double import ApiError, Double
from logins import make_jwt

HI = "aGk="


def refused(vault, status, text, *words, **more):
    with pytest.raises(ApiError) as caught:
        vault.api(*words, **more)
    assert caught.value.status == status, caught.value
    assert text in json.dumps(caught.value.errors), caught.value
    return caught.value


def b64(raw):
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize("text, at", [("!!!", 0), ("aGk", 0), ("aGkh!", 4), ("aGkhaA", 4), ("a===", 1), ("aG=x", 2), ("aGk=x", 4),
                                      ("aGkh\naGk", 5), ("aG==\naa", 5), ("-_-_", 0), ("aGkhaG-_", 6)])
def test_base64_offences(text, at):
    """Where Go's encoding/base64 puts its finger."""
    with pytest.raises(ValueError, match=f"input byte {at}$"):
        go_base64(text)


def test_base64_leniency():
    assert go_base64("aG\r\nk=") == b"hi" and go_base64("aGl=") == b"hi" and go_base64("") == b""


def test_hchacha20():
    """draft-irtf-cfrg-xchacha §2.2.1"""
    found = ciphers.hchacha20(bytes(range(32)), bytes.fromhex("000000090000004a0000000031415927"))
    assert found.hex() == "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"


def test_old_derivation():
    """sdk/helper/kdf/kdf_test.go, whose key is 16 bytes long."""
    found = ciphers.counter_kdf(bytes(range(1, 17)), b"the quick brown fox")
    assert found.hex() == "db19ee06b9ecb440f898fb994f058dde42c8428f280365ddcea3665058ea579d"


@pytest.mark.parametrize("type_", ["aes256-gcm96", "aes128-gcm96", "chacha20-poly1305", "xchacha20-poly1305", "rsa-2048"])
def test_every_type_round_trips(vault, type_):
    vault.api("POST", "transit/keys/k", {"type": type_})
    made = vault.api("POST", "transit/encrypt/k", {"plaintext": HI})["data"]
    vault.api("POST", "transit/keys/k/rotate")
    assert vault.api("POST", "transit/decrypt/k", {"ciphertext": made["ciphertext"]})["data"]["plaintext"] == HI
    assert vault.api("POST", "transit/rewrap/k", made)["data"]["ciphertext"].startswith("vault:v")


@pytest.mark.parametrize("type_", ["ecdsa-p256", "ed25519", "hmac"])
def test_types_that_do_not_encrypt(vault, type_):
    vault.api("POST", "transit/keys/k", {"type": type_})
    refused(vault, 400, f"message encryption not supported for key type {type_}", "POST", "transit/encrypt/k", {"plaintext": HI})
    refused(vault, 400, f"message decryption not supported for key type {type_}", "POST", "transit/decrypt/k", {"ciphertext": "vault:v1:AAAA"})
    assert vault.api("GET", "transit/keys/k")["data"]["supports_encryption"] is False


def test_flips_are_found(vault):
    vault.api("POST", "transit/keys/k")
    text = vault.api("POST", "transit/encrypt/k", {"plaintext": HI, "associated_data": HI})["data"]["ciphertext"]
    raw = base64.b64decode(text[9:])
    batch = [{"ciphertext": "vault:v1:" + b64(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1:]), "associated_data": HI} for at in range(len(raw))]
    error = refused(vault, 400, "", "POST", "transit/decrypt/k", {"batch_input": batch})
    results = error.body["data"]["batch_results"]
    assert len(results) == len(raw) == 30
    assert all(one["error"] == "cipher: message authentication failed" and one["plaintext"] == "" for one in results)


def test_partial_failure_codes(vault):
    vault.api("POST", "transit/keys/k")
    mixed = {"batch_input": [{"plaintext": HI}, {"plaintext": "!"}]}
    refused(vault, 400, "", "POST", "transit/encrypt/k", mixed)
    answer = vault.api("POST", "transit/encrypt/k", {**mixed, "partial_failure_response_code": 202})
    assert [sorted(one) for one in answer["data"]["batch_results"]] == [["ciphertext", "key_version", "reference"], ["error", "reference"]]
    error = refused(vault, 400, "", "POST", "transit/encrypt/k", {**mixed, "partial_failure_response_code": 900})
    assert "reverting to 400" in error.body["warnings"][0]


def test_upsert_needs_create(vault):
    both = vault.token_for(("transit/encrypt/*", "create update"))
    update = vault.token_for(("transit/encrypt/*", "update"))
    refused(vault, 403, "permission denied", "POST", "transit/encrypt/new", {"plaintext": HI}, token=update)
    assert "new" not in vault.engine().keys
    vault.api("POST", "transit/encrypt/new", {"plaintext": HI, "context": HI}, token=both)
    assert vault.engine().keys["new"].derived
    vault.api("POST", "transit/encrypt/new", {"plaintext": HI, "context": HI}, token=update)


def test_policies_least_privilege(vault):
    vault.api("POST", "transit/keys/pii")
    token = vault.token_for(("transit/encrypt/pii", "update"), ("transit/keys/+", "read"), ("transit/*", "deny"))
    vault.api("POST", "transit/encrypt/pii", {"plaintext": HI}, token=token)
    vault.api("GET", "transit/keys/pii", token=token)
    for words in (("POST", "transit/decrypt/pii", {}), ("POST", "transit/keys/pii/rotate"), ("GET", "transit/keys?list=true"),
                  ("GET", "sys/mounts"), ("POST", "transit/keys/pii")):
        refused(vault, 403, "permission denied", *words, token=token)
    found = vault.api("POST", "sys/capabilities-self", {"paths": ["transit/encrypt/pii", "transit/decrypt/pii"]}, token=token)
    assert found["data"] == {"transit/encrypt/pii": ["update"], "transit/decrypt/pii": ["deny"]}


def test_soft_delete(vault):
    vault.api("POST", "transit/keys/k")
    vault.api("DELETE", "transit/keys/k/soft-delete")
    refused(vault, 400, "refusing to use soft-deleted key", "POST", "transit/encrypt/k", {"plaintext": HI})
    assert vault.api("GET", "transit/keys/k")["data"]["soft_deleted"] is True
    vault.api("POST", "transit/keys/k/soft-delete-restore")
    vault.api("POST", "transit/encrypt/k", {"plaintext": HI})


def wrapped_for(vault, material, algorithm=hashes.SHA256):
    public = serialization.load_pem_public_key(vault.api("GET", "transit/wrapping_key")["data"]["public_key"].encode())
    ephemeral = os.urandom(32)
    head = public.encrypt(ephemeral, padding.OAEP(padding.MGF1(algorithm()), algorithm(), None))
    return b64(head + keywrap.aes_key_wrap_with_padding(ephemeral, material))


def test_import_and_export(vault):
    material = os.urandom(32)
    vault.api("POST", "transit/keys/mine/import", {"ciphertext": wrapped_for(vault, material), "type": "aes256-gcm96",
                                                   "exportable": True, "allow_rotation": False})
    assert vault.api("GET", "transit/export/encryption-key/mine/1")["data"]["keys"] == {"1": b64(material)}
    refused(vault, 500, "does not allow rotation", "POST", "transit/keys/mine/rotate")
    second = os.urandom(32)
    vault.api("POST", "transit/keys/mine/import_version", {"ciphertext": wrapped_for(vault, second, hashes.SHA1), "hash_function": "SHA1"})
    assert vault.api("GET", "transit/export/encryption-key/mine/latest")["data"]["keys"] == {"2": b64(second)}
    refused(vault, 500, "cannot be used with an existing key", "POST", "transit/keys/mine/import", {"ciphertext": wrapped_for(vault, material)})
    refused(vault, 500, "invalid key size 16 bytes", "POST", "transit/keys/other/import", {"ciphertext": wrapped_for(vault, b"x" * 16)})
    refused(vault, 500, "too short", "POST", "transit/keys/other/import", {"ciphertext": HI})
    refused(vault, 500, "convergent encryption", "POST", "transit/keys/other/import", {"ciphertext": HI, "convergent_encryption": True})
    vault.api("POST", "transit/keys/made")
    refused(vault, 500, "only be used with an imported key", "POST", "transit/keys/made/import_version", {"ciphertext": HI})


def test_namespaces(vault):
    vault.api("POST", "sys/namespaces/team")
    inside = {"X-Vault-Namespace": "team"}
    refused(vault, 404, "no handler for route", "POST", "transit/keys/k", headers=inside)
    vault.api("POST", "sys/mounts/transit", {"type": "transit"}, headers=inside)
    vault.api("POST", "transit/keys/k", headers=inside)
    assert vault.api("GET", "team/transit/keys/k")["data"]["name"] == "k"
    refused(vault, 404, "", "GET", "transit/keys/k")
    refused(vault, 404, "namespace not found", "GET", "transit/keys/k", headers={"X-Vault-Namespace": "nowhere"})
    vault.api("POST", "sys/policies/acl/p", {"policy": 'path "transit/encrypt/k" { capabilities = ["update"] }'}, headers=inside)
    token = vault.api("POST", "auth/token/create", {"policies": ["p"]}, headers=inside)["auth"]["client_token"]
    vault.api("POST", "transit/encrypt/k", {"plaintext": HI}, token=token, headers=inside)
    refused(vault, 403, "", "POST", "transit/encrypt/k", {"plaintext": HI}, token=token)


def test_wrapping_is_used_once(vault):
    token = vault.api("POST", "sys/wrapping/wrap", {"a": 1}, headers={"X-Vault-Wrap-TTL": "60"})["wrap_info"]["token"]
    assert vault.api("POST", "sys/wrapping/unwrap", token=token)["data"] == {"a": 1}
    refused(vault, 403, "permission denied", "POST", "sys/wrapping/unwrap", token=token)
    refused(vault, 400, "wrapping token is not valid or does not exist", "POST", "sys/wrapping/unwrap", {"token": token})
    late = vault.api("POST", "sys/wrapping/wrap", {"a": 1}, headers={"X-Vault-Wrap-TTL": "60"})["wrap_info"]["token"]
    vault.control.advance(61)
    refused(vault, 400, "not valid", "POST", "sys/wrapping/unwrap", {"token": late})


def test_tokens_end(vault):
    token = vault.api("POST", "auth/token/create", {"policies": ["default"], "ttl": 100, "explicit_max_ttl": 150})["auth"]["client_token"]
    vault.control.advance(90)
    assert vault.api("POST", "auth/token/renew-self", {"increment": 100}, token=token)["auth"]["lease_duration"] <= 60
    vault.control.advance(61)
    refused(vault, 403, "permission denied", "GET", "auth/token/lookup-self", token=token)
    parent = vault.api("POST", "auth/token/create", {"policies": ["root"]})["auth"]["client_token"]
    child = vault.api("POST", "auth/token/create", {"policies": ["default"]}, token=parent)["auth"]["client_token"]
    vault.control.revoke(parent)
    refused(vault, 403, "permission denied", "GET", "auth/token/lookup-self", token=child)


def test_approle_secrets_are_counted(vault):
    vault.api("POST", "sys/auth/approle", {"type": "approle"})
    vault.api("POST", "auth/approle/role/r", {"token_policies": "p", "secret_id_num_uses": 2, "token_ttl": "10m"})
    role = vault.api("GET", "auth/approle/role/r/role-id")["data"]["role_id"]
    secret = vault.api("POST", "auth/approle/role/r/secret-id", {})["data"]["secret_id"]
    for _ in range(2):
        auth = vault.api("POST", "auth/approle/login", {"role_id": role, "secret_id": secret}, token="")["auth"]
        assert auth["lease_duration"] == 600 and auth["policies"] == ["default", "p"]
    refused(vault, 400, "invalid role or secret ID", "POST", "auth/approle/login", {"role_id": role, "secret_id": secret}, token="")
    refused(vault, 400, "missing secret_id", "POST", "auth/approle/login", {"role_id": role}, token="")


def test_jwt_is_checked(vault):
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    vault.api("POST", "sys/auth/jwt", {"type": "jwt"})
    vault.api("POST", "auth/jwt/config", {"jwt_validation_pubkeys": [pem]})
    vault.api("POST", "auth/jwt/role/r", {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"]})
    good = {"sub": "me", "aud": "vault", "exp": time.time() + 60}
    assert vault.api("POST", "auth/jwt/login", {"role": "r", "jwt": make_jwt(key, good)}, token="")["auth"]["client_token"]
    other = ec.generate_private_key(ec.SECP256R1())
    for bad in (make_jwt(other, good), make_jwt(key, {**good, "aud": "x"}), make_jwt(key, {**good, "exp": 1}), "a.b.c", ""):
        refused(vault, 400, "", "POST", "auth/jwt/login", {"role": "r", "jwt": bad}, token="")


def test_limits_of_vault(certificates):
    with Double(product="vault") as vault:
        vault.api("POST", "transit/keys/k")
        vault.api("POST", "transit/encrypt/k", {"batch_input": [{"plaintext": HI}] * 10000})
        refused(vault, 500, "JSON array exceeds allowed element count", "POST", "transit/encrypt/k", {"batch_input": [{"plaintext": HI}] * 10001})
        refused(vault, 500, "JSON string exceeds allowed length", "POST", "transit/encrypt/k", {"plaintext": "A" * (1 << 20) + "AAAA"})
        refused(vault, 400, "unknown key type", "POST", "transit/keys/x", {"type": "xchacha20-poly1305"})
    with Double(product="vault", old=True) as vault:
        assert vault.api("POST", "transit/keys/k") is None and vault.api("POST", "transit/keys/k/rotate") is None


def raw_answer(vault, body=b'{"plaintext":"aGk="}'):
    """All bytes that come until the connection ends."""
    listener = vault.listeners[0]
    context = ssl.create_default_context(cafile=vault.ca)
    with socket.create_connection((listener.host, listener.port), timeout=60) as plain:
        with context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=True) as tls:
            tls.sendall(b"POST /v1/transit/encrypt/k HTTP/1.1\r\nHost: x\r\nX-Vault-Token: root\r\nConnection: close\r\n"
                        b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            got = b""
            while part := tls.recv(65536):
                got += part
            return got


def test_cuts(vault):
    vault.api("POST", "transit/keys/k")
    whole = raw_answer(vault)
    assert whole.endswith(b"}\n") and whole.startswith(b"HTTP/1.1 200 OK\r\n")
    for cut in (0, 1, 20, len(whole) - 1):
        vault.control.fault(path="transit/encrypt", cut=cut)
        assert len(raw_answer(vault)) == cut
    vault.control.fault(path="transit/encrypt", cut=5, cut_from="body")
    head, _, body = raw_answer(vault).partition(b"\r\n\r\n")
    assert len(body) == 5
    vault.control.fault(path="transit/encrypt", drop=True)
    assert raw_answer(vault) == b""
    assert raw_answer(vault).endswith(b"}\n")


def test_long_answers_come_in_chunks(vault):
    vault.api("POST", "transit/keys/k")
    body = json.dumps({"batch_input": [{"plaintext": HI}] * 100}).encode()
    answer = raw_answer(vault, body)
    assert b"Transfer-Encoding: chunked" in answer and answer.endswith(b"\r\n0\r\n\r\n")
    vault.control.fault(framing="length")
    assert b"Content-Length: " in raw_answer(vault, body)


def test_faults(vault):
    vault.api("POST", "transit/keys/k")
    control, words = vault.control, ("POST", "transit/encrypt/k", {"plaintext": HI})
    control.throttle("transit/encrypt", times=2, retry_after=1)
    refused(vault, 429, "rate limit quota exceeded", *words)
    vault.api("GET", "transit/keys/k")
    refused(vault, 429, "", *words)
    vault.api(*words)
    control.fault(path="encrypt", status=502, html=True)
    refused(vault, 502, "Bad Gateway", *words)
    control.fault(path="encrypt", edit=lambda status, headers, data: (status, headers, {**data, "data": {}}))
    assert vault.api(*words)["data"] == {}
    control.fault(path="encrypt", stall=0.3)
    began = time.monotonic()
    vault.api(*words)
    assert time.monotonic() - began >= 0.3
    control.seal()
    refused(vault, 503, "Vault is sealed", *words)
    control.unseal()
    control.audit_full()
    refused(vault, 500, "internal error", *words)
    control.audit_full(False)
    vault.api(*words)


def test_away_and_back(vault):
    vault.api("POST", "transit/keys/k")
    vault.control.away()
    with pytest.raises(OSError):
        vault.api("GET", "transit/keys/k")
    with socket.socket() as other, pytest.raises(OSError):  # nobody else's server may take its place meanwhile
        other.bind(("127.0.0.1", int(vault.address.rpartition(":")[2])))
    vault.control.back()
    vault.api("GET", "transit/keys/k")


def test_standby_redirects(vault):
    second = vault.listen()
    vault.control.standby(to=second.address)
    assert vault.api("GET", "sys/health?standbyok=true")["standby"] is True
    refused(vault, 429, "", "GET", "sys/health")
    assert vault.api("GET", "auth/token/lookup-self")["data"]["id"] == "root"  # urllib follows


def test_counts_and_records(vault):
    vault.api("POST", "transit/keys/k")
    vault.control.reset()
    vault.control.record()
    vault.api("POST", "transit/encrypt/k", {"batch_input": [{"plaintext": HI}] * 7})
    assert vault.control.stats()["items"] == 7 and vault.control.stats()["requests"] == 1
    seen, = vault.control.seen("transit/encrypt/k")
    assert seen["headers"]["x-vault-token"] == "root" and b'"plaintext"' in seen["body"]


def test_as_a_program(tmp_path, certificates):
    """From other languages: an address printed, faults over HTTP, an end when its input ends."""
    import urllib.request
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "double.py")
    process = subprocess.Popen([sys.executable, script, "--unix", str(tmp_path / "s"), "--control"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    told = json.loads(process.stdout.readline())
    assert told["address"] == f"unix://{tmp_path / 's'}" and told["token"] == "root"

    def control(name, **words):
        request = urllib.request.Request(f"{told['control']}/{name}", data=json.dumps(words).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def health():
        with socket.socket(socket.AF_UNIX) as plain:
            plain.connect(str(tmp_path / "s"))
            plain.sendall(b"GET /v1/sys/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return plain.makefile("rb").read().split(b" ")[1]

    assert health() == b"200"
    control("seal")
    assert health() == b"503"
    assert control("stats")["requests"] == 2
    process.stdin.close()
    assert process.wait(timeout=120) == 0
