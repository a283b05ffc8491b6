"""inspect, sample, doctor, and what no command may do with secrets."""
import json
import os
import re

import pytest

from program import wait_until_read


# ---- sample ----

def luhn(card):
    digits = [int(c) for c in card if c.isdigit()]
    return sum(d if i % 2 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits)) % 10 == 0


def test_purchases(program):
    records = [json.loads(line) for line in program.run("sample", "-c", "2000")[0].splitlines()]
    assert len(records) == 2000
    for record in records:
        assert list(record) == ["Name", "Address", "credit_card"]
        assert re.fullmatch(r"\d{4}-\d{4}-\d{4}-\d{4}", record["credit_card"])
        assert luhn(record["credit_card"])
        assert record["credit_card"].startswith(("4111-11", "4242-42", "5555-55", "5105-10", "6011-11", "4000-00"))
    assert any(not record["Name"].isascii() for record in records)


def test_sample_is_the_same_everywhere(program):
    """The bytes themselves: whoever changes them breaks everybody's comparisons."""
    out = program.run("sample", "-c", "2", "--seed", "42")[0].decode()
    assert out == SEED_42


SEED_42 = """{"Name":"Rosa Dubois","Address":"279 Main Street, 86822 London","credit_card":"4242-4283-6245-5621"}
{"Name":"Chloé Lindqvist","Address":"94 Station Road, 07305 Aarhus","credit_card":"5105-1060-2779-6786"}
"""


def test_seeds(program):
    def sample(*arguments):
        return program.run("sample", "-c", "50", *arguments)[0]

    assert sample() == sample("--seed", "1") != sample("--seed", "2")
    assert sample("--shape", "order", "--seed=3") == sample("--shape", "order", "--seed=3")


def test_orders(program):
    lines = program.run("sample", "-c", "500", "--shape", "order")[0].splitlines()
    text = b"\n".join(lines)
    for order in map(json.loads, lines):
        assert 10**19 <= order["order_id"] < 2**64
        assert luhn(order["payment"]["credit_card"])
        assert order["items"] and all("price" in item for item in order["items"])
        assert order["discount"] is None
    for feature in (b"129.90", b"1e2", b"-0.0", b'"note":null', b"\\u2014", b'\\"', "緑茶".encode(), b'"tags":[]'):
        assert feature in text


# ---- inspect ----

def test_inspect_needs_no_key(shop, program):
    data = b'{"Name":"Ada","Address":{"a":1},"credit_card":"4111-1111-1111-1111"}\n'
    hidden = shop.protect(data) + b'{"a":[{"b":"vault:v3:AAAA"}]}\n{}\n\n'
    bare = {"SEALSTREAM_KEYRING": "absent", "SEALSTREAM_POLICY": "absent"}
    out, err = program.run("inspect", input=hidden, environment=bare)
    assert err == ""
    assert out.decode().splitlines() == [
        "stdin:1: $['Name']: encrypt of a string, key version 1, 53 bytes, 3 in clear",
        "stdin:1: $['Address']: encrypt of a JSON value, key version 1, 62 bytes, 7 in clear",
        "stdin:2: $['a'][*]['b']: damaged, 13 bytes",
        "4 records, 2 of them with protected values; 3 values, 1 of them damaged",
        "  $['Name']: 1 x encrypt of a string, key version 1",
        "  $['Address']: 1 x encrypt of a JSON value, key version 1",
        "  $['a'][*]['b']: 1 x damaged",
    ]


def test_names_steer_no_terminal(program):
    """Those of headers and fields, and the topic that an envelope says it is of."""
    nasty, text = "a\x1b[31mb\x9b31m\u202e", "vault:v1:" + "A" * 56
    line = {"topic": nasty, "key": "k", "payload": json.dumps({nasty: text}, ensure_ascii=False), "headers": [nasty, text]}
    out = program.run("inspect", "-J", input=json.dumps(line, ensure_ascii=False).encode())[0].decode()
    assert "header:a?[31mb??31m???: " in out and "(a?[31mb??31m???/-1/1)" in out and "$['a\\u001b[31mb??31m???']: " in out
    assert not any(c in out for c in "\x1b\x9b\u202e")


def test_inspect_json(shop):
    hidden = shop.protect(b'{"Name":"Ada"}\n' * 3)
    out = [json.loads(line) for line in shop.run("inspect", "--json", input=hidden)[0].splitlines()]
    assert [entry["schema"] for entry in out] == ["sealstream.inspect.value/1"] * 3 + ["sealstream.inspect/1"]
    assert out[0] == {"schema": "sealstream.inspect.value/1", "place": "stdin:1", "path": "$['Name']", "method": "encrypt",
                      "damaged": False, "value": "string", "key_version": 1, "bytes": 53, "plaintext_bytes": 3}
    assert out[-1]["records"] == out[-1]["protected_records"] == out[-1]["values"] == 3
    assert out[-1]["kinds"] == [{"path": "$['Name']", "method": "encrypt", "value": "string", "key_version": 1,
                                 "values": 3, "bytes": 159}]
    assert len(shop.run("inspect", "--json", "--summary", input=hidden)[0].splitlines()) == 1


def test_inspect_finds_escaped_and_whole_values(shop):
    hidden = shop.protect(b'{"Name":"Ada"}\n').decode()
    body = json.loads(hidden)["Name"]
    escaped = '{"\\u0061\\"":"%s"}\n' % body.replace("vault:", "vault\\u003a")
    out = shop.run("inspect", input=(escaped + body + "\n").encode())[0].decode()
    assert "$['a\"']: encrypt of a string" in out
    assert "stdin:2: $: encrypt of a string" in out


