"""What tests of logins share: rights, a settings file without secrets on a command line, and a run of the pump."""
import ctypes
import glob
import os
import pathlib

import confluent_kafka
import foreign
from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, ResourcePatternType, ResourceType

VALUE = b'{"Address":"1 High St","credit_card":"4111-1111-1111-1111"}'


def acl(user, kind, name, operation, pattern=ResourcePatternType.LITERAL):
    return AclBinding(kind, name, pattern, f"User:{user}", "*", operation, AclPermissionType.ALLOW)


def grant_topics(kafka, user, *topics):
    foreign.allow(kafka.brokers, [acl(user, ResourceType.TOPIC, name, operation)
                                  for name in topics for operation in (AclOperation.READ, AclOperation.WRITE)])


def grant_group(kafka, user):
    foreign.allow(kafka.brokers, [acl(user, ResourceType.GROUP, "sealstream.", AclOperation.READ, ResourcePatternType.PREFIXED)])


def grant_transactions(kafka, user):
    foreign.allow(kafka.brokers, [acl(user, ResourceType.TRANSACTIONAL_ID, "sealstream.", AclOperation.WRITE,
                                      ResourcePatternType.PREFIXED)])


def grant(kafka, user, *topics):
    """Everything a pump needs: read, write and describe the topics, its consumer group, and its transactions."""
    grant_topics(kafka, user, *topics)
    grant_group(kafka, user)
    grant_transactions(kafka, user)


def settings(sealstream, properties):
    """A client.properties file, so that no password is on a command line."""
    path = sealstream.folder / "client.properties"
    path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    path.chmod(0o600)
    return path


def pump(sealstream, properties, topics, *more, exit_code=0, environment=None):
    source, target = topics
    return sealstream.run("pump", "-F", settings(sealstream, properties), "--from", source, "--to", target, "-p", "policy.yaml",
                          "-e", *more, exit_code=exit_code, environment=environment)[1]


def newer_librdkafka(folder):
    """An LD_LIBRARY_PATH with the library that the foreign client's wheel brings along."""
    wheel = pathlib.Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs"
    [library] = glob.glob(str(wheel / "librdkafka-*.so*"))
    (folder / "newer").mkdir()
    os.symlink(library, folder / "newer" / "librdkafka.so.1")
    return {"LD_LIBRARY_PATH": str(folder / "newer")}


def librdkafka_version():
    """Of the library that the program finds here: 0x020002ff is 2.0.2."""
    return ctypes.CDLL("librdkafka.so.1").rd_kafka_version()
