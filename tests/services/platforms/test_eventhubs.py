"""Event Hubs: what it alone has. Logins by connection string and by Entra ID, transactions, HTTPS."""
import base64
import hashlib
import json

import foreign
import pytest
import servers
from cryptography.hazmat.primitives.asymmetric import rsa
from azure.eventhub.exceptions import EventHubError
from eventhubs_amqp import EventHubsAmqp
from eventhubs_https import EventHubsHttps
from token_server import TokenServer

HUBS = ["plain", "sealed", "revealed", "dead"]
POLICY = """version: 1
keys: {pii: "local:pii"}
topics:
- match: [plain, sealed]
  protect:
    $.Address: {type: encrypt, key: pii}
"""
NAMESPACE = servers.EventHubs.namespace


@pytest.fixture(scope="module")
def hubs(cache, tmp_path_factory):
    server = servers.EventHubs(cache, tmp_path_factory.mktemp("eventhubs"), [*HUBS, "big", "once", "once-sealed", "lost", "vendor", "vendor-sealed"])
    yield server
    server.stop()


@pytest.fixture(scope="module")
def amqp(cache, hubs):
    server = EventHubsAmqp(cache, hubs)
    yield server
    server.stop()


@pytest.fixture
def https(tmp_path):
    server = EventHubsHttps(tmp_path / "https", HUBS, f"{NAMESPACE}.servicebus.windows.net", servers.EventHubs.key_name,
                            servers.EventHubs.key)
    yield server
    server.stop()


@pytest.fixture
def prepared(sealstream):
    sealstream.run("key", "create", "pii")
    (sealstream.folder / "policy.yaml").write_text(POLICY)
    return sealstream


def at(hub):
    return f"eventhubs:{NAMESPACE}/{hub}"


def reach(server, login=None):
    """The environment of somebody who uses that server."""
    return {"AZURE_EVENTHUB_CONNECTION_STRING": login or string(), "SEALSTREAM_EVENTHUBS_ENDPOINT": server.address,
            "SEALSTREAM_EVENTHUBS_CA_FILE": str(server.ca)}


def string(key=servers.EventHubs.key, **parts):
    text = f"Endpoint=sb://{NAMESPACE}.servicebus.windows.net/;SharedAccessKeyName={servers.EventHubs.key_name};SharedAccessKey={key}"
    return text + "".join(f";{name}={value}" for name, value in parts.items())


def test_pump_exactly_once(hubs, prepared):
    values = [json.dumps({"Address": f"{n} High St", "n": n}).encode() for n in range(500)]
    foreign.produce(hubs.client(), "once", ((b"%d" % n, value) for n, value in enumerate(values)))
    _, told = prepared.run("pump", "--from", at("once"), "--to", at("once-sealed"), "-p", "policy.yaml", "--policy-topic", "plain",
                           "-e", environment=reach(hubs))
    assert "500 records in, 500 out" in told
    sealed = {int(m.key()): json.loads(m.value()) for m in foreign.consume(hubs.client(), "once-sealed")}
    assert len(sealed) == 500 and all(v["Address"].startswith("vault:v1:") and v["n"] == n for n, v in sealed.items())
    # the group stands where the transactions ended
    _, told = prepared.run("pump", "--from", at("once"), "--to", at("once-sealed"), "-p", "policy.yaml", "--policy-topic", "plain",
                           "-e", environment=reach(hubs))
    assert "0 records in" in told


def test_another_namespace_is_not_one_transaction(hubs, prepared):
    _, told = prepared.run("pump", "--from", at("plain"), "--to", "eventhubs:other/sealed", "-p", "policy.yaml", "-e",
                           "--delivery", "exactly-once", environment=reach(hubs), exit_code=64)
    assert "nothing is exactly once" in told


def test_no_login(prepared):
    _, told = prepared.run("consume", "--plain", "-e", "-t", at("plain"), exit_code=77)
    assert "AZURE_EVENTHUB_CONNECTION_STRING" in told and "AZURE_CLIENT_SECRET" in told


