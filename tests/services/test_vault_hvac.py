"""Another client of Transit, hvac, reads what sealstream wrote, and sealstream what hvac wrote."""
import base64
import json

import hvac
import pytest

POLICY = """version: 1
namespace: tests
keys: {{pii: "vault:{mount}/pii"}}
topics:
- match: "*"
  protect:
    $.Address: {{type: {type}, key: pii, bind: {bind}}}
"""
ADDRESSES = ["1 High St", "", "Zoë, 2 Straße", "x" * 10_000, "\u0000 \U0001f512"]
PLACE = (b"\x01\x01" + (5).to_bytes(4, "big") + b"tests" + (12).to_bytes(4, "big") + b"$['Address']" + b"\x01")


def b64(data):
    return base64.b64encode(data).decode()


@pytest.fixture
def client(vault):
    return hvac.Client(url=vault.address, token=vault.token, verify=str(vault.ca) if vault.ca else True)


@pytest.fixture(params=["aes256-gcm96", "aes128-gcm96", "chacha20-poly1305"])
def kind(request):
    return request.param


def write_policy(sealstream, mount, bind, type="encrypt"):
    (sealstream.folder / "policy.yaml").write_text(POLICY.format(mount=mount, bind=bind, type=type))


def records(values):
    return "".join(json.dumps({"Address": value}, ensure_ascii=False, separators=(",", ":")) + "\n" for value in values).encode()


def protect(sealstream, vault, values):
    out, _ = sealstream.run("protect", "-p", "policy.yaml", "-t", "t", input=records(values), environment=vault.environment())
    return [json.loads(line)["Address"] for line in out.splitlines()]


def reveal(sealstream, vault, texts):
    out, _ = sealstream.run("reveal", "-p", "policy.yaml", "-t", "t", input=records(texts), environment=vault.environment())
    return [json.loads(line)["Address"] for line in out.splitlines()]


@pytest.mark.parametrize("bind, more", [("none", {}), ("place", {"associated_data": b64(PLACE)})])
def test_both_ways(vault, transit, sealstream, client, kind, bind, more):
    vault.key("pii", transit, type=kind)
    write_policy(sealstream, transit, bind)
    for value, text in zip(ADDRESSES, protect(sealstream, vault, ADDRESSES), strict=True):
        answer = client.write(f"{transit}/decrypt/pii", ciphertext=text, **more)
        assert base64.b64decode(answer["data"]["plaintext"]).decode() == value
    if bind == "none":  # hvac's own call has no associated data
        assert client.secrets.transit.decrypt_data("pii", protect(sealstream, vault, ["x"])[0],
                                                   mount_point=transit)["data"]["plaintext"] == b64(b"x")
    theirs = [client.write(f"{transit}/encrypt/pii", plaintext=b64(value.encode()), **more)["data"]["ciphertext"]
              for value in ADDRESSES]
    assert reveal(sealstream, vault, theirs) == ADDRESSES


def test_a_derived_key(vault, transit, sealstream, client):
    """The place is the context."""
    vault.key("pii", transit, derived=True)
    write_policy(sealstream, transit, "place")
    for value, text in zip(ADDRESSES, protect(sealstream, vault, ADDRESSES), strict=True):
        answer = client.secrets.transit.decrypt_data("pii", text, context=b64(PLACE), mount_point=transit)
        assert base64.b64decode(answer["data"]["plaintext"]).decode() == value
    theirs = [client.secrets.transit.encrypt_data("pii", b64(value.encode()), context=b64(PLACE), mount_point=transit)
              for value in ADDRESSES]
    assert reveal(sealstream, vault, [answer["data"]["ciphertext"] for answer in theirs]) == ADDRESSES


def test_moved_to_another_place(vault, transit, sealstream, client):
    """Associated data of another field: refused, and the message says which value."""
    vault.key("pii", transit)
    write_policy(sealstream, transit, "place")
    moved = client.write(f"{transit}/encrypt/pii", plaintext=b64(b"x"), associated_data=b64(PLACE + b"x"))["data"]["ciphertext"]
    out, message = sealstream.run("reveal", "-p", "policy.yaml", "-t", "t", input=records([moved]), exit_code=1,
                                  environment=vault.environment())
    assert out == b"" and "$['Address']: does not authenticate" in message
