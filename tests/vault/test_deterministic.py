"""`deterministic` on Transit, against the double: as OpenBao and as Vault, and a server that takes no notice of versions."""
import json

import pytest

from deterministic_cases import *  # noqa: F401, F403
from deterministic_cases import RECORDS, lines, stream
from double import Double
from test_keys import place_at


@pytest.fixture(params=["openbao", "vault"])
def place(request, certificates, tmp_path):
    with Double(request.param, tls=certificates) as double:
        yield place_at(double, tmp_path)


def test_the_server_sees_a_version_with_each_item(tmp_path, vault):
    """… and nothing but plaintext and context: never associated data, which would put two tags under one nonce."""
    at = place_at(vault, tmp_path)
    vault.engine().new_key("emails", derived=True, convergent=True)
    vault.control.reset()
    vault.control.record()
    stream(at, "protect", "vault:transit/emails", lines(*RECORDS))
    seen = vault.control.seen("transit/encrypt")
    items = [item for one in seen for item in json.loads(one["body"])["batch_input"]]
    assert len(items) == 13
    assert all(set(item) == {"plaintext", "context", "key_version"} and item["key_version"] == 1 for item in items)