def test_connection_string_of_another_hub(hubs, prepared):
    _, told = prepared.run("consume", "--plain", "-e", "-t", at("plain"), exit_code=78,
                           environment=reach(hubs, string(EntityPath="other")))
    assert "another hub, other" in told and servers.EventHubs.key not in told


def test_connection_string_in_a_file(hubs, prepared):
    path = prepared.folder / "login"
    path.write_text(string() + "\n")
    environment = {name: value for name, value in reach(hubs).items() if name != "AZURE_EVENTHUB_CONNECTION_STRING"}
    arguments = ("produce", "--plain", "-t", at("lost"), "--eventhubs-connection-string-file", "login")
    path.chmod(0o644)
    prepared.run(*arguments, input=b'{"a":1}\n', environment=environment, exit_code=77)
    path.chmod(0o600)
    prepared.run(*arguments, input=b'{"a":1}\n', environment=environment)
    assert [m.value() for m in foreign.consume(hubs.client(), "lost")] == [b'{"a":1}']


def test_microsofts_client_writes_and_reads(hubs, amqp, prepared):
    """azure-eventhub, over AMQP: what it wrote is sealed, what was sealed it reads."""
    values = [f'{{"Address":"{n} High St, Zürich","n":{n}}}'.encode() for n in range(200)]
    for key in ("left", "right"):
        amqp.write("vendor", key, [(value, {"of": "hand"}) for value in (values[:100] if key == "left" else values[100:])])
    options = ("-p", "policy.yaml", "--policy-topic", "sealed", "-e")
    _, told = prepared.run("pump", "--from", at("vendor"), "--to", at("vendor-sealed"), *options, environment=reach(hubs))
    assert "200 records in, 200 out" in told
    events = amqp.read("vendor-sealed", 200)
    sealed = {json.loads(event.body_as_str())["n"]: event for event in events}
    assert len(events) == 200 and sorted(sealed) == list(range(200))
    for n, event in sealed.items():
        assert json.loads(event.body_as_str())["Address"].startswith("vault:v1:")
        assert event.partition_key == (b"left" if n < 100 else b"right")
        assert event.properties[b"of"].endswith(b"hand")  # in AMQP's encoding, as the service gives it to Kafka's clients
    revealed, _ = prepared.run("consume", "-t", at("vendor-sealed"), *options, environment=reach(hubs))
    assert sorted(revealed.splitlines()) == sorted(values)


def test_microsofts_client_needs_the_key(amqp):
    with pytest.raises(EventHubError, match="InvalidSignature"):
        amqp.write("vendor", "x", [(b"{}", {})], login=string("wrong"))


def test_too_long_for_the_service(hubs, prepared):
    longest = b'{"a":"%s"}\n' % (b"x" * 1_046_000)
    prepared.run("produce", "--plain", "-t", at("big"), input=longest, environment=reach(hubs))
    _, told = prepared.run("produce", "--plain", "-t", at("big"), input=b'{"a":"%s"}\n' % (b"x" * 1_047_000),
                           environment=reach(hubs), exit_code=65)
    assert "event-bytes" in told or "message.max.bytes" in told
    assert [len(m.value()) for m in foreign.consume(hubs.client(), "big")] == [len(longest) - 1]


def test_entra(kafka, topic, prepared):
    """At a real Kafka that takes tokens: the authority is asked for one of the namespace."""
    from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, ResourcePatternType, ResourceType
    hub = topic("entra")
    foreign.allow(kafka.brokers, [AclBinding(kind, name, ResourcePatternType.LITERAL, "User:app", "*", operation, AclPermissionType.ALLOW)
                                  for kind, name, operation in ((ResourceType.TOPIC, hub, AclOperation.WRITE),
                                                                (ResourceType.TOPIC, hub, AclOperation.DESCRIBE))])
    tokens = TokenServer(kafka.signing_key, kafka.folder, {"app": "s~ecret"})
    ca = kafka.folder / "ca.pem"
    environment = {"AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "app", "AZURE_CLIENT_SECRET": "s~ecret",
                   "AZURE_AUTHORITY_HOST": tokens.url, "SEALSTREAM_EVENTHUBS_ENDPOINT": kafka.sasl_brokers,
                   "SEALSTREAM_EVENTHUBS_CA_FILE": str(ca), "SEALSTREAM_EVENTHUBS_PROPERTY": f"https.ca.location={ca}"}
    try:
        prepared.run("produce", "--plain", "-t", at(hub), input=b'{"a":1}\n', environment=environment)
        assert tokens.scopes == {f"https://{NAMESPACE}.servicebus.windows.net/.default"}
        _, told = prepared.run("produce", "--plain", "-t", at(hub), input=b'{"a":1}\n', exit_code=77,
                               environment=environment | {"AZURE_CLIENT_SECRET": "another"})
        assert "refuses" in told and "another" not in told
    finally:
        tokens.stop()
    assert [m.value() for m in foreign.consume(kafka.brokers, hub)] == [b'{"a":1}']


