"""Files under a key of a real Transit: the audit log has one `datakey` and one `decrypt` for each."""
import os


def test_one_datakey_and_one_decrypt_for_each_file(own_vault, sealstream):
    own_vault.mount("transit")
    own_vault.key("pii")
    sealstream.environment |= own_vault.environment() | {"SEALSTREAM_KEY": "vault:transit/pii"}
    content = os.urandom(5 << 20)
    for number in (1, 2):
        (sealstream.folder / f"photo-{number}.jpg").write_bytes(content)
        sealstream.run("file", "protect", "--chunk-size", "64KiB", f"photo-{number}.jpg")
        assert own_vault.audited("transit/datakey/plaintext/pii") == number
        assert sealstream.run("file", "reveal", "-o", "-", f"photo-{number}.jpg.seal")[0] == content
        assert own_vault.audited("transit/decrypt/pii") == number
    assert own_vault.audited("transit/encrypt/pii") == 0
