"""doctor --vault: does it name what is wrong, and nothing else, in one run?"""
import http.server
import json
import pathlib
import sys
import threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from double import Double  # noqa: E402
from program import Program  # noqa: E402

TRANSIT = """\
version: 1
keys: {pii: vault:transit/pii, lookup: vault:transit/lookup, here: local:here}
topics:
  - match: t
    protect:
      $.a: {type: encrypt, key: pii}
      $.b: {type: hash, key: lookup}
      $.c: {type: fpe, key: here}
"""
TRANSFORM = """\
version: 1
methods:
  card: {type: transform, role: payments, transformation: card}
  mask: {type: transform, role: payments, transformation: mask, one_way: true}
  token: {type: transform, role: payments, transformation: tok}
  own: {type: transform, role: payments, transformation: own, tweak_source: supplied}
topics:
  - {match: t, protect: {$.a: card, $.b: mask, $.c: token, $.d: own}}
"""


class Doctor:
    def __init__(self, vault, program):
        self.vault, self.program = vault, program

    def run(self, *arguments, policy=None, exit_code=0, **environment):
        """{name: [(status, text, hint)]}; also as .text"""
        more = []
        if policy is not None:
            (self.program.folder / "p.yaml").write_text(policy)
            more = ["-p", "p.yaml"]
        environment = self.vault.environment(**environment)
        out, _ = self.program.run("doctor", "--vault", "--json", *more, *arguments, exit_code=exit_code, environment=environment)
        self.text, _ = self.program.run("doctor", "--vault", *more, *arguments, exit_code=exit_code, environment=environment)
        self.text = self.text.decode()
        report = json.loads(out)
        assert report["schema"] == "sealstream.doctor/1" and report["ok"] == (exit_code == 0)
        found = {}
        for check in report["checks"]:
            found.setdefault(check["name"], []).append((check["status"], check["text"], check["hint"]))
        assert environment["VAULT_TOKEN"] == "root" or environment["VAULT_TOKEN"] not in self.text + out.decode()
        return found


@pytest.fixture
def doctor(vault, tmp_path):
    vault.api("POST", "transit/keys/pii", {})
    vault.api("POST", "transit/keys/lookup", {"type": "hmac"})
    return Doctor(vault, Program(tmp_path))


@pytest.fixture
def enterprise(certificates, tmp_path):
    with Double("vault-enterprise", tls=certificates, mounts=("transform", "transit")) as vault:
        for kind, name, more in (("fpe", "card", {"tweak_source": "internal"}), ("masking", "mask", {}), ("tokenization", "tok", {}),
                                 ("fpe", "own", {"tweak_source": "supplied"})):
            body = {"allowed_roles": ["*"], **more} | ({} if kind == "tokenization" else {"template": "builtin/creditcardnumber"})
            vault.api("POST", f"transform/transformations/{kind}/{name}", body)
        vault.api("POST", "transform/role/payments", {"transformations": ["card", "mask", "tok", "own"]})
        yield Doctor(vault, Program(tmp_path))


ALL = (("transit/encrypt/*", "update"), ("transit/decrypt/*", "update"), ("transit/keys/*", "read"), ("transit/hmac/*", "update"))


def statuses(found):
    return {name: [one[0] for one in lines] for name, lines in found.items()}


def test_all_is_well(doctor):
    found = doctor.run(policy=TRANSIT, VAULT_TOKEN=doctor.vault.token_for(*ALL, ttl=20000))
    assert {status for lines in statuses(found).values() for status in lines} == {"ok"}, found
    assert list(found) == ["address", "server", "login", "transit/pii: key", "transit/pii: policy", "transit/pii: round trip",
                           "transit/lookup: key", "transit/lookup: policy", "transit/lookup: round trip"]
    assert doctor.vault.address in found["address"][0][1] and "ca.pem" in found["address"][0][1]
    assert "unsealed, active" in found["server"][0][1]
    assert "rules-" in found["login"][0][1] and "ends in 5 h, renewable" in found["login"][0][1]
    assert found["transit/pii: key"][0][1] == "aes256-gcm96, version 1"
    assert "encrypted and decrypted" in found["transit/pii: round trip"][0][1]
    assert doctor.text.splitlines()[0].startswith("ok    address                        https://127.0.0.1:")