# --- HTTPS ------------------------------------------------------------------------------------------------------------------

def send(sealstream, https, lines, *more, exit_code=0, login=None, hub="plain"):
    return sealstream.run("produce", "-t", at(hub), "--eventhubs-protocol", "https", *more, input=b"".join(lines), exit_code=exit_code,
                          environment=reach(https, login))[1]


def envelope(value, key=None, **headers):
    """A line of `kcat -J`."""
    return json.dumps({"topic": "plain", "key": key, "payload": value,
                       "headers": [text for pair in headers.items() for text in pair]}).encode() + b"\n"


def test_https_events(https, prepared):
    lines = [envelope(f'{{"n":{n}}}', f"k{n % 3}", ct="seal", u="\u20ac") for n in range(60)]
    send(prepared, https, lines, "-J", "--plain")
    assert len(https.events) == 60 and {hub for hub, _ in https.events} == {"plain"}
    for key in range(3):
        mine = [event for _, event in https.events if event.key == f"k{key}"]
        assert [json.loads(event.body)["n"] for event in mine] == list(range(key, 60, 3))
        assert all(event.properties == {"ct": "seal", "u": "\u20ac"} for event in mine)


def test_https_protects(https, prepared):
    send(prepared, https, [b'{"Address":"1 High St"}\n'], "-p", "policy.yaml")
    (_, event), = https.events
    assert json.loads(event.body)["Address"].startswith("vault:v1:") and event.key is None


@pytest.mark.parametrize("status", [429, 500, 503, None])
def test_https_tries_again(https, prepared, status):
    https.fail(status, 3)
    send(prepared, https, [envelope(f'{{"n":{n}}}', "k") for n in range(5)], "-J", "--plain")
    assert [json.loads(event.body)["n"] for _, event in https.events] == list(range(5))


def test_https_lost_answer_comes_twice(https, prepared):
    https.fail(None, after=True)
    told = send(prepared, https, [envelope('{"n":1}', "k")], "-J", "--plain")
    assert [event.body for _, event in https.events] == [b'{"n":1}'] * 2, told
    assert "1 record had to be sent again" in told  # and that is told


def test_https_wrong_key(https, prepared):
    told = send(prepared, https, [b"{}\n"], "--plain", exit_code=77, login=string("wrong"))
    assert "InvalidSignature" in told and "status 401" in told and not https.events


@pytest.fixture
def entra(https):
    """An authority that signs tokens which the namespace takes; the environment of an application."""
    tokens = TokenServer(rsa.generate_private_key(65537, 2048), https.ca.parent, {"app": "s~e/cret"})
    https.bearers = tokens.tokens
    yield tokens, {"AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "app", "AZURE_CLIENT_SECRET": "s~e/cret",
                   "AZURE_AUTHORITY_HOST": tokens.url} | {name: value for name, value in reach(https).items()
                                                          if name != "AZURE_EVENTHUB_CONNECTION_STRING"}
    tokens.stop()


def send_by_entra(sealstream, environment, lines, exit_code=0):
    return sealstream.run("produce", "--plain", "-t", at("plain"), "--eventhubs-protocol", "https", input=b"".join(lines),
                          environment=environment, exit_code=exit_code)[1]


