"""Every kind of bad input: the right exit code, one line that says where and what to do, and never a value."""
import json

import pytest

from shop import POLICY

GOOD = {"Name": "Ada", "Address": "1 High St", "credit_card": "4111-1111-1111-1111"}
CANARY = "7hx9Qcanary2026"


def line(**changes):
    return json.dumps(GOOD | changes).encode() + b"\n"


def check(shop, verb, bad, *expected, arguments=()):
    """The bad record is left out, its neighbours are done; with --fail-fast it ends the run. Returns the message."""
    good = line() if verb == "protect" else shop.protect(line())
    data = good + bad + good
    out, err = shop.run(verb, "--log-level", "debug", *arguments, input=data, exit_code=1)
    assert out.count(b"\n") == 2
    message, *rest = err.splitlines()
    assert message.startswith("sealstream: error: stdin:2: ")
    for text in expected:
        assert text in message
    assert all(text.startswith(("sealstream: warning: 1 of 3 records failed", "sealstream: debug: ")) for text in rest)
    out, err = shop.run(verb, "--fail-fast", *arguments, input=data, exit_code=65)
    assert out.count(b"\n") == 1
    assert err == message + "\n"
    return message


@pytest.mark.parametrize("bad", [
    b"{", b"nonsense", b'{"Address":"x",}', b'{"Address":01}', b'{"Address":"\xff"}', b'{"Address":"a\tb"}', b"\xef\xbb\xbf{}",
    b"[" * 200 + b"]" * 200, b'{"a":1} {"b":2}', b"\x00",
])
def test_not_json(shop, bad):
    assert "byte " in check(shop, "protect", bad + b"\n", "")


def test_wrong_type(shop):
    message = check(shop, "protect", line(credit_card=True), "$['credit_card']", "string")
    assert "true" not in message
    check(shop, "protect", line(credit_card={"n": CANARY}), "$['credit_card']")


def test_card_too_short(shop):
    check(shop, "protect", line(credit_card="4111-1111"), "$['credit_card']", "too short")


def test_already_protected(shop):
    check(shop, "protect", shop.protect(line()), "$['Name']", "already")


def test_plaintext_where_ciphertext_must_be(shop):
    message = check(shop, "reveal", line(), "$['Name']", "not protected")
    assert "on_plaintext" in message


def damaged(shop, change):
    record = json.loads(shop.protect(line()))
    record["Address"] = change(record["Address"])
    return json.dumps(record).encode() + b"\n"


def flip(text):
    head, body = text.rsplit(":", 1)
    at = len(body) // 2
    return head + ":" + body[:at] + ("A" if body[at] != "A" else "B") + body[at + 1:]


def test_flipped_bit(shop):
    check(shop, "reveal", damaged(shop, flip), "$['Address']")


@pytest.mark.parametrize("cut", [1, 4, 8, 40])
def test_cut_tail(shop, cut):
    check(shop, "reveal", damaged(shop, lambda text: text[:-cut]), "$['Address']")


def test_other_key(shop, other_shop):
    check(shop, "reveal", other_shop.protect(line()), "$['Name']")


def test_unknown_version(shop):
    check(shop, "reveal", damaged(shop, lambda text: text.replace("vault:v1:", "vault:v9:")), "$['Address']", "9")


def test_other_version(shop):
    shop.run("key", "rotate", "pii")
    hidden = json.loads(shop.protect(line()))
    hidden["Address"] = hidden["Address"].replace("vault:v2:", "vault:v1:")
    check(shop, "reveal", json.dumps(hidden).encode() + b"\n", "$['Address']")


def test_version_below_the_minimum(shop):
    old = shop.protect(line())
    shop.run("key", "rotate", "pii")
    shop.run("key", "config", "pii", "--min-decryption-version", "2")
    check(shop, "reveal", old, "$['Name']", "minimum")


def test_other_field(shop):
    hidden = json.loads(shop.protect(line()))
    hidden["Name"], hidden["Address"] = hidden["Address"], hidden["Name"]
    check(shop, "reveal", json.dumps(hidden).encode() + b"\n", "$['Name']")


def test_other_namespace(shop):
    hidden = shop.protect(line())
    shop.policy(POLICY.replace("namespace: shop", "namespace: elsewhere"))
    check(shop, "reveal", hidden, "$['Name']")


def test_envelope_without_payload(shop):
    good = json.dumps({"payload": line().decode().strip()}).encode() + b"\n"
    out, err = shop.run("protect", "-J", input=good + b'{"value":1}\n' + good, exit_code=1)
    assert out.count(b"\n") == 2
    assert "stdin:2: no payload" in err


def test_place_of_an_envelope(shop):
    bad = json.dumps({"topic": "purchases", "partition": 3, "offset": 77, "payload": "{"}).encode() + b"\n"
    _, err = shop.run("protect", "-J", input=bad, exit_code=1)
    assert err.startswith("sealstream: error: stdin:1 (purchases/3/77): ")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_names_in_messages_cannot_break_the_line(shop, log_format):
    bad = json.dumps({"topic": "a\nsealstream: \x1b[31mb\x7f", "partition": 0, "offset": 1, "payload": "{"}).encode() + b"\n"
    _, err = shop.run("protect", "-J", "--log-format", log_format, input=bad, exit_code=1)
    assert err.count("\n") == 2  # the message and the summary
    assert "\x1b" not in err and "\x7f" not in err
    out, _ = shop.run("inspect", "-J", input=bad.replace(b'"{"', b'"[\\"vault:v1:AAAA\\"]"'))
    assert out.count(b"\n") == 3 and b"\x1b" not in out


