"""Pub/Sub: what it alone has. Google's credentials, ordering keys, attributes, acknowledgement ids; and Google's own client beside."""
import json
import time

import google.auth.jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from pubsub_server import EMAIL, PROJECT, PubSub, service_account

POLICY = """version: 1
keys: {pii: "local:pii"}
defaults: {on_error: dead_letter}
topics:
- match: "*"
  dead_letter: {topic: lost, key: pii}
  protect:
    $.Address: {type: encrypt, key: pii}
"""


@pytest.fixture(scope="module")
def server(cache, tmp_path_factory):
    server = PubSub(cache, tmp_path_factory.mktemp("pubsub"))
    yield server
    server.stop()


@pytest.fixture
def pubsub(server):
    yield server
    server.control("calm")


@pytest.fixture
def prepared(sealstream):
    sealstream.run("key", "create", "pii")
    (sealstream.folder / "policy.yaml").write_text(POLICY)
    return sealstream


def values(n):
    return [json.dumps({"Address": f"{i} High St", "n": i}).encode() for i in range(n)]


def pump(source, target, *more):
    return ("pump", "--from", f"{source}-sub", "--to", target, "-p", "policy.yaml", "-e", "--pubsub-idle", "500ms", *more)


def check_all(messages, n):
    """All numbers are there and sealed; returns how many came twice."""
    seen = [json.loads(each.data) for each in messages]
    assert {each["n"] for each in seen} == set(range(n))
    assert all(each["Address"].startswith("vault:v1:") for each in seen)
    return len(seen) - n


def in_order(messages):
    """Each key's numbers only grow, but where a request came twice as a whole."""
    last = {}
    for each in messages:
        number = json.loads(each.data)["n"]
        assert number > last.get(each.ordering_key, -1)
        last[each.ordering_key] = number


def test_what_google_writes_and_reads(pubsub, prepared):
    source = pubsub.topic("plain", enable_message_ordering=True)
    target = pubsub.topic("sealed", enable_message_ordering=True)
    pubsub.publish("plain", ((f"k{n % 5}", value, {"n": str(n), "ü": "€ \n", "empty": ""}) for n, value in enumerate(values(25))))
    _, told = prepared.run(*pump(source, target), environment=pubsub.environment())
    assert "25 records in, 25 out" in told
    got = pubsub.read("sealed", 25)
    assert check_all(got, 25) == 0
    in_order(got)
    for each in got:
        number = json.loads(each.data)["n"]
        assert each.ordering_key == f"k{number % 5}" and dict(each.attributes) == {"n": str(number), "ü": "€ \n", "empty": ""}
    assert pubsub.read("plain", 0) == []
    assert pubsub.control()["MixedKeys"] == 0


def test_google_verifies_our_tokens(pubsub, prepared):
    topic = pubsub.topic("signed")
    prepared.run("produce", "--plain", "-t", topic, input=b"{}\n", environment=pubsub.environment())
    claims = google.auth.jwt.decode(pubsub.control()["LastBearer"], certs=pubsub.public.read_bytes(),
                                    audience="https://pubsub.googleapis.com/")
    assert claims["iss"] == claims["sub"] == EMAIL and claims["exp"] - claims["iat"] == 3600
    assert google.auth.jwt.decode_header(pubsub.control()["LastBearer"]) == {"alg": "RS256", "typ": "JWT", "kid": "one"}


def test_a_token_that_ends_is_renewed(pubsub, prepared, tmp_path):
    topic = pubsub.topic("renewed")
    before = pubsub.control()
    run = prepared.start("produce", "--plain", "-t", topic, stdin=-1, stderr=-1,
                         environment=pubsub.environment(pubsub.user(tmp_path / "user.json")))
    for n in range(2):
        run.stdin.write(b'{"n":%d}\n' % n)
        run.stdin.flush()
        while pubsub.control()["Calls"].get("publish", 0) - before["Calls"].get("publish", 0) <= n:
            assert run.poll() is None
            time.sleep(0.05)
        pubsub.control("expire")
    run.stdin.write(b'{"n":2}\n')
    _, told = run.communicate(timeout=180)
    assert run.returncode == 0, told
    assert len(pubsub.read("renewed", 3)) == 3
    assert pubsub.control()["Tokens"] - before["Tokens"] == 3


def test_wrong_credentials(pubsub, prepared, tmp_path):
    topic = pubsub.topic("refused")
    user = pubsub.user(tmp_path / "user.json", refresh_token="1//stolen")
    _, told = prepared.run("produce", "--plain", "-t", topic, input=b"{}\n", environment=pubsub.environment(user), exit_code=77)
    assert "invalid_grant" in told and str(user) in told and "stolen" not in told
    other = service_account(tmp_path / "other.json", rsa.generate_private_key(public_exponent=65537, key_size=2048))
    _, told = prepared.run("consume", "--plain", "-e", "-t", f"{topic}-sub", environment=pubsub.environment(other), exit_code=77)
    assert "UNAUTHENTICATED" in told and str(other) in told
    _, told = prepared.run("produce", "--plain", "-t", topic, input=b"{}\n", exit_code=77,
                           environment=pubsub.environment() | {"GOOGLE_APPLICATION_CREDENTIALS": "", "GCE_METADATA_HOST": "127.0.0.1:1"})
    assert "GOOGLE_APPLICATION_CREDENTIALS is not set" in told and "127.0.0.1:1" in told


