"""Is the double true? It gives the 81 answers that a real OpenBao gave, byte for byte, and passes all of its vectors.

openbao.json was captured from a running server (see its `source`); its keys are throw-away ones. Line ends after the JSON
text were not captured. What was random then (request ids, nonces, tokens, times) is put in through the control; the key of one answer
("encrypt upsert") was not captured, so that its ciphertext is compared by form alone.
"""
import base64
import http.client
import json
import pathlib
import re
import ssl

import pytest

from double import ApiError, Double
from transit_key import Key, Version

CAPTURED = json.loads((pathlib.Path(__file__).parent / "openbao.json").read_text())
ANSWERS = {answer["case"]: answer for answer in CAPTURED["responses"]}
PLAIN, DERIVED, CHACHA = "vec-aes256-gcm96-plain", "vec-aes256-gcm96-derived", "vec-chacha20-poly1305-plain"
MADE_AT = 1795320791 * 10**9


def load_keys(vault):
    transit = vault.engine("transit")
    for row in CAPTURED["keys"]:
        key = Key(row["name"], row["type"], bool(row.get("derived")), bool(row.get("convergent")), exportable=True)
        macs = {number: base64.b64decode(text) for number, text in row["hmac_keys"].items()}
        for number, text in (row.get("encryption_keys") or row["hmac_keys"]).items():
            key.versions[int(number)] = Version(base64.b64decode(text), macs[number], MADE_AT, 3 if key.convergent else 0)
        key.latest = len(key.versions)
        transit.keys[key.name] = key
    return transit


@pytest.fixture
def bao(certificates):
    with Double(tls=certificates) as double:
        load_keys(double)
        yield double


def ask(vault, method, path, body, token="root", headers=None):
    """(status, headers, raw body) of one request."""
    listener = vault.listeners[0]
    connection = http.client.HTTPSConnection(listener.host, listener.port, timeout=60,
                                             context=ssl.create_default_context(cafile=vault.ca))
    raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    connection.request(method, "/v1/" + path, raw, {**({"X-Vault-Token": token} if token else {}), **(headers or {})})
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


# State that a case needs. Each gets the double, and may return the token to use.

def no_state(_):
    return "root"


def min_key(vault):
    """vec-min: three versions, the first below the minimum."""
    vault.control.freeze(MADE_AT)
    known = json.loads(ANSWERS["export of a key with min_decryption_version 2"]["body"])["data"]["keys"]
    vault.control.fix("key", [b"1" * 32, b"h" * 32, base64.b64decode(known["2"]), b"h" * 32, base64.b64decode(known["3"]), b"h" * 32])
    vault.api("POST", "transit/keys/vec-min", {"exportable": True})
    for _ in range(2):
        vault.api("POST", "transit/keys/vec-min/rotate")
    vault.api("POST", "transit/keys/vec-min/config", {"min_decryption_version": 2, "min_encryption_version": 3})
    return "root"


def trimmed_key(vault):
    min_key(vault)
    vault.api("POST", "transit/keys/vec-min/trim", {"min_available_version": 2})


def locked_key(vault):
    vault.api("POST", "transit/keys/vec-locked")


def no_upsert(vault):
    vault.api("POST", "transit/config/keys", {"disable_upsert": True})


def stranger(vault):
    return vault.token_for(("transit/encrypt/other", "update"))


def update_only(vault):
    return vault.token_for(("transit/encrypt/*", "update"))


def expired(vault):
    token = vault.token_for(("transit/encrypt/*", "update"), ttl=60)
    vault.control.advance(61)
    return token


def used_up(vault):
    token = vault.token_for(("transit/encrypt/*", "update"), num_uses=1)
    vault.api("POST", f"transit/encrypt/{PLAIN}", {"plaintext": ""}, token=token)
    return token


def limited(vault):
    """The captured token: made at 04:13:09, looked at and renewed three seconds later."""
    known = json.loads(ANSWERS["token lookup-self of a limited token"]["body"])["data"]
    vault.control.fix("token", ["s.REDACTED"])
    vault.control.fix("accessor", [known["accessor"]])
    vault.control.freeze(1795320789 * 10**9)
    vault.api("POST", "sys/policies/acl/upd", {"policy": 'path "transit/encrypt/*" { capabilities = ["update"] }'})
    vault.api("POST", "auth/token/create", {"policies": ["upd"], "ttl": "1h"})
    token = vault.core.tokens["s.REDACTED"]
    token.expires_ns, token.issued_ns = 1795324389269570685, 1795320789269577585
    vault.control.freeze(1795320792 * 10**9)
    return token.id