def test_inspect_of_bad_records(program):
    out, err = program.run("inspect", input=b'{"a":1}\n{\n', exit_code=1)
    assert "stdin:2: byte 1" in err
    assert b"2 records, 0 of them" in out
    program.run("inspect", "absent", exit_code=66)


def test_inspect_of_many_kinds(program):
    """The summary is bounded, whatever names the records have."""
    data = "".join('{"n%d":"vault:v1:AAAA","\\ud800":"\\ud800"}\n' % i for i in range(1500)).encode()
    out = program.run("inspect", "-s", input=data)[0].decode().splitlines()
    assert len(out) == 1002
    assert out[-1] == "  other paths: 500 values"
    report = json.loads(program.run("inspect", "-s", "--json", input=data)[0])
    assert len(report["kinds"]) == 1000 and report["damaged"] == 1500
    assert report["kinds"][0]["method"] is None


def test_inspect_envelopes(shop):
    hidden = shop.protect(b'{"Name":"Ada"}\n').decode().strip()
    line = json.dumps({"topic": "t", "partition": 0, "offset": 5, "payload": hidden}).encode() + b"\n"
    assert b"stdin:1 (t/0/5): $['Name']: encrypt" in shop.run("inspect", "-J", input=line)[0]


# ---- doctor ----

def test_doctor(shop):
    out = shop.run("doctor")[0].decode()
    for name in ("processor", "openssl", "back ends", "locked memory", "core files", "librdkafka", "keyring"):
        assert re.search(rf"^(ok|warn)\s+{name} ", out, re.M)
    report = json.loads(shop.run("doctor", "--json")[0])
    assert report["schema"] == "sealstream.doctor/1" and report["ok"]
    checks = {check["name"]: check for check in report["checks"]}
    assert "OpenSSL 3." in checks["openssl"]["text"]
    assert checks["keyring"]["text"].startswith("2 keys in ")
    assert re.match(r"\d+\.\d+\.\d+", checks["librdkafka"]["text"]) and "ssl" in checks["librdkafka"]["text"]
    assert all((check["hint"] is None) == (check["status"] == "ok") for check in report["checks"])


def test_doctor_finds_a_damaged_key(shop):
    path = next((shop.folder / "keyring").glob("pii*"))
    path.write_bytes(path.read_bytes()[:-1])
    out = shop.run("doctor", exit_code=1)[0].decode()
    assert re.search(r"^fail\s+keyring\s+key pii", out, re.M)


def test_colors(program):
    assert b"\033[" not in program.run("doctor")[0]
    assert b"\033[" in program.run("doctor", "--color", "always")[0]
    assert b"\033[" not in program.run("doctor", environment={"NO_COLOR": "1", "SEALSTREAM_COLOR": "auto"})[0]


def test_version_json(program):
    report = json.loads(program.run("version", "--json")[0])
    assert report["schema"] == "sealstream.version/1" and re.fullmatch(r"\d+\.\d+\.\d+", report["version"])


# ---- secrets ----

def test_no_option_takes_a_secret(program):
    """Secrets come from files: nothing that `ps` shows may hold one."""
    made = program.run("configuration")[0].decode()
    for option in re.findall(r"`--([a-z-]+)`", made):
        if re.search(r"pass|secret|key|token|material", option):
            assert option.endswith("-file") or option in ("key", "keyring", "key-delimiter", "material", "vault-client-key",
                                                          "vault-secret-wrapped", "file-key-delimiter"), option
    assert re.search(r"`--vault-client-key` \| \w+ \| \w* *\| `\w+` \| PEM file", made)
    # --material is a file, too.
    assert re.search(r"`--material` \| \w+ \| \w* *\| *\| .*file", made)


def test_process_is_hardened(shop):
    process = shop.start("protect", stdin=-1, stdout=-1)
    try:
        process.stdin.write(b'{"Name":"x"}\n')
        process.stdin.flush()
        process.stdout.readline()
        limits = open(f"/proc/{process.pid}/limits").read()
        assert re.search(r"^Max core file size\s+0\s+0\s", limits, re.M)
        # Not dumpable: its files in /proc belong to root, whoever runs it.
        assert os.stat(f"/proc/{process.pid}/mem").st_uid == 0
    finally:
        process.communicate(timeout=60)


def test_crash_leaves_no_core(shop):
    process = shop.start("protect", stdin=-1, stdout=-1, stderr=-1)
    wait_until_read(process, b'{"Name":"x"}\n')  # it is at work, and hardened
    process.send_signal(11)
    process.communicate(timeout=60)
    assert process.returncode in (-11, 1)
    assert not list(shop.folder.glob("core*"))


@pytest.mark.parametrize("arguments", [["key", "list"], ["key", "show", "pii"], ["key", "rotate", "pii"], ["doctor"]])
def test_no_key_material_in_output(shop, arguments):
    shop.write("raw", b"0123456789abcdef0123456789ABCDEF").chmod(0o600)
    shop.run("key", "import", "known", "--type", "aes256-gcm96", "--material", "raw")
    out, err = shop.run(*arguments, "--log-level", "debug")
    for form in (b"0123456789abcdef", b"MDEyMzQ1Njc4OWFiY2RlZg", b"30313233343536373839"):
        assert form not in out + err.encode()