def test_without_a_policy(doctor):
    found = doctor.run()
    assert list(found) == ["address", "server", "login", "policy"]
    assert found["login"][0][0] == "warn" and "root" in found["login"][0][1]
    assert "-p" in found["policy"][0][2]


def test_what_the_token_may_not(doctor):
    token = doctor.vault.token_for(("transit/encrypt/pii", "create update"), ("transit/keys/*", "read"))
    found = doctor.run(policy=TRANSIT, VAULT_TOKEN=token, exit_code=1)
    assert ("warn", "the token may not decrypt: reveal will fail",
            'add to the token\'s policy: path "transit/decrypt/pii" { capabilities = ["update"] }') in found["transit/pii: policy"]
    assert any(status == "warn" and "may create on transit/encrypt/pii" in text for status, text, _ in found["transit/pii: policy"])
    assert found["transit/pii: round trip"][0][:2][0] == "ok" and "was encrypted," in found["transit/pii: round trip"][0][1]
    assert found["transit/lookup: policy"] == [("fail", "the token may not make HMACs: hash will fail",
                                                'add to the token\'s policy: path "transit/hmac/lookup/sha2-256" { capabilities = ["update"] }')]
    assert "transit/lookup: round trip" not in found


def test_a_token_that_may_nothing(doctor):
    found = doctor.run(policy=TRANSIT, VAULT_TOKEN=doctor.vault.token_for(("transit/sign/x", "update")), exit_code=1)
    assert statuses(found)["transit/pii: key"] == ["fail"]
    assert any("read the key" in text and 'path "transit/keys/pii" { capabilities = ["read"] }' in hint
               for _, text, hint in found["transit/pii: policy"] if hint)
    assert any(status == "fail" and "neither encrypt nor decrypt" in text for status, text, _ in found["transit/pii: policy"])


DATA_KEYS = """\
version: 1
keys: {pii: vault:transit/pii}
topics:
  - {match: t, protect: {$.a: {type: envelope, key: pii}}}
"""
PEOPLE = DATA_KEYS.replace("key: pii}}}", "key: {name: pii, per: $.id}}}}").replace("topics:", "stores: {main: 'sqlite:people.db'}\ntopics:")
MAKE, OPEN, ENCRYPT = "transit/datakey/plaintext/pii", "transit/decrypt/pii", "transit/encrypt/pii"


def line_for(path):
    return f'add to the token\'s policy: path "{path}" {{ capabilities = ["update"] }}'


def test_data_keys(doctor):
    """What writers and readers of envelopes need, and nothing that they do not."""
    look = ("transit/keys/pii", "read")
    found = doctor.run(policy=DATA_KEYS, VAULT_TOKEN=doctor.vault.token_for(look, (MAKE, "update"), (OPEN, "update"), ttl=20000))
    assert {status for lines in statuses(found).values() for status in lines} == {"ok"}, found
    assert "a data key was made and opened, in" in found["transit/pii: round trip"][0][1]
    writer = doctor.vault.token_for(look, (MAKE, "update"))
    found = doctor.run(policy=DATA_KEYS, VAULT_TOKEN=writer)
    assert found["transit/pii: policy"] == [("warn", "the token may not decrypt: reveal will fail", line_for(OPEN))]
    assert "a data key was made, in" in found["transit/pii: round trip"][0][1]
    found = doctor.run(policy=DATA_KEYS, VAULT_TOKEN=doctor.vault.token_for(look, (OPEN, "update"), (ENCRYPT, "update")))
    assert found["transit/pii: policy"] == [("warn", "the token may not make data keys: protect and send will fail", line_for(MAKE))]
    assert "transit/pii: round trip" not in found
    found = doctor.run(policy=DATA_KEYS, VAULT_TOKEN=doctor.vault.token_for(look, (ENCRYPT, "update")), exit_code=1)
    assert ("fail", "the token may neither make data keys nor decrypt", None) in found["transit/pii: policy"]
    found = doctor.run(policy=PEOPLE, VAULT_TOKEN=writer)
    assert found["transit/pii: policy"] == [
        ("warn", "the token may not decrypt: reveal will fail, and protect with a key for each person", line_for(OPEN))]


