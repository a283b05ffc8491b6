"""Record keys and headers in kcat's envelopes: protect, reveal, rewrap and inspect of files."""
import json

import pytest

from shop import Shop

POLICY = """version: 1
namespace: shop
keys: {{pii: "local:pii", cards: "local:cards"}}
methods:
  secret: {{type: encrypt, key: pii}}
  number: {{type: fpe, key: cards, alphabet: digits, bind: {{domain: customer}}}}
topics:
  - match: purchases
    protect: {{$.Name: secret, $.customer: number}}
    {key}
    headers: {{x-customer: number, x-note: secret, x-mask: {{type: mask}}}}
"""
KEY = "key: number"
LINE = ('{"topic":"t","headers":["x-customer","123456789012","trace","\\u0061","x-note","Bob","x-customer","210987654321",'
        '"X-Note","in clear","x-note",null,"x-mask","secret"],"key": "123456789012" ,"payload":'
        '"{\\"Name\\":\\"Ada\\",\\"customer\\":\\"123456789012\\"}"}\n')


@pytest.fixture
def keyed(tmp_path):
    return Shop(tmp_path, POLICY.format(key=KEY))


def headers(envelope):
    return list(zip(envelope["headers"][::2], envelope["headers"][1::2]))


def test_key_and_headers_are_protected(keyed):
    hidden = keyed.protect(LINE.encode(), "-J")
    found = json.loads(hidden)
    assert found["topic"] == "t"
    number = found["key"]
    assert number.isdigit() and len(number) == 12 and number != "123456789012"
    # One domain: a key, a header and a field of the same text are the same, so that they can be joined.
    assert json.loads(found["payload"])["customer"] == number
    told = headers(found)
    assert [name for name, _ in told] == ["x-customer", "trace", "x-note", "x-customer", "X-Note", "x-note", "x-mask"]
    assert told[0][1] == number and told[1][1] == "a" and told[4][1] == "in clear" and told[5][1] is None
    assert told[2][1].startswith("vault:v1:") and told[3][1] not in ("210987654321", number) and told[6][1] != "secret"
    revealed = json.loads(keyed.reveal(hidden, "-J"))
    before = json.loads(LINE)
    before["headers"][-1] = told[6][1]  # a mask cannot be taken off
    assert revealed == before


def test_a_missing_or_null_key_stays(keyed):
    lines = b'{"payload":"{}"}\n{"key":null,"payload":null}\n{"key":"","payload":"{}"}\n'
    _, err = keyed.run("protect", "-J", input=lines, exit_code=1)
    assert "stdin:3 (/-1/3): key: " in err  # an empty one has no digits
    two = b'{"payload":"{}"}\n{"key":null,"payload":null}\n'
    assert keyed.protect(two, "-J") == two


def test_lines_without_envelopes_have_no_keys(keyed):
    hidden = keyed.protect(b'{"Name":"Ada"}\n')
    assert hidden.startswith(b'{"Name":"vault:v1:')
    assert keyed.reveal(hidden) == b'{"Name":"Ada"}\n'


@pytest.mark.parametrize("change, place", [
    (('"key": "123456789012"', '"key": "12"'), "key"),
    (('"x-customer","123456789012"', '"x-customer","1"'), "header:x-customer"),
    (('"Bob"', '"vault:v1:AAAA"'), "header:x-note"),
])
def test_one_part_fails_the_record(keyed, change, place):
    bad = LINE.replace(*change)
    out, err = keyed.run("protect", "-J", input=(LINE + bad + LINE).encode(), exit_code=1)
    assert out.count(b"\n") == 2
    assert f"stdin:2 (t/-1/2): {place}: " in err and "Bob" not in err and "123456789012" not in err


def test_tampered_and_plain_headers_do_not_reveal(keyed):
    hidden = json.loads(keyed.protect(LINE.encode(), "-J"))
    at = hidden["headers"].index("x-note") + 1
    good = hidden["headers"][at]
    for wrong in ("Bob", good[:-6] + ("AAAA==" if good[-6:] != "AAAA==" else "BBBA==")):
        hidden["headers"][at] = wrong
        out, err = keyed.run("reveal", "-J", input=json.dumps(hidden).encode(), exit_code=1)
        assert out == b"" and "header:x-note: " in err


def test_a_value_of_another_place_does_not_reveal(keyed):
    """What was encrypted as a header is bound to it: it is no field, and no other header."""
    hidden = json.loads(keyed.protect(LINE.encode(), "-J"))
    note = dict(headers({"headers": hidden["headers"][:8]}))["x-note"]
    hidden["payload"] = json.dumps({"Name": note})
    _, err = keyed.run("reveal", "-J", input=json.dumps(hidden).encode(), exit_code=1)
    assert "$['Name']: " in err


