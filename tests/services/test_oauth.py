"""OAUTHBEARER on a real broker: tokens by client credentials, their renewal, each refusal, and librdkafka's unsigned ones."""
import subprocess
import time

import flow
import foreign
import pytest
from login_flow import VALUE, grant, newer_librdkafka, pump, settings
from token_server import TokenServer

SECRET = "s3cret/of+the~pump"


@pytest.fixture(scope="module")
def token_server(kafka):
    server = TokenServer(kafka.signing_key, kafka.folder, {"pump": SECRET})
    yield server
    server.stop()


@pytest.fixture
def tokens(token_server):
    """The server as it is by default."""
    yield token_server
    token_server.lifetime, token_server.audience, token_server.away = 600, "kafka", False


def arrived(kafka, topic):
    [message] = foreign.consume(kafka.brokers, topic)
    flow.check_protected(message, VALUE)


def shows_no_secret(tokens, text):
    assert SECRET not in text
    assert not any(token in text or token.split(".")[2] in text for token in tokens.tokens)


def test_client_credentials(kafka, sealstream, two_topics, tokens):
    grant(kafka, "pump", *two_topics)
    properties = kafka.oauth(tokens, "pump") | {"sasl.oauthbearer.scope": "kafka.read kafka.write",
                                                "sasl.oauthbearer.extensions": "logicalCluster=lkc-1,identityPoolId=pool-2"}
    before = tokens.issued
    message = pump(sealstream, properties | {"debug": "all"}, two_topics, "--log-level", "debug")
    arrived(kafka, two_topics[1])
    assert tokens.issued == before + 2  # one each for the consumer and the producer
    assert "kafka.read kafka.write" in tokens.scopes
    shows_no_secret(tokens, message)


def test_java_style_properties(kafka, sealstream, two_topics, tokens):
    grant(kafka, "pump", *two_topics)
    pump(sealstream, {"bootstrap.servers": kafka.sasl_brokers, "security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER",
                      "sasl.oauthbearer.token.endpoint.url": tokens.url, "https.ca.location": kafka.folder / "ca.pem",
                      "sasl.jaas.config": "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required "
                                          f'clientId="pump" clientSecret="{SECRET}" scope="a" extension_logicalCluster="lkc-1";',
                      "ssl.truststore.type": "PEM", "ssl.truststore.location": kafka.folder / "ca.pem"}, two_topics)
    arrived(kafka, two_topics[1])


def test_newer_library(kafka, sealstream, two_topics, tokens, tmp_path):
    """It could fetch tokens by itself; they are fetched as with the older one."""
    grant(kafka, "pump", *two_topics)
    before = tokens.issued
    pump(sealstream, kafka.oauth(tokens, "pump"), two_topics, environment=newer_librdkafka(tmp_path))
    assert tokens.issued == before + 2
    arrived(kafka, two_topics[1])


def test_renewal(kafka, sealstream, two_topics, tokens):
    """The broker ends a connection when its token does: a run outlives many, also one that comes late."""
    source, target = two_topics
    grant(kafka, "pump", source, target)
    tokens.lifetime = 3
    first = tokens.issued
    pumping = sealstream.start("pump", "-F", settings(sealstream, kafka.oauth(tokens, "pump")), "--from", source, "--to", target,
                               "-p", "policy.yaml", "-c", 3, stderr=subprocess.PIPE)

    def until(condition):
        deadline = time.monotonic() + 180
        while not condition():
            assert time.monotonic() < deadline and pumping.poll() is None, pumping.communicate(timeout=5)[1].decode()
            time.sleep(0.05)

    try:
        until(lambda: tokens.issued >= first + 4)
        foreign.produce(kafka.brokers, source, [(b"k", VALUE)])
        tokens.away = True
        until(lambda: tokens.turned_away >= 10)  # of each client at least the first two tries: three requests each
        tokens.away = False
        foreign.produce(kafka.brokers, source, [(b"k", VALUE)])
        message = pumping.communicate(timeout=180)[1].decode()
    finally:
        pumping.kill()
        pumping.wait()
    assert pumping.returncode == 0, message
    assert len(list(foreign.consume(kafka.brokers, target))) == 3
    shows_no_secret(tokens, message)


def test_refused_by_the_token_server(kafka, sealstream, two_topics, tokens):
    message = pump(sealstream, kafka.oauth(tokens, "pump", "not-its-secret"), two_topics, exit_code=77)
    assert "status 401 invalid_client" in message and "sasl.oauthbearer.client.id" in message
    assert "not-its-secret" not in message


def test_refused_by_the_broker(kafka, sealstream, two_topics, tokens):
    tokens.audience = "somebody-else"
    message = pump(sealstream, kafka.oauth(tokens, "pump"), two_topics, exit_code=77)
    assert kafka.sasl_brokers in message and "audience" in message
    shows_no_secret(tokens, message)


def test_token_server_away(kafka, sealstream, two_topics, tokens):
    tokens.away = True
    properties = kafka.oauth(tokens, "pump")
    source, target = two_topics
    _, message = sealstream.run("pump", "-F", settings(sealstream, properties), "--from", source, "--to", target, "-p",
                                "policy.yaml", "-e", "--connect-timeout", "10s", exit_code=69)
    assert "no OAUTHBEARER token" in message and "status 503" in message


@pytest.mark.parametrize("change, timeout, exit_code, words", [
    ({"sasl.oauthbearer.client.secret": ""}, "60s", 78, "sasl.oauthbearer.client.secret is needed"),
    ({"sasl.oauthbearer.token.endpoint.url": "https://127.0.0.1:1/token"}, "3s", 69, "connect"),
    ({"https.ca.location": "/etc/ssl/certs/ca-certificates.crt"}, "60s", 77, "certificate"),
    ({"sasl.oauthbearer.method": "default"}, "60s", 78, "sasl.oauthbearer.method=oidc"),
])
def test_wrong_settings(kafka, sealstream, two_topics, tokens, change, timeout, exit_code, words):
    source, target = two_topics
    properties = kafka.oauth(tokens, "pump") | change
    _, message = sealstream.run("pump", "-F", settings(sealstream, properties), "--from", source, "--to", target, "-p",
                                "policy.yaml", "-e", "--connect-timeout", timeout, exit_code=exit_code)
    assert words in message


def test_unsigned_tokens(kafka, sealstream, two_topics):
    """What librdkafka makes by itself, for tests of brokers."""
    grant(kafka, "erin", *two_topics)
    pump(sealstream, {"bootstrap.servers": kafka.unsigned_brokers, "security.protocol": "SASL_PLAINTEXT",
                      "sasl.mechanism": "OAUTHBEARER", "enable.sasl.oauthbearer.unsecure.jwt": "true",
                      "sasl.oauthbearer.config": "principal=erin"}, two_topics)
    arrived(kafka, two_topics[1])
