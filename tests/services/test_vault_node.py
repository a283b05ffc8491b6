"""The test server itself: what later tests take for granted of it."""
import pytest
from vault_node import VaultError


def test_encrypts_and_refuses(vault, transit):
    vault.key("pii", transit)
    text = vault.encrypt("pii", b"1 High St", transit)
    assert text.startswith("vault:v1:") and vault.decrypt("pii", text, transit) == b"1 High St"
    vault.policy("reader", **{f"{transit}/decrypt/pii": ["update"]})
    token = vault.make_token("reader")
    assert vault.call("POST", f"{transit}/decrypt/pii", {"ciphertext": text}, token=token)
    with pytest.raises(VaultError) as refused:
        vault.call("POST", f"{transit}/encrypt/pii", {"plaintext": ""}, token=token)
    assert refused.value.status == 403


@pytest.mark.parametrize("kind", ["approle", "userpass", "cert", "kubernetes", "jwt", "ldap", "aws"])
def test_ways_to_log_in_can_be_enabled(own_vault, kind):
    own_vault.enable_auth(kind)
    assert f"{kind}/" in own_vault.call("GET", "sys/auth")


@pytest.mark.parametrize("storage", ["file", "raft"])
def test_keeps_what_it_has_when_it_is_killed(cache, tmp_path, storage):
    from vault_node import VaultNode
    node = VaultNode(cache, tmp_path / "node", storage)
    try:
        node.mount("transit")
        node.key("pii")
        text = node.encrypt("pii", b"kept")
        node.kill()
        assert node.health() == "away"
        node.start(unseal=False)
        assert node.health() == "sealed"
        node.unseal()
        assert node.decrypt("pii", text) == b"kept"
        with node.sealed():
            assert node.ask("GET", "transit/keys/pii")[0] == 503
        assert node.decrypt("pii", text) == b"kept"
        assert "transit/decrypt/pii" in node.audit_log.read_text()
    finally:
        node.stop()


def test_dev_server(dev_vault):
    dev_vault.mount("transit")
    dev_vault.key("pii")
    assert dev_vault.keys() == ["pii"]