def test_json_messages(shop):
    _, err = shop.run("protect", "--log-format", "json", input=line(credit_card="1"), exit_code=1)
    first = json.loads(err.splitlines()[0])
    assert (first["level"], first["class"], first["code"]) == ("error", "data", "domain")
    assert first["place"] == "stdin:1: $['credit_card']"


# ---- before the first record ----

def test_policy_missing(shop):
    _, err = shop.run("protect", "-p", "absent.yaml", input=b"", exit_code=66)
    assert "cannot open absent.yaml" in err


def test_no_policy_named(program):
    _, err = program.run("protect", input=b"", exit_code=64)
    assert err == "sealstream: error: --policy is needed (or the environment variable SEALSTREAM_POLICY)\n"


@pytest.mark.parametrize("text, place", [
    ("version: 1\ntopcis: []\ntopics: []\n", "policy.yaml:2:1: "),
    (POLICY.replace('"local:pii"', "&x local:pii"), "policy.yaml:3:13: "),
    ("version: [", "policy.yaml:"),
    ("\x00", "policy.yaml"),
])
def test_policy_with_mistakes(shop, text, place):
    shop.policy(text)
    _, err = shop.run("protect", input=line(), exit_code=78)
    assert place in err
    assert err.count("sealstream: error: ") == 1


def test_unknown_key(shop):
    shop.policy(POLICY.replace("local:pii", "local:pij"))
    _, err = shop.run("protect", input=line(), exit_code=78)
    assert "pij" in err and "pii" in err  # the nearest one


def test_key_of_another_type(shop):
    shop.policy(POLICY.replace("local:pii", "local:cards"))
    shop.run("protect", input=line(), exit_code=78)


def test_no_keyring(shop):
    _, err = shop.run("protect", "--keyring", "absent", input=line(), exit_code=66)
    assert "absent" in err


def test_wrong_master_key(shop):
    shop.write("other.key", bytes(range(32))).chmod(0o600)
    _, err = shop.run("protect", "--master-key-file", "other.key", input=line(), exit_code=77)
    assert "master" in err


def test_damaged_key_file(shop):
    path = next((shop.folder / "keyring").glob("pii*"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    _, err = shop.run("protect", input=line(), exit_code=65)
    assert "pii" in err


# ---- no value in any message ----

CANARIES = [
    ("protect", {"credit_card": CANARY}), ("protect", {"credit_card": [CANARY]}), ("protect", {"credit_card": {CANARY: 1}}),
    ("protect", {"Address": "vault:v1:" + CANARY}), ("reveal", {"Address": CANARY}),
    ("reveal", {"Address": "vault:v1:" + CANARY}), ("reveal", {"Address": "json+vault:v1:" + CANARY}),
    ("reveal", {"credit_card": CANARY}), ("reveal", {"Address": "seal:e1:" + CANARY}),
]


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("verb, changes", CANARIES)
def test_no_value_in_messages(shop, verb, changes, log_format):
    data = line(**changes) + b'{"Address":"' + CANARY.encode() + b'\x01"}\n' + CANARY.encode() + b"\n"
    for arguments in ((), ("--fail-fast",)):
        process = shop.start(verb, "--log-level", "debug", "--log-format", log_format, *arguments,
                             stdin=-1, stdout=-1, stderr=-1)
        _, err = process.communicate(data, timeout=60)
        assert process.returncode in (1, 65)
        assert err.count(b"\n") >= 1
        assert CANARY.encode() not in err


# ---- names that no record has ----

def warnings(err):
    return [text.removeprefix("sealstream: warning: ") for text in err.splitlines()]


def test_a_path_that_no_record_has_is_told(shop):
    """A mistyped name leaves data in clear: nobody should have to find out by looking."""
    shop.policy(POLICY.replace("$.Address", "$.Adress"))
    (told,) = warnings(shop.run("protect", input=line() + line())[1])
    assert told == "no record (of 2) has $.Adress: is it written as in the records?"
    assert shop.run("protect", "-j", "4", input=line() + line(Adress="x"))[1] == ""
    assert shop.run("reveal", input=shop.protect(line()))[1] == ""


@pytest.mark.parametrize("data", [b'{"name":"Ada"}\n', b"17\n", b'[{"Name":"Ada"}]\n', b'{"key":"k","payload":"{\\"Name\\":\\"Ada\\"}"}\n'])
def test_nothing_to_protect_is_told(shop, data):
    out, err = shop.run("protect", input=data)
    assert out == data
    (told,) = warnings(err)
    assert told.startswith("no record (of 1) has a field that the policy protects: nothing was protected") and "-J" in told


def test_where_nothing_went_on_nothing_is_told(shop):
    assert shop.run("protect", input=b"")[1] == ""
    assert "no record" not in shop.run("protect", input=b"{\n", exit_code=1)[1]


@pytest.mark.parametrize("data", [b'{\n  "Name": "Ada"\n}\n', b"Name,Address\nAda,1 High St\n"])
def test_other_forms_of_input_are_told(shop, data):
    out, err = shop.run("protect", input=data, exit_code=1)
    assert out == b"" and "jq -c" in err and "no record (of" not in err
    assert "jq -c" not in shop.run("protect", input=data + line(), exit_code=1)[1]


def test_a_missing_key_is_made_with_its_type(shop):
    shop.policy(POLICY.replace("local:cards", "local:shapes"))
    err = shop.run("protect", input=line(), exit_code=78)[1]
    assert "`sealstream key create shapes` makes it (for fpe with --type ff1" in err