def test_a_key_of_values_and_data_keys(doctor):
    policy = DATA_KEYS.replace("{$.a:", "{$.b: {type: encrypt, key: pii}, $.a:")
    token = doctor.vault.token_for(("transit/keys/pii", "read"), (OPEN, "update"))
    found = doctor.run(policy=policy, VAULT_TOKEN=token)
    assert [hint for _, _, hint in found["transit/pii: policy"]] == [line_for(ENCRYPT), line_for(MAKE)]
    found = doctor.run(policy=policy)
    assert [text.split(", in")[0] for _, text, _ in found["transit/pii: round trip"]] == [
        "a test text was encrypted and decrypted", "a data key was made and opened"]


def test_a_derived_key_of_data_keys(doctor):
    doctor.vault.api("POST", "transit/keys/derived", {"derived": True})
    found = doctor.run(policy=DATA_KEYS.replace("transit/pii", "transit/derived"))
    assert "a data key was made and opened" in found["transit/derived: round trip"][0][1]


def test_a_key_of_files(doctor):
    token = doctor.vault.token_for(("transit/keys/pii", "read"), (MAKE, "update"), (OPEN, "update"), ttl=20000)
    found = doctor.run("--key", "vault:transit/pii", VAULT_TOKEN=token)
    assert {status for lines in statuses(found).values() for status in lines} == {"ok"}, found
    assert "a data key was made and opened" in found["transit/pii: round trip"][0][1] and "policy" not in found
    found = doctor.run("--key", "vault:transit/lookup", exit_code=1)
    assert found["transit/lookup: key"][0][0] == "fail" and "transit/lookup: round trip" not in found
    found = doctor.run("--key", "vault:transit/pie", exit_code=1)
    assert found["transit/pie: key"][0][0] == "fail" and list(found)[-1] == "transit/pie: key"
    for words, said in ((["--vault", "--key", "local:pii"], "vault:transit/NAME"), (["--key", "vault:transit/pii"], "say --vault"),
                        (["--vault", "--key", "vault:pii"], "not a key name")):
        assert said in doctor.program.run("doctor", *words, exit_code=64, environment=doctor.vault.environment())[1]


def test_keys_that_are_not_there_or_of_another_type(doctor):
    policy = TRANSIT.replace("transit/pii", "transit/pie").replace("lookup: vault:transit/lookup", "lookup: vault:transit/pii")
    found = doctor.run(policy=policy, exit_code=1)
    assert found["transit/pie: key"][0][0] == "fail" and "pii" in found["transit/pie: key"][0][1]
    assert "transit/pie: round trip" not in found
    found = doctor.run(policy=TRANSIT.replace("pii: vault:transit/pii", "pii: vault:transit/lookup"), exit_code=1)
    assert any(status == "fail" and "cannot" in text for status, text, _ in found["transit/lookup: key"])


def test_tokens_that_end(doctor):
    token = doctor.vault.token_for(*ALL, ttl=300)
    found = doctor.run(VAULT_TOKEN=token)
    assert found["login"][0][0] == "warn" and "ends in 5 min" in found["login"][0][1] and "--vault-auth" in found["login"][0][2]
    found = doctor.run(VAULT_TOKEN="s.nonsense", exit_code=1)
    assert found["login"][0][0] == "fail" and list(found) == ["address", "server", "login"]


def test_servers_that_are_away_or_sealed(doctor):
    doctor.vault.control.seal()
    found = doctor.run(policy=TRANSIT, exit_code=1)
    assert found["server"][0][0] == "fail" and "sealed" in found["server"][0][1] and "unseal" in found["server"][0][2]
    assert list(found) == ["address", "server"]
    doctor.vault.control.unseal()
    found = doctor.run(exit_code=1, VAULT_ADDR="https://127.0.0.1:1")
    assert found["server"][0][0] == "fail" and "127.0.0.1:1" in found["server"][0][1]
    found = doctor.run(exit_code=1, VAULT_CACERT="/nonexistent")
    assert list(found) == ["address"] and "/nonexistent" in found["address"][0][1]
    found = doctor.run(VAULT_SKIP_VERIFY="1")
    assert found["address"][0][0] == "warn" and "not checked" in found["address"][0][1]
    doctor.vault.control.fault(path="sys/health", html=True, times=2)
    assert doctor.run()["server"][0][0] == "warn"


