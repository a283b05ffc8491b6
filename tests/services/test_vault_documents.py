"""README.md and docs/VAULT.md on a real Vault: their blocks with the real programs, their policies under the real rules.

The tests are those of tests/vault/test_documents.py; only the server is another.
"""
import sys

import pytest

from program import ROOT

sys.path.insert(0, str(ROOT / "tests" / "vault"))
from documents import FILES, blocks, run_blocks  # noqa: E402
from test_documents import (Client, test_a_producer_makes_no_key, test_policies_of_streams,  # noqa: E402, F401
                            test_policy_of_administration, test_policy_of_data_keys, test_policy_of_data_keys_for_fields, test_policy_of_hashing,
                            test_policy_of_key_copy, test_policy_of_rewrapping_on_the_server)


@pytest.fixture
def client(tmp_path, dev_vault):
    dev_vault.mount("transit")
    dev_vault.api = lambda method, path, body=None: dev_vault.ask(method, path, body)[1]  # as the double's
    return Client(tmp_path, dev_vault)


@pytest.mark.parametrize("name", FILES)
def test_blocks_run(name, tmp_path, dev_vault, sealstream):
    assert blocks(name)
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("vault", "bao"):
        (tools / tool).symlink_to(dev_vault.program)
    work = tmp_path / "work"
    work.mkdir()
    run_blocks(name, work, sealstream.path, tools, dev_vault.environment() | {"GODEBUG": "x509negativeserial=1"})