def test_https_entra(https, entra, prepared):
    tokens, environment = entra
    send_by_entra(prepared, environment, [b'{"n":%d}\n' % n for n in range(100)])
    assert len(https.events) == 100 and tokens.issued == 1 and tokens.scopes == {"https://eventhubs.azure.net/.default"}
    told = send_by_entra(prepared, environment | {"AZURE_CLIENT_SECRET": "another"}, [b"{}\n"], exit_code=77)
    assert "invalid_client" in told and "AZURE_CLIENT_SECRET" in told and "another" not in told
    assert len(https.events) == 100


def test_https_entra_renews(https, entra, prepared):
    """The first token is refused: one more is asked for, once."""
    tokens, environment = entra
    https.bearers = Later(tokens.tokens)
    send_by_entra(prepared, environment, [b'{"n":1}\n'])
    assert len(https.events) == 1 and tokens.issued == 2
    https.bearers = []
    told = send_by_entra(prepared, environment, [b'{"n":1}\n'], exit_code=77)
    assert tokens.issued == 4 and "Azure Event Hubs Data Sender" in told and len(https.events) == 1


class Later:
    """All tokens but the first."""

    def __init__(self, tokens):
        self.tokens = tokens

    def __contains__(self, token):
        return token in self.tokens[1:]


def test_emulator_elsewhere(prepared):
    """Without TLS no key is sent to another machine."""
    _, told = prepared.run("produce", "--plain", "-t", at("plain"), input=b"{}\n", exit_code=78,
                           environment={"AZURE_EVENTHUB_CONNECTION_STRING": string(UseDevelopmentEmulator="true")})
    assert "in the clear" in told and servers.EventHubs.key not in told


def test_https_no_such_hub(https, prepared):
    https.hubs = ["other"]
    told = send(prepared, https, [b"{}\n"], "--plain", exit_code=73)
    assert "no such hub" in told


def test_https_given_signature(https, prepared):
    from azure.eventhub._client_base import _generate_sas_token
    host = f"https://{NAMESPACE}.servicebus.windows.net"
    token = _generate_sas_token(host, servers.EventHubs.key_name, servers.EventHubs.key).token
    login = f"Endpoint=sb://{NAMESPACE}.servicebus.windows.net/;SharedAccessSignature={token}"
    send(prepared, https, [b'{"n":1}\n'], "--plain", login=login)
    assert len(https.events) == 1


def test_https_oversize(https, prepared):
    told = send(prepared, https, [b'{"a":"%s"}\n' % (b"x" * 1_050_000)], "--plain", exit_code=65)
    assert "--eventhubs-event-bytes" in told and not https.events


def test_https_stays_within_a_request(https, prepared):
    lines = [envelope("%d " % n + "\u00fc\"" * 30_000, "k") for n in range(40)]  # 120,000 bytes as JSON
    send(prepared, https, lines, "-J", "--plain")
    assert [event.body.split()[0] for _, event in https.events] == [b"%d" % n for n in range(40)]
    assert https.requests >= 5


def test_https_longest_name(https, prepared):
    https.hubs = ["h" * 256]
    send(prepared, https, [b"{}\n"], "--plain", hub="h" * 256)
    assert [hub for hub, _ in https.events] == https.hubs


def test_https_headers_beside_bytes(https, prepared):
    """What no server takes as headers of HTTP is the record's own failure, before anything is sent."""
    key = b"\xff" * 7000
    told = send(prepared, https, [key + b"|text\n", key + b"|\xff\n"], "-K|", "--plain", exit_code=65)
    assert "headers of HTTP" in told and b"\xff" not in {event.body for _, event in https.events}


def test_https_bytes_go_alone(https, prepared):
    value, key = bytes(range(11, 256)), b"\xff\x00"
    send(prepared, https, [b"k|text\n", key + b"|" + value + b"\n", b"\xc3\xa9|\xff\n"], "-K|", "--plain")
    taken = {event.key: event for _, event in https.events}
    assert taken["k"].body == b"text" and taken["\u00e9"].body == b"\xff"
    mine = taken[hashlib.sha256(key).hexdigest()]
    assert mine.body == value and mine.properties == {"seal.key": base64.b64encode(key).decode()}