def test_a_policy_without_keys_of_the_server(doctor):
    found = doctor.run(policy="version: 1\ntopics: [{match: t, protect: {$.a: {type: redact}}}]\n")
    assert found["policy"][0][0] == "warn" and "uses a key of this server" in found["policy"][0][1]
    (doctor.program.folder / "bad.yaml").write_text("version: 2\n")
    doctor.program.run("doctor", "--vault", "-p", "bad.yaml", exit_code=78)


def test_transform(enterprise):
    found = enterprise.run(policy=TRANSFORM)
    bad = {name: lines for name, lines in found.items() if name != "login" and any(one[0] != "ok" for one in lines)}
    assert bad == {}
    assert found["transform/role/payments: role"][0][1] == "its transformations: card, mask, tok, own"
    for method in ("card", "token", "own"):
        assert "encoded and decoded" in found[f"{method}: round trip"][0][1]
    assert "was encoded, in" in found["mask: round trip"][0][1]


def test_transform_tries_the_values_of_the_policys_tests(enterprise):
    enterprise.vault.api("POST", "transform/template/plate", {"type": "regex", "pattern": "P-([0-9]{8})", "alphabet": "builtin/numeric"})
    enterprise.vault.api("POST", "transform/transformations/fpe/card", {"template": "plate", "tweak_source": "internal", "allowed_roles": ["*"]})
    found = enterprise.run(policy=TRANSFORM)
    assert found["card: round trip"][0][0] == "warn" and "takes none of 5 test values" in found["card: round trip"][0][1]
    assert "docs/POLICY.md" in found["card: round trip"][0][2]
    tests = "tests:\n  - {topic: t, in: {a: P-01234567, b: no}, round_trip: true}\n  - {topic: t, in: {a: X}, error: domain}\n"
    found = enterprise.run(policy=TRANSFORM + tests)
    assert found["card: round trip"][0][0] == "ok"


def test_transform_that_does_not_fit(enterprise):
    found = enterprise.run(policy=TRANSFORM.replace("tweak_source: supplied", "tweak_source: generated"), exit_code=1)
    assert found["own: transformation"][0][0] == "fail" and "'tweak_source: supplied' on the server" in found["own: transformation"][0][1]
    assert statuses(found)["card: round trip"] == ["ok"], "the others are tried"
    found = enterprise.run(policy=TRANSFORM.replace("role: payments", "role: paymnts"), exit_code=1)
    line = found["vault:transform/role/paymnts: role"]
    assert line[0][0] == "fail" and "did you mean payments?" in line[0][1]


def test_transform_with_few_rights(enterprise):
    token = enterprise.vault.token_for(("transform/encode/payments", "update"), ttl=7200)
    found = enterprise.run(policy=TRANSFORM, VAULT_TOKEN=token)
    assert found["transform/role/payments: role"][0][0] == "warn"
    assert any('path "transform/decode/payments" { capabilities = ["update"] }' in (hint or "")
               for _, _, hint in found["transform/role/payments: policy"])
    assert "was encoded, in" in found["card: round trip"][0][1]


def test_a_server_without_transform(doctor):
    found = doctor.run(policy=TRANSFORM, exit_code=1)
    assert "Vault Enterprise with the ADP module" in found["vault:transform/role/payments: role"][0][1]


# a server that would take over the terminal

class Hostile(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        health = {"initialized": True, "sealed": False, "standby": False, "version": "1\x1b]0;taken\x07\x1b[2J\nok   fake"}
        body = json.dumps(health if "health" in self.path else {"data": {"policies": ["a\x1b[8m\nb"], "ttl": 100}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def test_a_servers_words_command_no_terminal(tmp_path):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hostile) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = {"VAULT_ADDR": f"http://127.0.0.1:{server.server_port}", "VAULT_TOKEN": "t"}
        out, _ = Program(tmp_path).run("doctor", "--vault", environment=environment)
        server.shutdown()
    assert b"version 1 ]0;taken" in out and b"policies: a [8m b" in out
    assert not [byte for byte in out if byte < 0x20 and byte != 0x0a] and b"\nok   fake" not in out


def test_the_password_of_a_proxy_is_not_shown(tmp_path):
    environment = {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "t", "VAULT_PROXY_ADDR": "http://user:geheim@127.0.0.1:1"}
    out, said = Program(tmp_path).run("doctor", "--vault", environment=environment, exit_code=1)
    assert b"by the proxy http://127.0.0.1:1" in out and b"geheim" not in out and "geheim" not in said
