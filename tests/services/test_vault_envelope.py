"""Fields under data keys of a real server: how often its audit log says it was asked, and what happens while it is away."""
import json
import subprocess
import time

import pytest

POLICY = """version: 1
namespace: shop
keys: {pii: "vault:transit/pii"}
methods:
  secret: {type: envelope, key: pii, max_age: %s}
topics:
  - match: "*"
    protect: {$.Address: secret, $.order: secret}
"""
PATHS = MAKE, OPEN, REWRAP = "transit/datakey/plaintext/pii", "transit/decrypt/pii", "transit/rewrap/pii"


@pytest.fixture
def shop(own_vault, sealstream):
    own_vault.mount("transit")
    own_vault.key("pii")
    sealstream.environment |= own_vault.environment() | {"SEALSTREAM_POLICY": "policy.yaml", "VAULT_MAX_RETRIES": "0"}

    def use(age):
        (sealstream.folder / "policy.yaml").write_text(POLICY % age)
        return sealstream

    return use


def records(n, first=0):
    return "".join(json.dumps({"Address": f"{i} High St", "order": {"price": 1.10, "n": i}}) + "\n"
                   for i in range(first, first + n)).encode()


def audited(vault):
    return [vault.audited(path) for path in PATHS]


def test_one_request_for_each_side(own_vault, shop):
    program = shop("10m")
    before = audited(own_vault)
    sealed, _ = program.run("protect", input=records(5000))
    assert sealed.count(b"seal:e1:") == 10000
    assert program.run("reveal", input=sealed)[0] == records(5000)
    own_vault.rotate("pii")
    newer, message = program.run("rewrap", input=sealed)
    assert "10000 values rewrapped" in message
    assert [now - was for now, was in zip(audited(own_vault), before)] == [1, 1, 1]
    own_vault.key_config("pii", min_decryption_version=2)
    assert program.run("reveal", input=newer)[0] == records(5000)
    program.run("reveal", input=sealed, exit_code=1)


def through(process, line):
    """One record in, one out; b"" when the process has given up."""
    process.stdin.write(line)
    process.stdin.flush()
    return process.stdout.readline()


def before_and_in_an_outage(vault, writer, reader):
    """What the writer made in the outage, b"" when it or the reader has given up."""
    if through(reader, through(writer, records(1))) != records(1):
        return b""
    vault.kill()
    sealed = through(writer, records(1, 1))
    return sealed if sealed and through(reader, sealed) == records(1, 1) else b""


def test_away_for_less_and_for_more_than_the_age(own_vault, shop):
    """On a machine that is too slow for an age, with a longer one."""
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for seconds in (10, 40, 160):
        program = shop(f"{seconds}s")
        program.environment["SEALSTREAM_RETRY_FOR"] = "1ms"
        writer, reader = program.start("protect", **pipes), program.start("reveal", **pipes)
        began = time.monotonic()
        sealed = before_and_in_an_outage(own_vault, writer, reader)
        took = time.monotonic() - began
        if sealed or took < seconds:
            break
        own_vault.start()
        for process in (writer, reader):
            process.communicate(timeout=60)
    assert b"seal:e1:" in sealed, (took, seconds)
    time.sleep(seconds)
    for process, line in ((writer, records(1, 2)), (reader, sealed)):
        out, message = process.communicate(line, timeout=60)
        assert (process.returncode, out) == (69, b""), message.decode()
    own_vault.start()
    assert program.run("reveal", input=sealed)[0] == records(1, 1)