def test_json_keys(keyed):
    keyed.policy(POLICY.format(key="key: {$.id: number}"))
    lines = (b'{"key":"{\\"id\\":\\"123456789012\\", \\"region\\":\\"eu\\"}","payload":"{}"}\n'
             b'{"key":{"id":"123456789012", "n":1.0},"payload":"{}"}\n')
    hidden = keyed.protect(lines, "-J").splitlines()
    first, second = json.loads(json.loads(hidden[0])["key"]), json.loads(hidden[1])["key"]
    assert first["id"] == second["id"] != "123456789012" and first["region"] == "eu"
    assert b'"n":1.0}' in hidden[1]
    assert keyed.reveal(b"\n".join(hidden) + b"\n", "-J") == lines
    _, err = keyed.run("protect", "-J", input=b'{"key":"no json","payload":"{}"}\n', exit_code=1)
    assert "key, byte 0: " in err
    _, err = keyed.run("protect", "-J", input=b'{"key":"{\\"id\\":\\"1\\"}","payload":"{}"}\n', exit_code=1)
    assert "key['id']: " in err


def test_an_envelope_that_could_hide_a_key(keyed):
    """Two keys, or headers in another form than kcat's: nothing of them is passed on."""
    for bad in ('{"key":"123456789012","key":"210987654321","payload":"{}"}',
                '{"headers":{"x-note":"Bob","b":"c"},"payload":"{}"}',
                '{"headers":["x-note","Bob"],"headers":[],"payload":"{}"}'):
        out, err = keyed.run("protect", "-J", input=bad.encode() + b"\n", exit_code=1)
        assert out == b"" and "Bob" not in err and "123456789012" not in err


def test_rewrap(keyed):
    hidden = keyed.protect(LINE.encode(), "-J")
    keyed.run("key", "rotate", "pii")
    moved, err = keyed.run("rewrap", "-p", "policy.yaml", "-J", input=hidden)
    assert "vault:v1:" not in moved.decode() and moved.count(b"vault:v2:") == 2
    assert "2 values rewrapped" in err
    assert json.loads(moved)["key"] == json.loads(hidden)["key"]
    assert keyed.reveal(moved, "-J") == keyed.reveal(hidden, "-J")


def test_inspect(keyed):
    hidden = keyed.protect(LINE.encode(), "-J")
    out = keyed.run("inspect", "-J", input=hidden)[0].decode()
    assert "stdin:1 (t/-1/1): header:x-note: encrypt of a string, key version 1, 53 bytes, 3 in clear\n" in out
    assert "1 record, 1 of them with protected values; 2 values\n" in out
    text = json.loads(hidden)["headers"][5]
    lines = [{"key": text, "payload": None}, {"key": json.dumps({"id": [text]}), "payload": "{}"},
             {"headers": ["a\x1b", text], "payload": "{}"}, {"key": "no json", "payload": "{}"}]
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    report = json.loads(keyed.run("inspect", "-J", "--json", "-s", input=data)[0])
    assert [kind["path"] for kind in report["kinds"]] == ["key", "key['id'][*]", "header:a?"]
    assert report["protected_records"] == report["values"] == 3 and report["failed"] == 0


@pytest.mark.parametrize("form, payload", [("json", r'{\"Name\": \"Ada\"}'), ("bytes", "no JSON")])
def test_values_in_clear_on_purpose(tmp_path, form, payload):
    """`protect: {}`: the key and headers are protected and proved, the value passes."""
    shop = Shop(tmp_path, POLICY.format(key=KEY).replace("{$.Name: secret, $.customer: number}", f"{{}}\n    format: {form}"))
    assert b"Values pass in clear" in shop.run("policy", "explain", "policy.yaml")[0]
    line = LINE[:LINE.index('"payload"')] + f'"payload":"{payload}"}}\n'
    hidden = shop.protect(line.encode(), "-J")
    found = json.loads(hidden)
    assert found["payload"] == json.loads(line)["payload"] and found["key"] != "123456789012"
    back = json.loads(shop.reveal(hidden, "-J"))
    assert back["payload"] == json.loads(line)["payload"] and back["key"] == "123456789012"
    assert b"1 record" in shop.run("verify", "-J", input=hidden)[0]
    assert b"plaintext" in shop.run("verify", "-J", input=line.encode(), exit_code=1)[0]
    told = shop.run("scan", "-p", "policy.yaml", "-J", input=hidden, exit_code=int(form == "json"))[0]  # a name is open
    assert b"unclassified" in told
    assert shop.run("rewrap", "-J", input=hidden)[0]