def test_the_metadata_server(pubsub, prepared):
    pubsub.topic("machine")
    environment = pubsub.environment() | {"GOOGLE_APPLICATION_CREDENTIALS": "",
                                          "GCE_METADATA_HOST": pubsub.endpoint.removeprefix("http://")}
    prepared.run("produce", "--plain", "-t", "pubsub:machine", input=b'{"n":1}\n', environment=environment)
    assert [each.data for each in pubsub.read("machine", 1)] == [b'{"n":1}']


def test_throttled(pubsub, prepared):
    source = pubsub.topic("busy-in")
    target = pubsub.topic("busy-out", enable_message_ordering=True)
    pubsub.publish("busy-in", (("", value, {}) for value in values(50)))
    for verb in ("publish", "pull", "acknowledge", "modifyAckDeadline"):
        pubsub.fail(verb, "RESOURCE_EXHAUSTED", 3)
    prepared.run(*pump(source, target), environment=pubsub.environment())
    check_all(pubsub.read("busy-out", 50), 50)


def test_answers_that_are_lost(pubsub, prepared):
    """Each publish is done once, then said to have failed: it may be there twice, and none is missing."""
    source = pubsub.topic("twice-in")
    target = pubsub.topic("twice-out")
    pubsub.publish("twice-in", (("", value, {}) for value in values(50)))
    pubsub.fail("publish", "ABORTED", 2, after=1)
    prepared.run(*pump(source, target), environment=pubsub.environment())
    assert check_all(pubsub.read("twice-out", 50), 50) > 0


def test_acknowledgement_ids_that_fail_for_now(pubsub, prepared):
    source = pubsub.topic("once-in")
    target = pubsub.topic("once-out")
    pubsub.publish("once-in", (("", value, {}) for value in values(20)))
    pubsub.fail("acknowledge", "INVALID_ARGUMENT", 2, reason="EXACTLY_ONCE_ACKID_FAILURE", metadata="TRANSIENT_FAILURE_TEST")
    prepared.run(*pump(source, target), environment=pubsub.environment())
    assert check_all(pubsub.read("once-out", 20), 20) == 0
    assert pubsub.read("once-in", 0) == []


def test_acknowledgement_ids_that_are_over(pubsub, prepared):
    source = pubsub.topic("over-in")
    target = pubsub.topic("over-out")
    pubsub.publish("over-in", (("", value, {}) for value in values(20)))
    pubsub.fail("acknowledge", "INVALID_ARGUMENT", 1, after=1, reason="EXACTLY_ONCE_ACKID_FAILURE",
                metadata="PERMANENT_FAILURE_INVALID_ACK_ID")
    _, told = prepared.run(*pump(source, target), environment=pubsub.environment())
    assert "they come again" in told
    check_all(pubsub.read("over-out", 20), 20)


def test_poison_goes_to_dead_letters(pubsub, prepared):
    source = pubsub.topic("poison")
    target = pubsub.topic("poison-out")
    pubsub.topic("lost")
    pubsub.publish("poison", [("k", b"no json", {"a": "b"}), ("k", values(1)[0], {})])
    prepared.run(*pump(source, target), environment=pubsub.environment(), exit_code=1)
    check_all(pubsub.read("poison-out", 1), 1)
    dead, = pubsub.read("lost", 1)
    assert dead.ordering_key == "k" and dead.attributes["a"] == "b"


def test_unknown_names(pubsub, prepared):
    _, told = prepared.run("consume", "--plain", "-e", "-t", f"pubsub:{PROJECT}/nobody", environment=pubsub.environment(), exit_code=66)
    assert "404 NOT_FOUND" in told and "nobody" in told
    prepared.run("produce", "--plain", "-t", f"pubsub:{PROJECT}/no body", input=b"{}\n", environment=pubsub.environment(), exit_code=64)


def test_too_long(pubsub, prepared):
    topic = pubsub.topic("long")
    longest = b'{"n":"' + b"x" * 9_990_000 + b'"}'
    _, told = prepared.run("produce", "--plain", "-t", topic, input=longest + b"\n" + longest[:-2] + b"x" * 20_000 + b'"}\n',
                           environment=pubsub.environment(), exit_code=None)
    assert "10 MB" in told
    out, _ = prepared.run("consume", "--plain", "-t", f"{topic}-sub", "-e", "--pubsub-idle", "500ms", environment=pubsub.environment())
    assert out == longest + b"\n"


def test_a_file(pubsub, prepared):
    """In chunks, over a subscription that gives them in any order."""
    topic = pubsub.topic("files")
    content = bytes(range(256)) * 40_000
    (prepared.folder / "big.bin").write_bytes(content)
    prepared.run("file", "send", "-t", topic, "--key", "local:pii", "big.bin", environment=pubsub.environment())
    prepared.run("file", "receive", "-t", f"{topic}-sub", "--key", "local:pii", "--to", "in", "-e", "--pubsub-idle", "500ms",
                 environment=pubsub.environment())
    assert (prepared.folder / "in" / "big.bin").read_bytes() == content
    assert pubsub.read("files", 0) == []


def test_many(pubsub, prepared):
    """A hundred keys, over few connections."""
    n = 20_000
    source = pubsub.topic("many-in")
    target = pubsub.topic("many-out")
    pubsub.publish("many-in", ((f"k{i % 100}", value, {}) for i, value in enumerate(values(n))))
    before = pubsub.control()["Connections"]
    prepared.run(*pump(source, target), environment=pubsub.environment())
    assert pubsub.control()["Connections"] - before < 20
    check_all(pubsub.read("many-out", n), n)
