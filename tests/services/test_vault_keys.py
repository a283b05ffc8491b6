"""The `key` commands on Transit of a real server: the cases of tests/vault/key_cases.py; only the server is another."""
import sys

import pytest

from program import ROOT

sys.path.insert(0, str(ROOT / "tests" / "vault"))
from key_cases import *  # noqa: E402, F401, F403
from key_cases import Place  # noqa: E402


@pytest.fixture
def place(vault, transit, sealstream):
    return Place(sealstream, transit, vault.environment(), lambda method, path, body: vault.call(method, path, body))


def test_a_token_may_do_what_its_policy_says(vault, transit, place):
    """Administration without use: docs/VAULT.md's policy for who manages keys, on a mount of the test's own."""
    vault.policy("keys-admin", **{f"{transit}/keys": ["list"], f"{transit}/keys/+": ["create", "read", "update", "delete"],
                                  f"{transit}/keys/+/rotate": ["update"], f"{transit}/keys/+/config": ["update"]})
    place.environment["VAULT_TOKEN"] = vault.make_token("keys-admin")
    pii = place.there("pii")
    place.run("key", "create", pii, "--convergent")
    place.run("key", "rotate", pii)
    place.run("key", "config", pii, "--exportable", "true", "--deletion-allowed", "true")
    assert place.show(pii)["latest_version"] == 2
    said = place.run("key", "export", pii, exit_code=77)
    assert f'path "{transit}/export/encryption-key/pii/2" {{ capabilities = ["read"] }}' in said
    place.run("key", "destroy", pii, "--yes")
    assert place.run("key", "list", f"vault:{transit}") == ""