def quota(vault):
    vault.api("POST", "sys/quotas/rate-limit/q", {"path": "transit/", "rate": 1, "interval": "1h"})
    vault.api("POST", f"transit/encrypt/{PLAIN}", {"plaintext": ""})


def sealed(vault):
    vault.api("PUT", "sys/seal")
    vault.control.freeze(1795320792 * 10**9)


def clock(vault):
    vault.control.freeze(1795320791 * 10**9)
    known = json.loads(ANSWERS["health"]["body"])
    vault.control.fix("cluster", [(known["cluster_name"], known["cluster_id"])])


def wrapping(vault):
    known = json.loads(ANSWERS["wrapped reply"]["body"])["wrap_info"]
    vault.control.fix("token", [known["token"]])
    vault.control.fix("accessor", [known["accessor"]])
    vault.control.freeze(1795320791883131767)


ENCRYPT, DECRYPT = f"transit/encrypt/{PLAIN}", f"transit/decrypt/{PLAIN}"
HI, HI_DERIVED = {"plaintext": "aGk="}, {"plaintext": "aGk=", "context": "aGk="}
# case: (method, path, body when it was not captured, state)
CASES = {
    "batch encrypt, derived key, one item lacks context": ("POST", f"transit/encrypt/{DERIVED}", None, no_state),
    "batch rewrap, one bad": ("POST", f"transit/rewrap/{PLAIN}", None, no_state),
    "batch hmac, one bad base64": ("POST", f"transit/hmac/{PLAIN}", None, no_state),
    "decrypt with wrong context": ("POST", f"transit/decrypt/{DERIVED}", None, no_state),
    "decrypt without context": ("POST", f"transit/decrypt/{DERIVED}", None, no_state),
    "decrypt chacha tampered": ("POST", f"transit/decrypt/{CHACHA}", None, no_state),
    "encrypt with hmac key": ("POST", "transit/encrypt/vec-hmac", None, no_state),
    "decrypt missing key": ("POST", "transit/decrypt/vec-none", None, no_state),
    "encrypt upsert (makes the key)": ("POST", "transit/encrypt/vec-upsert", None, no_state),
    "datakey missing key": ("POST", "transit/datakey/plaintext/vec-none", {}, no_state),
    "hmac missing key": ("POST", "transit/hmac/vec-none", {"input": "aGk="}, no_state),
    "read missing key": ("GET", "transit/keys/vec-none", None, no_state),
    "export missing key": ("GET", "transit/export/encryption-key/vec-none", None, no_state),
    "export not exportable": ("GET", "transit/export/encryption-key/vec-locked", None, locked_key),
    "encrypt missing key, upsert disabled": ("POST", "transit/encrypt/vec-none", None, no_upsert),
    "unknown mount": ("POST", "nomount/encrypt/k", HI, no_state),
    "unknown path": ("POST", "transit/nopath/k", HI, no_state),
    "bad JSON": ("POST", ENCRYPT, b'{"plaintext":', no_state),
    "GET on encrypt": ("GET", ENCRYPT, None, no_state),
    "enable transform": ("POST", "sys/mounts/transform", {"type": "transform"}, no_state),
    "enable transit twice": ("POST", "sys/mounts/transit", {"type": "transit"}, no_state),
    "batch of 499 plain items": ("POST", ENCRYPT, {"batch_input": [HI] * 499}, no_state),
    "batch of 500 plain items": ("POST", ENCRYPT, {"batch_input": [HI] * 500}, no_state),
    "batch of 249 items with context": ("POST", f"transit/encrypt/{DERIVED}", {"batch_input": [HI_DERIVED] * 249}, no_state),
    "batch of 250 items with context": ("POST", f"transit/encrypt/{DERIVED}", {"batch_input": [HI_DERIVED] * 250}, no_state),
    "body of 33 MiB": ("POST", ENCRYPT, b'{"plaintext":"' + b"A" * (33 << 20) + b'"}', no_state),
    "bad token": ("POST", ENCRYPT, HI, lambda vault: "s.bad"),
    "no token": ("POST", ENCRYPT, HI, lambda vault: ""),
    "token without policy for the path": ("POST", ENCRYPT, HI, stranger),
    "update-only token, key missing (upsert needs create)": ("POST", "transit/encrypt/vec-none", HI, update_only),
    "expired token": ("POST", ENCRYPT, HI, expired),
    "token with no uses left": ("POST", ENCRYPT, HI, used_up),
    "token renew-self (root)": ("POST", "auth/token/renew-self", {}, no_state),
    "token lookup-self of a limited token": ("GET", "auth/token/lookup-self", None, limited),
    "token renew-self": ("POST", "auth/token/renew-self", {"increment": "2h"}, limited),
    "decrypt below min_decryption_version": ("POST", "transit/decrypt/vec-min", None, min_key),
    "encrypt key_version below min_encryption_version": ("POST", "transit/encrypt/vec-min", None, min_key),
    "rewrap below min_decryption_version": ("POST", "transit/rewrap/vec-min", None, min_key),
    "key info": ("GET", "transit/keys/vec-min", None, min_key),
    "export of a key with min_decryption_version 2": ("GET", "transit/export/encryption-key/vec-min", None, min_key),
    "trim above min_encryption": ("POST", "transit/keys/vec-min/trim", {"min_available_version": 2}, min_key),
    "decrypt a trimmed version after trim": ("POST", "transit/decrypt/vec-min", None, trimmed_key),
    "delete without deletion_allowed": ("DELETE", "transit/keys/vec-min", None, min_key),
    "set quota": ("POST", "sys/quotas/rate-limit/q", {"path": "transit/", "rate": 1}, no_state),
    "rate limited": ("POST", ENCRYPT, HI, quota),
    "wrapped reply": ("POST", f"transit/datakey/plaintext/{PLAIN}", {}, wrapping),
    "health": ("GET", "sys/health", None, clock),
    "seal-status": ("GET", "sys/seal-status", None, clock),
    "seal": ("PUT", "sys/seal", None, no_state),
    "encrypt while sealed": ("POST", ENCRYPT, HI, sealed),
    "health while sealed": ("GET", "sys/health", None, sealed),
    "seal-status while sealed": ("GET", "sys/seal-status", None, sealed),
    "unseal": ("PUT", "sys/unseal", {}, sealed),
    "encrypt after unseal": ("POST", ENCRYPT, HI, sealed),
}
SEEN_WRAPPED = {"wrapped reply": {"X-Vault-Wrap-TTL": "60"}}
TRUNCATED = 300  # the capture kept so much of the answers to big batches


