"""Keys of the embedded keyring."""
import weakref

import pytest
import sealstream


def test_keys(keyring):
    assert keyring.keys() == ["cards", "join", "pii"]
    info = keyring.info("pii")
    assert (info.name, info.type, info.latest_version, info.min_decryption_version) == ("pii", "aes256-gcm96", 1, 1)
    assert not (info.exportable or info.imported or info.deletion_allowed or info.derived)
    assert keyring.rotate("pii") == 2
    assert keyring.version("pii", 2).version == 2 and keyring.version("pii", 1).created_ms >= info.created_ms
    with pytest.raises(sealstream.DataError) as caught:
        keyring.version("pii", 3)
    assert caught.value.code == "key_version"


def test_configure(keyring):
    keyring.rotate("pii")
    keyring.configure("pii", min_decryption_version=2, min_encryption_version=2, auto_rotate=1000,
                      deletion_allowed=True)
    info = keyring.info("pii")
    assert (info.min_decryption_version, info.min_encryption_version, info.auto_rotate) == (2, 2, 1000)
    keyring.destroy_key("pii")
    assert keyring.keys() == ["cards", "join"]
    with pytest.raises(sealstream.DeniedError):
        keyring.destroy_key("cards")
    with pytest.raises(sealstream.UsageError):
        keyring.configure("cards", min_decryption_version=7)


def test_derived_keys(keyring):
    """Convergent ones are derived, too."""
    keyring.create_key("bound", derived=True)
    keyring.create_key("equal", convergent=True)
    keyring.import_key("known", bytes(32), convergent=True)
    assert all(keyring.info(name).derived and keyring.info(name).convergent for name in ("equal", "known"))
    assert [(keyring.info(name).derived, keyring.info(name).convergent) for name in ("join", "bound", "pii")] == [
        (True, True), (True, False), (False, False)]


def test_import_and_export(keyring):
    first, second = bytes(range(32)), bytes(range(1, 33))
    assert keyring.import_key("known", first, exportable=True) == 1
    assert keyring.import_key("known", second) == 2
    assert (keyring.export_key("known"), keyring.export_key("known", 1)) == (second, first)
    assert keyring.info("known").imported
    with pytest.raises(sealstream.DeniedError):
        keyring.export_key("pii")
    with pytest.raises(sealstream.SealError) as caught:
        keyring.import_key("short", b"1234")
    assert caught.value.code == "domain"


def test_errors(keyring, tmp_path):
    with pytest.raises(sealstream.SealError) as caught:
        keyring.create_key("pii")
    assert caught.value.code == "key_exists"
    with pytest.raises(sealstream.SealError) as caught:
        keyring.create_key("new", "rot13")
    assert caught.value.code == "key_type"
    with pytest.raises(sealstream.SealError) as caught:
        keyring.info("none")
    assert caught.value.code == "key_unknown" and "none" in str(caught.value)
    for name, kind in (("a\0b", "aes256-gcm96"), ("a", "ff1\0")):
        with pytest.raises(sealstream.UsageError, match="cannot hold a NUL"):
            keyring.create_key(name, kind)
    with pytest.raises(TypeError):
        keyring.create_key(5)
    with pytest.raises(sealstream.UsageError, match="cannot hold a NUL"):
        sealstream.Keyring(f"{keyring.path}\0x")
    with pytest.raises(sealstream.SealError) as caught:
        sealstream.Keyring(tmp_path / "nothing")
    assert caught.value.code == "no_input"


def test_master_keys(tmp_path):
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse battery staple\n")
    passphrase.chmod(0o600)
    with sealstream.Keyring(tmp_path / "one", passphrase_file=passphrase, create=True) as made:
        made.create_key("pii")
    with sealstream.Keyring(tmp_path / "one", passphrase_file=str(passphrase)) as again:
        assert again.master_made is None and again.keys() == ["pii"]
    passphrase.write_text("wrong\n")
    with pytest.raises(sealstream.SealError) as caught:
        sealstream.Keyring(tmp_path / "one", passphrase_file=passphrase)
    assert caught.value.code == "master"
    with sealstream.Keyring(tmp_path / "two", create=True) as made:
        assert made.master_made is not None and made.path == str(tmp_path / "two")


def test_closed(keyring):
    keyring.close()
    keyring.close()
    with pytest.raises(sealstream.UsageError, match="the keyring is closed"):
        keyring.keys()
    assert "closed" in repr(keyring)


def test_an_exception_does_not_keep_a_closed_one(keyring):
    """Which would keep its master key in memory."""
    with pytest.raises(sealstream.SealError) as caught:
        keyring.info("none")
    opened = weakref.ref(keyring._open)
    keyring.close()
    assert caught.value.__traceback__ is not None and opened() is None
