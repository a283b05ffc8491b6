"""`deterministic` on Transit of a real server: the cases of tests/vault/deterministic_cases.py; only the server is another."""
import sys

import pytest

from program import ROOT

sys.path.insert(0, str(ROOT / "tests" / "vault"))
from deterministic_cases import *  # noqa: E402, F401, F403
from key_cases import Place  # noqa: E402


@pytest.fixture
def place(vault, transit, sealstream):
    return Place(sealstream, transit, vault.environment(), lambda method, path, body: vault.call(method, path, body))


def test_it_is_convergent_encryption_of_the_third_version(place, key):
    """What the server says of its key; -1: each version of the key knows, and new ones are of the third."""
    found = place.api("GET", "keys/emails")
    assert (found["derived"], found["convergent_encryption"], found["kdf"]) == (True, True, "hkdf_sha256")
    assert found["convergent_encryption_version"] == -1
