"""The `key` commands on Transit, against the double: as OpenBao, as Vault, and when it does what it should not."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from double import Double  # noqa: E402
from key_cases import *  # noqa: E402, F401, F403
from key_cases import TYPES, Place, import_  # noqa: E402
from program import Program  # noqa: E402


def place_at(double, folder):
    def api(method, path, body):
        answer = double.api(method, path, body)
        return answer and answer["data"]

    types = (*TYPES, "xchacha20-poly1305") if double.core.product == "openbao" else TYPES
    return Place(Program(folder), "transit", double.environment(), api, types)


@pytest.fixture(params=["openbao", "vault"])
def place(request, certificates, tmp_path):
    with Double(request.param, tls=certificates) as double:
        yield place_at(double, tmp_path)


# What a server does wrong

@pytest.fixture
def double(certificates):
    with Double(tls=certificates) as double:
        yield double


@pytest.fixture
def faulty(double, tmp_path):
    return place_at(double, tmp_path)


def posts(double, path):
    return [seen for seen in double.control.requests if seen["method"] in ("POST", "PUT") and seen["path"] == path]


@pytest.mark.parametrize("how", [{"drop": True}, {"cut": 20}, {"cut": 10, "cut_from": "body"}],
                         ids=["no answer", "half a head", "half a body"])
def test_a_lost_answer_is_not_asked_for_again(double, faulty, how):
    """Rotating twice is not rotating once; and a key that was made is found."""
    double.control.recording = True
    faulty.run("key", "create", "vault:transit/pii")
    double.control.fault(path="transit/keys/pii/rotate", done=True, **how)
    faulty.run("key", "rotate", "vault:transit/pii", exit_code=69)
    assert len(posts(double, "transit/keys/pii/rotate")) == 1
    assert faulty.show("vault:transit/pii")["latest_version"] == 2
    double.control.fault(path="transit/keys/other$", method="POST", done=True, **how)
    faulty.run("key", "create", "vault:transit/other", exit_code=69)
    assert "there already" in faulty.run("key", "create", "vault:transit/other", exit_code=73)
    assert len(posts(double, "transit/keys/other")) == 1


def test_a_copy_goes_on_after_an_outage(double, faulty):
    faulty.run("key", "create", "mine", "--exportable")
    for _ in range(3):
        faulty.run("key", "rotate", "mine")
    double.control.fault(path="transit/keys/mine/import_version", skip=1, times=0, status=503, errors=["Vault is sealed"])
    said = faulty.run("key", "copy", "mine", "vault:transit/mine", "--vault-retries", 0, exit_code=69)
    assert "sealed" in said and faulty.show("vault:transit/mine")["latest_version"] == 2
    double.control.clear()
    # an import whose answer was lost is found by its material, not made twice
    double.control.fault(path="transit/keys/mine/import_version", done=True, drop=True)
    faulty.run("key", "copy", "mine", "vault:transit/mine", exit_code=69)
    assert "1 of 4 versions copied, 3 there already" in faulty.run("key", "copy", "mine", "vault:transit/mine")
    faulty.agree("local:mine", "vault:transit/mine")


def test_another_key_in_the_answers_place_is_noticed(double, faulty):
    """An answer that is not what was asked for, from a cache or a confused proxy."""
    def other_type(status, headers, data):
        if data.get("data"):
            data["data"]["type"] = "aes128-gcm96"
        return status, headers, data

    double.control.fault(path="transit/keys/pii$", method="GET", skip=1, edit=other_type)
    assert "has type aes128-gcm96" in faulty.run("key", "create", "vault:transit/pii", exit_code=78)
    faulty.run("key", "create", "mine", "--exportable")
    double.control.fault(path="transit/wrapping_key", body='{"data": {"public_key": "-----BEGIN PUBLIC KEY-----\\nAAAA\\n"}}',
                         status=200)
    assert "RSA public key" in faulty.run("key", "copy", "mine", "vault:transit/mine", exit_code=65)
    for body in ('{"data": {}}', '{"data": {"type": 7, "latest_version": "x"}}', "[]", '{"data": {"type": "aes256-gcm96"}}'):
        double.control.fault(path="transit/keys/pii$", method="GET", body=body, status=200)
        said = faulty.run("key", "show", "vault:transit/pii", exit_code=69)
        assert "in between" in said
    for keys in ('{}', '{"1": 5}', '{"1": "@@@@"}', '{"1": "AAAA' + "A" * 4096 + '"}'):
        faulty.run("key", "config", "vault:transit/pii", "--exportable", "true")
        double.control.fault(path="transit/export/", body=f'{{"data": {{"keys": {keys}}}}}', status=200)
        assert "no key material" in faulty.run("key", "export", "vault:transit/pii", exit_code=69)


def test_material_that_the_server_does_not_use(double, faulty):
    """Nothing is made here of an export that does not fit what the server encrypts with."""
    faulty.run("key", "create", "vault:transit/pii", "--exportable")
    double.control.fault(path="transit/export/", body='{"data": {"keys": {"1": "%s="}}}' % ("A" * 43), status=200)
    assert "not the key that it uses" in faulty.run("key", "copy", "vault:transit/pii", "local:pii", exit_code=78)
    assert "no key pii" in faulty.run("key", "show", "local:pii", exit_code=78)


@pytest.mark.parametrize("version", [1, 2])
def test_an_import_that_becomes_another_key(double, faulty, version):
    """What the server keeps is not what was sent: whoever imports is told before anything is encrypted with it."""
    def exchange(status, headers, data):
        double.engine().keys["mine"].versions[version].key = bytes(32)
        return status, headers, data

    for number in range(1, version):
        import_(faulty, "vault:transit/mine", bytes([number]) * 32, "--type", "aes256-gcm96")
    double.control.fault(path="transit/keys/mine/import", edit=exchange)
    said = import_(faulty, "vault:transit/mine", bytes([version]) * 32, "--type", "aes256-gcm96", exit_code=73)
    assert "key transit/mine was imported, but not proved to be the same" in said


def test_refusals_name_what_is_missing(double, faulty):
    faulty.run("key", "create", "vault:transit/pii", "--exportable")
    faulty.environment["VAULT_TOKEN"] = double.token_for(("transit/keys/pii", "read"))
    for words, line in ((["rotate"], 'path "transit/keys/pii/rotate" { capabilities = ["update"] }'),
                        (["config", "--min-decryption-version", 1], 'path "transit/keys/pii/config"'),
                        (["export"], 'path "transit/export/encryption-key/pii/1" { capabilities = ["read"] }')):
        assert line in faulty.run("key", words[0], "vault:transit/pii", *words[1:], exit_code=77)
    assert 'capabilities = ["list"]' in faulty.run("key", "list", "vault:transit", exit_code=77)
