"""Stories one and two with a real Kafka and a real Vault, each party with no more rights than it needs."""
import json

import flow
import foreign
import pytest
import vault_flow


@pytest.fixture
def parties(vault, transit, sealstream):
    """Environments of a producer that may only encrypt, and of a consumer that may only decrypt."""
    vault_flow.prepare(sealstream, vault, transit)
    vault.policy(f"{transit}-producer", **vault_flow.rules(transit, "encrypt"))
    vault.policy(f"{transit}-consumer", **vault_flow.rules(transit, "decrypt"))
    return [vault.environment(vault.make_token(f"{transit}-{name}")) for name in ("producer", "consumer")]


def test_an_admin_sees_everything_then_only_ciphertext(vault, transit, kafka, topic, sealstream, parties):
    producer, consumer = parties
    plain, protected = topic("purchases", 2), topic("purchases_encrypted", 2)
    lines = sealstream.run("sample", "--count", "1000")[0].splitlines()
    foreign.produce(kafka.brokers, plain, flow.numbered(lines[:500]))
    assert {m.value() for m in foreign.consume(kafka.brokers, plain)} == set(lines[:500])  # story one

    sealstream.run(*flow.pump(kafka.brokers, plain, protected), environment=producer)
    vault.rotate("pii", transit)
    foreign.produce(kafka.brokers, plain, ((b"%d" % n, lines[n]) for n in range(500, 1000)))
    sealstream.run(*flow.pump(kafka.brokers, plain, protected), environment=producer)
    versions = {}

    def each(message, number):
        flow.check_protected(message, lines[number])
        version = json.loads(message.value())["Address"].split(":")[1]
        versions[version] = versions.get(version, 0) + 1

    seen = flow.read_numbered(kafka.brokers, protected, each)
    assert len(seen) == 1000 and set(seen.values()) == {1} and versions == {"v1": 500, "v2": 500}

    consume = ("consume", "-b", kafka.brokers, "-t", protected, "-e", "-p", "policy.yaml")
    out, _ = sealstream.run(*consume, environment=consumer)
    assert sorted(out.splitlines()) == sorted(lines)
    _, message = sealstream.run(*consume, environment=producer, exit_code=77)
    assert f'path "{transit}/decrypt/pii" {{ capabilities = ["update"] }}' in message
    assert vault.environment()["VAULT_TOKEN"] not in message


def test_rotation_in_mid_stream(vault, transit, kafka, topic, sealstream, parties):
    """The pump runs on; from some record on the newer version is used, and both reveal."""
    producer, consumer = parties
    plain, protected, revealed = topic("rotating", 2), topic("rotating-protected", 2), topic("rotating-revealed", 2)
    lines = sealstream.run("sample", "--count", "20000")[0].splitlines()
    records = list(flow.numbered(lines))
    foreign.produce(kafka.brokers, plain, records[:10000])
    slow = producer | {"VAULT_RATE_LIMIT": "20"}
    with vault_flow.pump(sealstream, kafka.brokers, plain, protected, slow, count=20000) as pump:
        pump.wait_until_written(2000)
        vault.rotate("pii", transit)
        foreign.produce(kafka.brokers, plain, records[10000:])
        pump.end()
    versions = [json.loads(m.value())["Address"].split(":")[1] for m in foreign.consume(kafka.brokers, protected)]
    assert set(versions) == {"v1", "v2"} and len(versions) == 20000
    vault_flow.check_all(sealstream, kafka.brokers, lines, protected, revealed, consumer)


def test_two_pumps_share_a_server(vault, transit, kafka, topic, sealstream, parties):
    producer, consumer = parties
    plain, protected, revealed = topic("shared", 4), topic("shared-protected", 4), topic("shared-revealed", 4)
    lines = sealstream.run("sample", "--count", "40000")[0].splitlines()
    foreign.produce(kafka.brokers, plain, flow.numbered(lines))
    with vault_flow.pump(sealstream, kafka.brokers, plain, protected, producer) as one, \
            vault_flow.pump(sealstream, kafka.brokers, plain, protected, producer) as two:
        one.end()
        two.end()
    # A partition that changes hands may repeat what was written and not yet committed; nothing is lost.
    vault_flow.check_all(sealstream, kafka.brokers, lines, protected, revealed, consumer, repeats=True)


def test_minimum_version_raised(vault, transit, kafka, topic, sealstream, parties):
    """Records older than the minimum fail, and the message says why; the others still reveal."""
    producer, consumer = parties
    protected = topic("old", 1)
    lines = sealstream.run("sample", "--count", "20")[0].splitlines(keepends=True)
    for half in (lines[:10], lines[10:]):
        sealstream.run("produce", "-b", kafka.brokers, "-t", protected, "-p", "policy.yaml", input=b"".join(half),
                       environment=producer)
        vault.rotate("pii", transit)
    values = b"".join(m.value() + b"\n" for m in foreign.consume(kafka.brokers, protected))
    vault.key_config("pii", transit, min_decryption_version=2)
    out, message = sealstream.run("reveal", "-p", "policy.yaml", "-t", protected, input=values, environment=consumer,
                                  exit_code=1)
    assert out == b"".join(lines[10:])
    assert "below its minimum decryption version" in message and "$['Address']" in message
    vault.key_config("pii", transit, min_decryption_version=1)
    assert sealstream.run("reveal", "-p", "policy.yaml", "-t", protected, input=values,
                          environment=consumer)[0] == b"".join(lines)
