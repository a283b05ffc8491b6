"""doctor --vault on a real server, and Transform where that server has it (then the only place where a real one is asked)."""
import json
import re
import uuid

import pytest
from vault_node import VaultError

CARD = "4111-1111-1111-1234"
TRANSIT = """\
version: 1
keys: {{pii: vault:{mount}/pii, lookup: vault:{mount}/lookup}}
topics:
  - {{match: t, protect: {{$.a: {{type: encrypt, key: pii}}, $.b: {{type: hash, key: lookup}}}}}}
"""
DATA_KEYS = """\
version: 1
keys: {{pii: vault:{mount}/pii}}
topics:
  - {{match: t, protect: {{$.a: {{type: envelope, key: pii}}}}}}
"""
TRANSFORM = """\
version: 1
methods:
  internal: {{type: transform, mount: {mount}, role: payments, transformation: internal}}
  supplied: {{type: transform, mount: {mount}, role: payments, transformation: supplied, tweak_source: supplied}}
  generated: {{type: transform, mount: {mount}, role: payments, transformation: generated, tweak_source: generated}}
  mask: {{type: transform, mount: {mount}, role: payments, transformation: mask, one_way: true}}
  token: {{type: transform, mount: {mount}, role: payments, transformation: token, ttl: 1h}}
topics:
  - match: t
    protect: {{$.internal: internal, $.supplied: supplied, $.generated: generated, $.mask: mask, $.token: token}}
"""


class Doctor:
    def __init__(self, vault, program):
        self.vault, self.program = vault, program

    def run(self, policy, token=None, exit_code=0):
        """{name: [(status, text, hint)]}"""
        (self.program.folder / "p.yaml").write_text(policy)
        out, _ = self.program.run("doctor", "--vault", "-p", "p.yaml", "--json", exit_code=exit_code,
                                  environment=self.vault.environment(token))
        found = {}
        for check in json.loads(out)["checks"]:
            found.setdefault(check["name"], []).append((check["status"], check["text"], check["hint"] or ""))
        return found


@pytest.fixture
def doctor(vault, sealstream):
    return Doctor(vault, sealstream)


def from_nothing(vault, transit, doctor, policy):
    """From a token that may nothing, line by line, to one with which all is well: those lines, and what is said then."""
    rules, rounds = {}, 0
    while True:
        vault.policy(f"{transit}-doctor", **(rules or {"nothing": ["read"]}))
        found = doctor.run(policy, vault.make_token(f"{transit}-doctor"), exit_code=1 if rounds == 0 else 0)
        missing = re.findall(r'path "([^"]+)" \{ capabilities = \["(\w+)"\]', json.dumps(
            [hint for lines in found.values() for _, _, hint in lines]).replace('\\"', '"'))
        if not missing:
            break
        assert rounds < 3, found
        rules |= {path: [capability] for path, capability in missing}
        rounds += 1
    bad = {name: lines for name, lines in found.items() if name not in ("address", "login") and lines[0][0] != "ok"}
    assert bad == {}
    return sorted(rules), found


def test_the_lines_that_it_names_are_enough(vault, transit, doctor):
    vault.key("pii", transit)
    vault.call("POST", f"{transit}/keys/lookup", {"type": "hmac", "key_size": 32})
    rules, found = from_nothing(vault, transit, doctor, TRANSIT.format(mount=transit))
    assert rules == sorted(f"{transit}/{path}" for path in
                           ("keys/pii", "keys/lookup", "encrypt/pii", "decrypt/pii", "hmac/lookup/sha2-256"))
    assert "encrypted and decrypted" in found[f"{transit}/pii: round trip"][0][1]


def test_the_lines_for_data_keys(vault, transit, doctor):
    vault.key("pii", transit)
    rules, found = from_nothing(vault, transit, doctor, DATA_KEYS.format(mount=transit))
    assert rules == sorted(f"{transit}/{path}" for path in ("keys/pii", "datakey/plaintext/pii", "decrypt/pii"))
    assert "a data key was made and opened" in found[f"{transit}/pii: round trip"][0][1]


def test_rights_that_are_too_many(vault, transit, doctor):
    vault.key("pii", transit)
    vault.call("POST", f"{transit}/keys/lookup", {"type": "hmac", "key_size": 32})
    vault.policy(f"{transit}-wide", **{f"{transit}/*": ["create", "read", "update"]})
    found = doctor.run(TRANSIT.format(mount=transit), vault.make_token(f"{transit}-wide"))
    assert any(status == "warn" and f"may create on {transit}/encrypt/pii" in text for status, text, _ in found[f"{transit}/pii: policy"])


@pytest.fixture
def transform(vault):
    """A mount of Transform with each kind of transformation, or None where the server has none."""
    path = f"transform-{uuid.uuid4().hex[:8]}"
    try:
        vault.call("POST", f"sys/mounts/{path}", {"type": "transform"})
    except VaultError as refused:
        assert "plugin not found" in str(refused)
        yield None
        return
    card = {"template": "builtin/creditcardnumber", "allowed_roles": ["payments"], "deletion_allowed": True}
    for source in ("internal", "supplied", "generated"):
        vault.call("POST", f"{path}/transformations/fpe/{source}", {"tweak_source": source, **card})
    vault.call("POST", f"{path}/transformations/masking/mask", card)
    vault.call("POST", f"{path}/transformations/tokenization/token", {"allowed_roles": ["payments"], "deletion_allowed": True})
    vault.call("POST", f"{path}/role/payments", {"transformations": ["internal", "supplied", "generated", "mask", "token"]})
    yield path
    vault.unmount(path)


def test_transform(vault, transform, doctor):
    """On a licensed Vault Enterprise each kind there and back; on any other server, what it lacks."""
    policy = TRANSFORM.format(mount=transform or "transform")
    if transform is None:
        found = doctor.run(policy, exit_code=1)
        assert "Vault Enterprise with the ADP module" in found["vault:transform/role/payments: role"][0][1]
        return
    found = doctor.run(policy)
    for method in ("internal", "supplied", "generated", "mask", "token"):
        assert found[f"{method}: round trip"][0][0] == "ok", found
    methods = ("internal", "supplied", "generated", "token")
    records = [{name: f"4111-1111-{i:04}-1234" for name in methods} for i in range(1000)] + [{"mask": CARD}]
    text = "".join(json.dumps(one) + "\n" for one in records).encode()
    coded, _ = doctor.program.run("protect", "-p", "p.yaml", input=text, environment=vault.environment())
    assert CARD.encode() not in coded and b"****" in coded
    back, _ = doctor.program.run("reveal", "-p", "p.yaml", input=coded, environment=vault.environment())
    assert [json.loads(line) for line in back.splitlines()][:1000] == records[:1000]
    _, said = doctor.program.run("protect", "-p", "p.yaml", input=b'{"internal": "no card"}\n{"internal": "4111-1111-1111-1111"}\n',
                                 exit_code=1, environment=vault.environment())
    assert "stdin:1: $['internal']" in said and "stdin:2" not in said