def plan(case):
    """(method, path, body, state): the table's, or what the name of the case says."""
    if case in CASES:
        return CASES[case]
    return "POST", DECRYPT if re.match("(batch )?decrypt", case) else ENCRYPT, None, no_state


def inject(vault, body):
    """What was random in the captured answer comes next."""
    ids = re.findall(r'"request_id":"([^"]+)"', body)
    vault.control.fix("request_id", ids)
    vault.control.fix("nonce", [base64.b64decode(text)[:12] for text in re.findall(r'"vault:v\d+:([^"]+)"', body)])


@pytest.mark.parametrize("case", ANSWERS)
def test_captured_answer(bao, case):
    captured = ANSWERS[case]
    method, path, body, state = plan(case)
    token = state(bao)
    inject(bao, captured["body"])
    status, headers, found = ask(bao, method, path, body if captured["request"] is None else captured["request"],
                                 "root" if token is None else token, SEEN_WRAPPED.get(case))
    assert status == captured["status"]
    assert headers["Content-Type"] == "application/json"
    assert headers.get("Cache-Control") == captured.get("cache", "no-store")
    text = found.decode().removesuffix("\n")
    if len(captured["body"]) == TRUNCATED:
        assert len(text) > TRUNCATED
        text = text[:TRUNCATED]
    if "upsert (makes" in case:
        form = r'("vault:v1:)[A-Za-z0-9+/]{40}"'
        assert re.sub(form, r"\1", text) == re.sub(form, r"\1", captured["body"])
    else:
        assert text == captured["body"]


def test_every_answer_is_replayed():
    assert len(CAPTURED["responses"]) == len(ANSWERS) == 81
    assert set(CASES) <= set(ANSWERS)


