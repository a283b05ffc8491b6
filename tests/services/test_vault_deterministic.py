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
