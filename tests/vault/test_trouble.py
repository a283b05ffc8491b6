"""Away, slow, sealed, standby, forbidden, throttled, lying: is it always the right class, and never a lost, doubled or plain record?"""
import json
import random
import subprocess
import time

import pytest

from shop import AGAIN, AWAY, CANARY, CONFIG, DENIED, IMPATIENT, POLICY, SOME, Shop, purchases
from transport import make_certificates

DATA = purchases(3)


def fails(shop, code, *parts, command="protect", data=DATA, words=(), **environment):
    """Ends with `code` and without a byte of output; the error's one line has `parts`."""
    found, out, err = shop.try_(command, data, *words, **environment)
    assert (found, out) == (code, b""), err
    assert CANARY not in err
    last = err.strip().splitlines()[-1]
    for part in parts:
        assert part in last, err
    return last


def works_again(shop, command="protect", data=DATA, **environment):
    """The same run with patience is whole: the fault is lifted, or used up, on the way."""
    patient = {"SEALSTREAM_RETRY_FOR": "60s", "VAULT_MAX_RETRIES": "2", **environment}
    code, out, err = shop.try_(command, data, **patient)
    assert code == 0, err
    return out, err


FAULTS = {
    "sealed": dict(status=503),
    "throttled": dict(status=429),
    "internal error": dict(status=500),
    "bad gateway": dict(status=502, html=True),
    "overloaded": dict(status=503, html=True),
    "gateway timeout": dict(status=504, body="upstream timed out", headers={"Content-Type": "text/plain"}),
    "dropped": dict(drop=True),
    "dropped when done": dict(drop=True, done=True),
    "cut in the head": dict(cut=30),
    "cut before the body": dict(cut=0, cut_from="body"),
    "cut in the body": dict(cut=100, cut_from="body"),
    "cut in the body, by its end": dict(cut=100, cut_from="body", framing="close"),
    "a login page": dict(html=True),
    "a page that is empty": dict(body=""),
    "half of JSON": dict(body='{"data":{"batch_results":[{"cipher'),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("command", ["protect", "reveal"])
def test_a_server_in_trouble(impatient, vault, command, name):
    """Class RETRY: nothing comes out, exit 69; with patience all comes out, once."""
    data = DATA if command == "protect" else impatient.protect(DATA)
    vault.control.fault(path="transit/(en|de)crypt", times=0, **FAULTS[name])
    code = AGAIN if name == "throttled" else AWAY
    last = fails(impatient, code, vault.address.split("//")[1], command=command, data=data)
    assert "transit/" in last or "closed" in last or "connect" in last or "answer" in last, last
    vault.control.clear()
    vault.control.fault(path="transit/(en|de)crypt", times=2, **FAULTS[name])
    out, _ = works_again(impatient, command, data)
    assert (impatient.reveal(out) if command == "protect" else out) == DATA


def test_stalled_before_the_answer(impatient, vault):
    vault.control.fault(path="transit/encrypt", times=0, stall=60)
    began = time.monotonic()
    fails(impatient, AGAIN, "no answer within 8000 ms", VAULT_CLIENT_TIMEOUT="8s")
    assert time.monotonic() - began < 50
    vault.control.clear()
    vault.control.fault(path="transit/encrypt", times=1, stall=60)
    works_again(impatient, VAULT_CLIENT_TIMEOUT="8s")


def test_stalled_in_the_answer(impatient, vault):
    vault.control.fault(path="transit/encrypt", times=0, stall_body=60)
    fails(impatient, AGAIN, "no answer within 8000 ms", VAULT_CLIENT_TIMEOUT="8s")


def test_drops_by_drops(impatient, vault):
    vault.control.fault(path="transit/encrypt", times=0, drip=7)
    code, out, err = impatient.try_("protect", DATA)
    assert code == 0, err
    vault.control.clear()
    assert impatient.reveal(out) == DATA


def test_nobody_listens(impatient, vault):
    vault.control.away()
    fails(impatient, AWAY, "127.0.0.1")


def test_away_for_a_while(tmp_path, vault):
    """A run in the middle of its input waits, says so once, and goes on."""
    shop = Shop(tmp_path, vault, VAULT_MAX_RETRIES="0")
    run = shop.start("protect", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    run.stdin.write(purchases(1))
    run.stdin.flush()
    out = run.stdout.readline()
    vault.control.away()
    run.stdin.write(purchases(1, 1))
    run.stdin.flush()
    time.sleep(1.5)
    assert run.poll() is None
    vault.control.back()
    rest, err = run.communicate(purchases(1, 2), timeout=60)
    assert run.returncode == 0, err
    assert shop.reveal(out + rest) == purchases(3)
    assert len(err.decode().strip().splitlines()) <= 3, err


def test_retry_after_is_honoured(tmp_path, vault):
    shop = Shop(tmp_path, vault)
    vault.control.record()
    vault.control.throttle("transit/encrypt", times=1, retry_after=1)
    shop.protect(DATA)
    first, second = vault.control.seen("transit/encrypt")
    assert 0.95 <= second["at"] - first["at"] < 60


def test_a_quota_slows_down_and_loses_nothing(tmp_path, vault):
    """OpenBao's rate limit says 429 without a Retry-After."""
    shop = Shop(tmp_path, vault)
    vault.api("POST", "sys/quotas/rate-limit/q", {"path": "transit/encrypt/", "rate": 6, "interval": "1s"})
    (tmp_path / "in").write_bytes(purchases(1000))
    out = shop.run("protect", "--vault-batch", "100", "in")[0]
    assert shop.reveal(out) == purchases(1000)


@pytest.mark.parametrize("seed", [1, 2])
def test_many_workers_and_faults_at_random(tmp_path, vault, seed):
    """Every few requests one goes wrong in one way or another: each record comes once, in its order."""
    chance = random.Random(seed)
    shop = Shop(tmp_path, vault, VAULT_MAX_RETRIES=str(chance.randrange(3)))
    data = purchases(4000)
    (tmp_path / "in").write_bytes(data)
    for number in range(8):
        how = dict(FAULTS[chance.choice(list(FAULTS))])
        vault.control.fault(path="transit/(en|de)crypt", skip=4 * number + chance.randrange(4), **how)
    words = ("-j", "4", "--vault-batch", "100", "--vault-connections", "2")
    shop.run("protect", *words, "-o", "protected", "in")
    assert len((tmp_path / "protected").read_bytes().splitlines()) == 4000
    assert shop.run("reveal", *words, "protected")[0] == data


def test_a_server_that_is_away_is_left_in_peace(tmp_path, vault):
    """The circuit breaker: a handful of requests in three seconds of 503, not hundreds."""
    shop = Shop(tmp_path, vault, VAULT_MAX_RETRIES="0")
    vault.control.fault(path="transit/encrypt", times=0, status=503)
    code, out, err = shop.try_("protect", DATA, "--retry-for", "3s")
    assert (code, out) == (AWAY, b""), err
    assert vault.control.stats()["transit/encrypt/pii"] <= 20


def test_sealed_at_start(impatient, vault):
    vault.control.seal()
    fails(impatient, AWAY, "sealed")
    vault.control.unseal()
    works_again(impatient)


def test_the_audit_disk_is_full(impatient, vault):
    """Every request is refused with 500: nothing is lost for it."""
    vault.control.audit_full()
    fails(impatient, AWAY)
    vault.control.audit_full(False)
    works_again(impatient)


# Forbidden


def denied(tmp_path, vault, *rules, command="protect", data=DATA):
    shop = Shop(tmp_path, vault, **IMPATIENT)
    if command == "reveal":
        data = shop.protect(DATA)
    shop.environment["VAULT_TOKEN"] = vault.token_for(*rules)
    return fails(shop, DENIED, command=command, data=data)


def test_the_message_has_the_policy_line(tmp_path, vault):
    last = denied(tmp_path, vault, ("transit/keys/pii", "read"))
    assert 'path "transit/encrypt/pii" { capabilities = ["update"] }' in last


def test_the_same_for_decryption(tmp_path, vault):
    last = denied(tmp_path, vault, ("transit/keys/pii", "read"), ("transit/encrypt/pii", "update"), command="reveal")
    assert 'path "transit/decrypt/pii" { capabilities = ["update"] }' in last


def test_the_same_for_the_look_at_the_key(tmp_path, vault):
    last = denied(tmp_path, vault, ("transit/encrypt/pii", "update"))
    assert 'path "transit/keys/pii" { capabilities = ["read"] }' in last


def test_what_the_message_says_is_enough(tmp_path, vault):
    shop = Shop(tmp_path, vault, **IMPATIENT)
    shop.environment["VAULT_TOKEN"] = vault.token_for(("transit/keys/pii", "read"), ("transit/encrypt/pii", "update"))
    out = shop.protect(DATA)
    shop.environment["VAULT_TOKEN"] = vault.token_for(("transit/keys/pii", "read"), ("transit/decrypt/pii", "update"))
    assert shop.reveal(out) == DATA


def test_a_bad_token(impatient, vault):
    last = fails(impatient, DENIED, VAULT_TOKEN="s.nonsense")
    assert "s.nonsense" not in last


def test_no_token(impatient, vault):
    del impatient.environment["VAULT_TOKEN"]
    fails(impatient, CONFIG, "VAULT_TOKEN")


# TLS, redirects, addresses


def test_a_certificate_of_another_authority(impatient, vault, tmp_path):
    other = make_certificates(tmp_path / "other")
    last = fails(impatient, DENIED, "certificate", VAULT_CACERT=str(other / "ca.pem"))
    assert vault.control.stats().get("requests", 0) == 0, last


def test_a_name_that_is_not_in_the_certificate(impatient, vault):
    fails(impatient, DENIED, VAULT_TLS_SERVER_NAME="vault.example")
    assert impatient.protect(DATA, environment={"VAULT_TLS_SERVER_NAME": "localhost"})


def test_unverified_is_loud(impatient, vault, tmp_path):
    other = make_certificates(tmp_path / "other")
    code, out, err = impatient.try_("protect", DATA, VAULT_CACERT=str(other / "ca.pem"), VAULT_SKIP_VERIFY="true")
    assert code == 0 and "warning" in err.lower() and "VAULT_SKIP_VERIFY" in err or "skip-verify" in err, err


def test_a_standby_is_followed_once(impatient, vault):
    second = vault.listen()
    vault.control.standby(to=second.address)
    out = impatient.protect(DATA)
    assert impatient.reveal(out) == DATA


def test_two_standbys_that_send_each_other(impatient, vault):
    second = vault.listen()
    vault.control.standby(to=second.address)
    second.standby_to = vault.address
    fails(impatient, AWAY, "no active node")
    assert vault.control.stats()["requests"] <= 6
    second.standby_to = None  # it becomes the active one
    assert impatient.reveal(impatient.protect(DATA)) == DATA


def test_https_never_becomes_http(impatient, vault):
    plain = vault.listen(tls=False)
    vault.control.standby(to=plain.address)
    vault.control.record()
    found, out, err = impatient.try_("protect", DATA)
    assert found != 0 and out == b"", err
    assert vault.control.seen() and all(one["path"] for one in vault.control.seen())
    assert not [one for one in vault.control.seen() if one["headers"].get("host") == plain.address.split("//")[1]], err


def test_a_redirect_without_a_place(impatient, vault):
    vault.control.fault(path="transit", times=0, status=307, body="")
    found, out, err = impatient.try_("protect", DATA)
    assert found != 0 and out == b"", err


def test_a_unix_socket_of_an_agent_that_has_the_token(tmp_path, vault):
    shop = Shop(tmp_path, vault, **IMPATIENT)
    listener = vault.listen(unix=str(tmp_path / "agent.sock"))
    listener.agent_token, listener.require_request_header = "root", True
    del shop.environment["VAULT_TOKEN"]
    shop.environment["VAULT_AGENT_ADDR"] = listener.address
    vault.control.record()
    assert shop.reveal(shop.protect(DATA)) == DATA
    assert vault.control.seen("transit/encrypt")


def test_namespaces(tmp_path, vault):
    vault.api("POST", "sys/namespaces/team")
    inside = {"X-Vault-Namespace": "team"}
    vault.api("POST", "sys/mounts/transit", {"type": "transit"}, headers=inside)
    vault.api("POST", "transit/keys/pii", headers=inside)
    shop = Shop(tmp_path, vault, keys=(), **IMPATIENT)
    out = shop.protect(DATA, "--vault-namespace", "team")
    assert shop.reveal(out, environment={"VAULT_NAMESPACE": "team/"}) == DATA
    fails(shop, CONFIG, "pii")
    found, out, err = shop.try_("protect", DATA, "--vault-namespace", "nowhere")
    assert found in (CONFIG, DENIED) and out == b"" and "no such namespace" in err, err


def test_a_mount_with_slashes(tmp_path, vault):
    vault.api("POST", "sys/mounts/teams/one/transit", {"type": "transit"})
    vault.api("POST", "teams/one/transit/keys/pii")
    shop = Shop(tmp_path, vault, POLICY.replace("transit/pii", "teams/one/transit/pii"), keys=())
    assert shop.reveal(shop.protect(DATA)) == DATA


# Answers that lie


def results(change):
    """An edit of the results of a batch."""
    def edit(status, headers, data):
        if data and "batch_results" in (data.get("data") or {}):
            data["data"]["batch_results"] = change(data["data"]["batch_results"])
        return status, headers, data
    return edit


def each(**fields):
    return results(lambda rows: [{**row, **fields} for row in rows])


ENCRYPT_LIES = {
    "fewer results": results(lambda rows: rows[:-1]),
    "more results": results(lambda rows: rows + rows[:1]),
    "no results": results(lambda rows: []),
    "results are no list": results(lambda rows: {"0": rows[0]}),
    "a result is no object": results(lambda rows: ["x"] + rows[1:]),
    "a null": results(lambda rows: [None] + rows[1:]),
    "no prefix": each(ciphertext="AAAA"),
    "another prefix": each(ciphertext="vault:v:AAAA"),
    "a version that is none": each(ciphertext="vault:vx:AAAA"),
    "bad base64": each(ciphertext="vault:v1:!!!!"),
    "a text that is too short": each(ciphertext="vault:v1:AAAA"),
    "no text": results(lambda rows: [{"key_version": 1} for _ in rows]),
    "an empty text": each(ciphertext=""),
    "a number": each(ciphertext=7),
    "markup in the text": each(ciphertext='vault:v1:AAAA","x":"'),
    "data is missing": lambda status, headers, data: (status, headers, {"request_id": "x"}),
    "data is null": lambda status, headers, data: (status, headers, {**data, "data": None}),
    "an array": lambda status, headers, data: (status, headers, [1]),
    "deep nesting": lambda status, headers, data: (status, headers, b'{"data":' * 100000),
    "no JSON": lambda status, headers, data: (status, headers, b"OK"),
    "another encoding": lambda status, headers, data: (status, headers, b"\xff\xfe{\x00}\x00"),
    "the text after the end": lambda status, headers, data: (status, headers, json.dumps(data).encode() + b"{}"),
}
DECRYPT_LIES = {
    **{name: ENCRYPT_LIES[name] for name in ("fewer results", "more results", "no results", "a result is no object", "a null",
                                             "data is missing", "no JSON", "another encoding", "deep nesting")},
    "bad base64": each(plaintext="!!!!"),
    "unpadded base64": each(plaintext="aGk"),
    "a number": each(plaintext=1),
    "no text": results(lambda rows: [{"reference": ""} for _ in rows]),
    "plaintext of a failed item": each(error="cipher: message authentication failed"),
    "not the text of a string": each(plaintext="/w=="),
}


@pytest.mark.parametrize("name", ENCRYPT_LIES)
def test_lies_about_encryption(impatient, vault, name):
    """Nothing of it comes out, and no plaintext instead."""
    vault.control.fault(path="transit/encrypt", times=0, edit=ENCRYPT_LIES[name])
    code, out, err = impatient.try_("protect", DATA)
    assert (code, out) in ((AWAY, b""), (SOME, b""), (70, b"")), (code, err)
    assert CANARY not in err and len(err) < 3000
    vault.control.clear()
    assert impatient.reveal(impatient.protect(DATA)) == DATA


@pytest.mark.parametrize("name", DECRYPT_LIES)
def test_lies_about_decryption(impatient, vault, name):
    data = impatient.protect(DATA)
    vault.control.fault(path="transit/decrypt", times=0, edit=DECRYPT_LIES[name])
    code, out, err = impatient.try_("reveal", data)
    assert (code, out) in ((AWAY, b""), (SOME, b""), (70, b"")), (code, err)
    assert CANARY not in err and len(err) < 3000


@pytest.mark.parametrize("change", [
    lambda data: dict(reversed(data.items())) | {"data": {"batch_results": [dict(reversed(row.items())) for row in data["data"]["batch_results"]]}},
    lambda data: {**data, "data": {"batch_results": [{**row, "more": [1, {"ciphertext": "vault:v1:AAAA"}]} for row in data["data"]["batch_results"]]}},
    lambda data: {"data": data["data"]},
    lambda data: {**data, "warnings": ["key is old"], "data": {"more": {"batch_results": []}, **data["data"]}},
], ids=["another order of members", "unknown members", "no envelope", "warnings"])
def test_what_is_no_lie(impatient, vault, change):
    """JSON is read by its names: order and unknown members mean nothing."""
    vault.control.fault(path="transit/(en|de)crypt", times=0, edit=lambda status, headers, data: (status, headers, change(data)))
    assert impatient.reveal(impatient.protect(DATA)) == DATA


def test_an_answer_without_an_end(impatient, vault):
    """A body of 80 MB is not taken into memory."""
    vault.control.fault(path="transit/encrypt", times=0, body=b"[" * (80 << 20))
    last = fails(impatient, AWAY)
    assert "too large" in last, last


def test_what_a_server_says_is_shown_on_one_line(impatient, vault):
    nasty = "first\nsecond \x1b[31mred\x07 " + "long " * 1000
    vault.control.fault(path="transit/encrypt", times=0, status=400, errors=[nasty])
    code, out, err = impatient.try_("protect", DATA)
    assert code != 0 and out == b""
    assert "\x1b" not in err and "\x07" not in err and max(map(len, err.splitlines())) < 1200
    assert len(err.strip().splitlines()) <= 4