def in_batches(rows, size=100):
    return [rows[at:at + size] for at in range(0, len(rows), size)]


def item(row, **more):
    return {name: row[name] for name in ("context", "associated_data") if row[name]} | more


def grouped(rows):
    """Batches of one key: all with a context, or none."""
    groups = {}
    for row in rows:
        groups.setdefault((row["key"], row["version"], bool(row["context"])), []).append(row)
    return [(key, version, batch) for (key, version, _), rows in groups.items() for batch in in_batches(rows)]


def test_vectors_open(bao):
    count = 0
    for key, _, rows in grouped(CAPTURED["vectors"]):
        batch = [item(row, ciphertext=row["ciphertext"]) for row in rows]
        results = bao.api("POST", f"transit/decrypt/{key}", {"batch_input": batch})["data"]["batch_results"]
        assert [result["plaintext"] for result in results] == [row["plaintext"] for row in rows]
        count += len(rows)
    assert count == 222


def test_vectors_are_made_again(bao):
    """Convergent ones by themselves, the others with their nonce."""
    convergent = 0
    for key, version, rows in grouped(CAPTURED["vectors"]):
        if "convergent" in key:
            convergent += len(rows)
        else:
            size = 24 if "xchacha" in key else 12
            bao.control.fix("nonce", [base64.b64decode(row["ciphertext"].split(":")[2])[:size] for row in rows])
        batch = [item(row, plaintext=row["plaintext"], key_version=version) for row in rows]
        results = bao.api("POST", f"transit/encrypt/{key}", {"batch_input": batch})["data"]["batch_results"]
        assert [result["ciphertext"] for result in results] == [row["ciphertext"] for row in rows]
    assert convergent == 84


def test_macs(bao):
    for row in CAPTURED["hmac"]:
        answer = bao.api("POST", f"transit/hmac/{row['key']}/{row['algorithm']}", {"input": row["input"], "key_version": row["version"]})
        assert answer["data"]["hmac"] == row["hmac"]
    assert len(CAPTURED["hmac"]) == 24
    empty = CAPTURED["hmac_empty_input"]
    inject(bao, empty["body"])
    found = [ask(bao, "POST", f"transit/hmac/{row['name']}", {"input": ""})[2].decode().strip() for row in CAPTURED["keys"]]
    mac = json.loads(empty["body"])["data"]["hmac"]
    assert any(mac in text for text in found)


def test_data_keys(bao):
    for row in CAPTURED["datakey"]:
        data, body = row["data"], row["request"]["body"]
        name = row["request"]["path"].split("/")[-1]
        opened = bao.api("POST", f"transit/decrypt/{name}", {field: body[field] for field in body if field != "bits"} | {"ciphertext": data["ciphertext"]})
        raw = opened["data"]["plaintext"]
        assert raw == data.get("plaintext", raw)
        bao.control.fix("data_key", [base64.b64decode(raw)])
        inject(bao, json.dumps(data) if "convergent" not in name else "")
        assert bao.api("POST", row["request"]["path"], body)["data"] == data


def test_rewrap(bao):
    row = CAPTURED["rewrap"]
    inject(bao, json.dumps(row["data"]))
    assert bao.api("POST", f"transit/rewrap/{row['key']}", {"ciphertext": row["from"]})["data"] == row["data"]
    assert bao.api("POST", f"transit/decrypt/{row['key']}", row["data"])["data"]["plaintext"] == row["plaintext"]


def test_backup(bao):
    row = CAPTURED["backup"]
    bao.api("POST", "transit/restore", {"backup": row["backup"]})
    assert bao.api("POST", "transit/decrypt/vec-backup", {"ciphertext": row["ciphertext"]})["data"]["plaintext"] == row["plaintext"]
    with pytest.raises(ApiError, match='already exists'):
        bao.api("POST", "transit/restore", {"backup": row["backup"]})
    whole = json.loads(base64.b64decode(row["backup"]))
    key = bao.engine().keys["vec-backup"]
    key.restore_info = None
    key.versions[1].time_ns = 1795320788655198871
    made_at = 1795320788 * 10**9 + 657594937
    assert base64.b64decode(key.backup(made_at)).decode() == base64.b64decode(row["backup"]).decode()
    assert json.loads(base64.b64decode(key.backup(made_at))) == whole
