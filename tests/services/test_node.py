"""The test broker itself: a foreign client reads back what it wrote, in clear and over TLS."""
import pytest
from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, ResourcePatternType, ResourceType

import foreign


@pytest.mark.parametrize("user, mechanism", [("alice", "PLAIN"), ("bob", "SCRAM-SHA-256"), ("carol", "SCRAM-SHA-512")])
def test_foreign_client(kafka, topic, user, mechanism):
    name = topic("node")
    foreign.allow(kafka.brokers, [AclBinding(ResourceType.TOPIC, name, ResourcePatternType.LITERAL, f"User:{user}", "*",
                                             operation, AclPermissionType.ALLOW)
                                  for operation in (AclOperation.WRITE, AclOperation.DESCRIBE)])
    foreign.produce(kafka.tls(user, mechanism), name, [(b"k", b"over TLS")])
    assert [m.value() for m in foreign.consume(kafka.brokers, name)] == [b"over TLS"]
