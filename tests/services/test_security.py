"""TLS and logins to a real broker: what works, and that each failure names its cause and ends with its code."""
import flow
import foreign
import pytest
from kafka_node import make_authority
from login_flow import (VALUE, grant, grant_group, grant_topics, grant_transactions, librdkafka_version, newer_librdkafka,
                        pump)
from ports import free_ports


def test_plain_over_tls(kafka, sealstream, two_topics):
    grant(kafka, "alice", *two_topics)
    pump(sealstream, kafka.tls("alice"), two_topics)
    [message] = foreign.consume(kafka.brokers, two_topics[1])
    flow.check_protected(message, VALUE)


def test_java_style_properties(kafka, sealstream, two_topics):
    grant(kafka, "alice", *two_topics)
    pump(sealstream, {"bootstrap.servers": kafka.sasl_brokers, "security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN",
                      "sasl.jaas.config": "org.apache.kafka.common.security.plain.PlainLoginModule required "
                                          'username="alice" password="alice-secret";',
                      "ssl.truststore.type": "PEM", "ssl.truststore.location": kafka.folder / "ca.pem"}, two_topics)
    assert len(list(foreign.consume(kafka.brokers, two_topics[1]))) == 1


@pytest.mark.parametrize("user, mechanism", [("bob", "SCRAM-SHA-256"), ("carol", "SCRAM-SHA-512")])
def test_scram_with_a_newer_library(kafka, sealstream, two_topics, tmp_path, user, mechanism):
    grant(kafka, user, *two_topics)
    message = pump(sealstream, kafka.tls(user, mechanism), two_topics, environment=newer_librdkafka(tmp_path))
    assert "bug 4895" not in message
    assert len(list(foreign.consume(kafka.brokers, two_topics[1]))) == 1


def test_scram_with_an_old_library_names_the_bug(kafka, sealstream, two_topics):
    grant(kafka, "bob", *two_topics)
    if librdkafka_version() >= 0x02060100:
        pump(sealstream, kafka.tls("bob", "SCRAM-SHA-256"), two_topics)
        return
    message = pump(sealstream, kafka.tls("bob", "SCRAM-SHA-256"), two_topics, exit_code=77)
    assert "2.6.1" in message and "bug 4895" in message


def test_wrong_password(kafka, sealstream, two_topics):
    message = pump(sealstream, kafka.tls("alice", password="not-hers"), two_topics, exit_code=77)
    assert kafka.sasl_brokers in message and "Authentication failed" in message and "check user, password" in message
    assert "not-hers" not in message


def test_unknown_authority(kafka, sealstream, two_topics, tmp_path):
    make_authority(tmp_path, "other")
    properties = kafka.tls("alice") | {"ssl.ca.location": str(tmp_path / "other.pem")}
    message = pump(sealstream, properties, two_topics, exit_code=77)
    assert kafka.sasl_brokers in message and "certificate verify failed" in message and "ssl.ca.location" in message


@pytest.mark.parametrize("granted", ["none", "source", "target"])
def test_no_right_on_a_topic(kafka, sealstream, two_topics, granted):
    """mallory may log in; the message names the topic that is closed."""
    source, target = two_topics
    if granted != "none":
        grant(kafka, "mallory", source if granted == "source" else target)
    message = pump(sealstream, kafka.tls("mallory"), two_topics, exit_code=77)
    assert "Topic authorization failed" in message and "ACL on the topic" in message
    assert {"none": target, "source": target, "target": source}[granted] in message


def test_no_right_on_the_cluster(kafka, sealstream, two_topics):
    """Without a right to write anything Kafka refuses the idempotent producer before it hears of a topic."""
    message = pump(sealstream, kafka.tls("nina"), two_topics, "--delivery", "at-least-once", exit_code=77)
    assert "Cluster authorization failed" in message and "Write on the topic" in message


def test_no_right_on_the_group(kafka, sealstream, two_topics):
    grant_topics(kafka, "oscar", *two_topics)
    message = pump(sealstream, kafka.tls("oscar"), two_topics, "--delivery", "at-least-once", exit_code=77)
    assert "roup authorization failed" in message and "consumer group" in message


def test_no_right_on_transactions(kafka, sealstream, two_topics):
    grant_topics(kafka, "peggy", *two_topics)
    grant_group(kafka, "peggy")
    message = pump(sealstream, kafka.tls("peggy"), two_topics, exit_code=77)
    assert "Transactional Id authorization failed" in message and "Write and Describe on transactional ids" in message
    pump(sealstream, kafka.tls("peggy"), two_topics, "--delivery", "at-least-once")


def test_no_right_on_the_group_of_a_transaction(kafka, sealstream, two_topics):
    grant_topics(kafka, "rupert", *two_topics)
    grant_transactions(kafka, "rupert")
    message = pump(sealstream, kafka.tls("rupert"), two_topics, exit_code=77)
    assert "roup authorization failed" in message and "consumer group" in message


def test_broker_away(sealstream, tmp_path):
    flow.prepare(sealstream)
    [port] = free_ports(1)
    _, message = sealstream.run("pump", "-b", f"127.0.0.1:{port}", "--from", "a", "--to", "b", "-p", "policy.yaml", "-e",
                                "--connect-timeout", "2s", exit_code=69)
    assert f"127.0.0.1:{port}" in message and "check the address" in message


def test_plaintext_to_a_tls_port(kafka, sealstream):
    flow.prepare(sealstream)
    _, message = sealstream.run("pump", "-b", kafka.sasl_brokers, "--from", "a", "--to", "b", "-p", "policy.yaml", "-e",
                                "--connect-timeout", "3s", exit_code=69)
    assert kafka.sasl_brokers in message
