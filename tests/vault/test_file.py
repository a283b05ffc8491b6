"""Files under a key of Transit: one question for each, whatever its size, and nothing left behind when there is no answer."""
import os

import pytest
from shop import AWAY, DATA, DENIED, IMPATIENT, Shop

CONTENT = os.urandom(3 << 20)


@pytest.fixture
def files(tmp_path, vault):
    shop = Shop(tmp_path, vault, **IMPATIENT)
    shop.environment["SEALSTREAM_KEY"] = "vault:transit/pii"
    (tmp_path / "disk.img").write_bytes(CONTENT)
    return shop


def asked(vault):
    return {path: count for path, count in vault.control.stats().items() if path.startswith("transit/")}


def test_one_question_for_each_file(files, vault):
    vault.control.record()
    files.run("file", "protect", "--chunk-size", "16KiB", "disk.img")
    before = asked(vault)
    assert before.pop("transit/datakey/plaintext/pii") == 1
    assert set(before) <= {"transit/keys/pii"}
    assert files.run("file", "reveal", "-o", "-", "disk.img.seal")[0] == CONTENT
    after = asked(vault)
    assert after["transit/decrypt/pii"] == after["transit/datakey/plaintext/pii"] == 1
    # What went to the server is no part of the file.
    assert vault.control.requests and all(len(seen["body"]) < 1024 for seen in vault.control.requests)


def test_a_part_asks_once(files, vault):
    files.run("file", "protect", "--chunk-size", "16KiB", "disk.img")
    assert files.run("file", "reveal", "--range", "1000000:70000", "disk.img.seal")[0] == CONTENT[1000000:1070000]
    assert asked(vault)["transit/decrypt/pii"] == 1


def test_old_versions_open(files, vault):
    files.run("file", "protect", "disk.img")
    vault.api("POST", "transit/keys/pii/rotate", {})
    assert files.run("file", "reveal", "-o", "-", "disk.img.seal")[0] == CONTENT


@pytest.mark.parametrize("fault, exit_code", [("away", AWAY), ("sealed", AWAY), ("denied", DENIED)])
@pytest.mark.parametrize("way", ["protect", "reveal"])
def test_no_answer_no_file(files, vault, fault, exit_code, way):
    files.run("file", "protect", "-o", "sealed", "disk.img")
    if fault == "away":
        vault.control.away()
    elif fault == "sealed":
        vault.control.seal()
    else:
        files.environment["VAULT_TOKEN"] = vault.token_for(("transit/keys/pii", "read"))
    before = sorted(os.listdir(files.folder))
    _, said = files.run("file", way, "-o", "out", "sealed", exit_code=exit_code)
    assert sorted(os.listdir(files.folder)) == before
    if fault == "denied":
        needed = "transit/datakey/plaintext/pii" if way == "protect" else "transit/decrypt/pii"
        assert f'path "{needed}" {{ capabilities = ["update"] }}' in said


def test_another_key_does_not_open_it(files, vault):
    vault.engine().new_key("other")
    files.run("file", "protect", "disk.img")
    files.run("file", "reveal", "-k", "vault:transit/other", "-o", "out", "disk.img.seal", exit_code=DATA)
    assert not (files.folder / "out").exists()


def test_a_wrapped_key_of_another_file_is_refused(files, vault):
    files.run("file", "protect", "disk.img")
    files.run("file", "protect", "-o", "other", "disk.img")
    first, other = ((files.folder / name).read_bytes() for name in ("disk.img.seal", "other"))
    end = 29 + int.from_bytes(first[25:29], "big")
    (files.folder / "mixed").write_bytes(first[:29] + other[29:end] + first[end:])
    _, said = files.run("file", "reveal", "-o", "out", "mixed", exit_code=DATA)
    assert "not of the key that it carries" in said and not (files.folder / "out").exists()


def test_a_derived_key(files, vault):
    vault.engine().new_key("mine", derived=True)
    files.run("file", "protect", "-k", "vault:transit/mine", "disk.img")
    assert files.run("file", "reveal", "-k", "vault:transit/mine", "-o", "-", "disk.img.seal")[0] == CONTENT
