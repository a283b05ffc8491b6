"""Stand-ins of streaming services on free ports of 127.0.0.1, each stopped by its own process id.

    Moto           Kinesis, SQS, SNS, IAM, STS; signatures are checked, of one user who may do everything
    KinesisLocal   Kinesis; fails one record of several by itself          Kinesalite   Kinesis
    ElasticMq      SQS; fails one entry of several by itself               LocalSqs     SQS
    EventHubs      the Kafka endpoint of a namespace, over TLS or not

All but Moto and Event Hubs take any credentials.
"""
import json
import subprocess
import sys
import time
import urllib.request
import uuid

import boto3
import botocore.config

import installs
from kafka_node import die_with_parent, end, make_authority, make_certificate
from ports import free_ports

REGION = "us-east-1"
ALL = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
# Those of Node have no setting for where to listen, and would listen everywhere.
LOOPBACK = """const net = require("net");
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...more) {
  const options = typeof port === "object" ? port : { port };
  return listen.call(this, { ...options, host: "127.0.0.1" }, ...more.filter((each) => typeof each === "function"));
};
"""


class NotStarted(Exception):
    pass


class Server:
    """One process. Subclasses say how it is started on `self.port`, and when it answers."""

    ports = 1
    starts_within = 180  # seconds

    def __init__(self, cache, folder):
        self.cache, self.folder, self.runs_in = cache, folder, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.process = None
        self.prepare()
        for attempt in range(3):  # another process may take a free port before this one does
            self.all_ports = free_ports(self.ports)
            self.port = self.all_ports[0]
            self.start()
            if self._is_up():
                return
            self.stop()
        raise NotStarted(f"{type(self).__name__} does not start:\n{self.log()[-4000:]}")

    def prepare(self):
        """Once, before the first start."""

    def command(self):
        """(arguments, further environment)"""
        raise NotImplementedError

    def answers(self):
        """Whether it does; any OSError means that it does not yet."""
        with urllib.request.urlopen(self.endpoint, timeout=60):
            return True

    def start(self):
        """Also after a stop, on the same port."""
        arguments, environment = self.command()
        with open(self.folder / "log", "a") as log:
            self.begins = log.tell()
            self.process = subprocess.Popen(arguments, cwd=self.runs_in, env=environment, stdin=subprocess.PIPE, stdout=log,
                                            stderr=log, preexec_fn=die_with_parent)

    def _is_up(self):
        deadline = time.monotonic() + self.starts_within
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.answers() and self.process.poll() is None:
                    return True
            except urllib.error.HTTPError:
                return self.process.poll() is None
            except OSError:
                pass
            time.sleep(0.1)
        return False

    def restart(self):
        self.start()
        if not self._is_up():
            raise NotStarted(self.log()[-4000:])

    def stop(self):
        if self.process is not None:
            self.process.stdin.close()
            end(self.process)

    def log(self):
        """What it has said, earlier starts included."""
        return (self.folder / "log").read_text()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"


class AwsServer(Server):
    """What AWS's clients need to reach it."""

    key, secret = "AKIDANYBODY000000000", "anything"

    def environment(self):
        """For sealstream, and whatever else reads AWS's variables."""
        return {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret, "AWS_REGION": REGION,
                "AWS_ENDPOINT_URL": self.endpoint, "AWS_EC2_METADATA_DISABLED": "true",
                "SEALSTREAM_SQS_IDLE": "300ms"}  # they know at once that a queue is empty

    def lend(self):
        """Credentials for a time: key, secret, session's token."""
        return f"ASIA{uuid.uuid4().hex[:16].upper()}", "lent", "token"

    def client(self, service, **options):
        """The vendor's own client."""
        options = {"endpoint_url": self.endpoint, "aws_access_key_id": self.key, "aws_secret_access_key": self.secret} | options
        return boto3.client(service, region_name=REGION, config=botocore.config.Config(retries={"max_attempts": 2}), **options)


class Moto(AwsServer):
    lender = None  # a role

    def prepare(self):
        self.unchecked = 1_000_000  # calls until signatures are checked

    def command(self):
        return ([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
                {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "INITIAL_NO_AUTH_ACTION_COUNT": str(self.unchecked)})

    def _is_up(self):
        return super()._is_up() and self._make_user()

    def _make_user(self):
        iam = self.client("iam")
        iam.create_user(UserName="sealstream")
        iam.put_user_policy(UserName="sealstream", PolicyName="all", PolicyDocument=ALL)
        made = iam.create_access_key(UserName="sealstream")["AccessKey"]
        self.key, self.secret = made["AccessKeyId"], made["SecretAccessKey"]
        request = urllib.request.Request(f"{self.endpoint}/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"})
        with urllib.request.urlopen(request, timeout=60):
            return True

    def role(self):
        """The ARN of a new role that may do everything, which whoever asks may assume."""
        iam, name = self.client("iam"), f"role-{uuid.uuid4().hex[:16]}"
        trust = {"Version": "2012-10-17",
                 "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=ALL)
        return arn

    def lend(self):
        self.lender = self.lender or self.role()
        lent = self.client("sts").assume_role(RoleArn=self.lender, RoleSessionName="lent")["Credentials"]
        return lent["AccessKeyId"], lent["SecretAccessKey"], lent["SessionToken"]


class NodeServer(AwsServer):
    """A package of npm."""

    def prepare(self):
        self.modules = installs.npm(self.cache) / "node_modules"
        (self.folder / "loopback.js").write_text(LOOPBACK)

    def node(self, *arguments, **environment):
        return (["node", "--require", str(self.folder / "loopback.js"), *map(str, arguments)],
                {"PATH": "/usr/bin:/bin", "HOME": str(self.folder)} | environment)


class KinesisLocal(NodeServer):
    ports = 2

    def prepare(self):
        super().prepare()
        self.runs_in = self.modules / "kinesis-local"  # where it looks for its files

    def command(self):
        return self.node(self.modules / "kinesis-local" / "main.js", KINESIS_MOCK_PLAIN_PORT=str(self.port),
                         KINESIS_MOCK_TLS_PORT=str(self.all_ports[1]), LOG_LEVEL="ERROR", SHARD_LIMIT="1000",
                         **{f"{name}_DURATION": "10ms" for name in ("CREATE_STREAM", "DELETE_STREAM", "SPLIT_SHARD", "MERGE_SHARDS",
                                                                    "UPDATE_SHARD_COUNT")})

    def answers(self):
        with urllib.request.urlopen(f"{self.endpoint}/healthcheck", timeout=60):
            return True

    def stop(self):
        if self.process is not None:
            self.process.kill()  # asked nicely it waits for its clients' connections, which boto3 keeps
        super().stop()


class Kinesalite(NodeServer):
    def command(self):
        return self.node(self.modules / "kinesalite" / "cli.js", "--port", self.port, "--createStreamMs", 10, "--deleteStreamMs", 10,
                         "--updateStreamMs", 10, "--shardLimit", 1000)


class LocalSqs(NodeServer):
    def prepare(self):
        super().prepare()
        main = self.modules / "local-aws-sqs" / "dist" / "index.js"
        (self.folder / "server.mjs").write_text(f"""import {{ createSqsServer }} from "{main}";
await createSqsServer({{ port: Number(process.env.PORT), hostname: "127.0.0.1", emulateQueueCreationLifecycle: false }});
""")

    def command(self):
        return self.node(self.folder / "server.mjs", PORT=str(self.port))

    def environment(self):
        """It takes the characters of an attribute for its bytes where it makes check sums."""
        return super().environment() | {"SEALSTREAM_SQS_CHECKSUMS": "body"}


class ElasticMq(AwsServer):
    def prepare(self):
        self.jars = installs.elasticmq(self.cache)

    def command(self):
        (self.folder / "elasticmq.conf").write_text(f"""include classpath("application.conf")
node-address {{ protocol = http, host = localhost, port = {self.port}, context-path = "" }}
rest-sqs {{ enabled = true, bind-port = {self.port}, bind-hostname = "127.0.0.1", sqs-limits = strict }}
rest-stats {{ enabled = false }}
""")
        return (["java", "-Xmx512m", "-Xshare:auto", "-Dconfig.file=elasticmq.conf", "-cp", f"{self.jars}/*",
                 "org.elasticmq.server.Main"], None)


class EventHubs(Server):
    """A namespace whose hubs are there from the start: `hubs`."""

    key_name, key = "send-and-listen", "c2VhbHN0cmVhbS10ZXN0LWtleQ=="
    namespace = "sealstream-test"

    def __init__(self, cache, folder, hubs, tls=True, partitions=2):
        self.hubs, self.tls, self.partitions = hubs, tls, partitions
        super().__init__(cache, folder)

    def prepare(self):
        self.program = installs.eventhubs(self.cache)
        make_authority(self.folder)
        make_certificate(self.folder, "server", "localhost")
        self.ca = self.folder / "ca.pem"

    @property
    def connection_string(self):
        """As the portal gives it. The clients' host is set apart."""
        return (f"Endpoint=sb://{self.namespace}.servicebus.windows.net/;SharedAccessKeyName={self.key_name};"
                f"SharedAccessKey={self.key}")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def command(self):
        arguments = [self.program, "-port", str(self.port), "-hubs", ",".join(self.hubs), "-partitions", str(self.partitions)]
        if self.tls:
            arguments += ["-certificate", "server.crt", "-key", "server.key"]
        return arguments, {"EVENTHUBS_CONNECTION_STRING": self.connection_string}

    def answers(self):
        return f"ready 127.0.0.1:{self.port}" in self.log()[self.begins:]

    def client(self, password=None):
        """librdkafka's properties for a foreign client."""
        return {"bootstrap.servers": self.address, "security.protocol": "SASL_SSL" if self.tls else "SASL_PLAINTEXT",
                "ssl.ca.location": str(self.ca), "sasl.mechanism": "PLAIN", "sasl.username": "$ConnectionString",
                "sasl.password": password or self.connection_string, "compression.type": "none"}
