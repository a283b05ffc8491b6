"""Apache Kafka for tests: one node on 127.0.0.1, downloaded from Maven's central repository, stopped by its process id.

    PLAINTEXT   everything is allowed; also on [::1] where the machine has IPv6
    SASL_SSL    PLAIN: alice; SCRAM: bob (256), carol (512); the others may log in but have no right;
                OAUTHBEARER: tokens that signing_key has signed for the audience "kafka"
    MTLS        whoever has a certificate of the authority: client_certificate()
    UNSIGNED    OAUTHBEARER with tokens that nobody has signed, without TLS

Connections on which nothing happens for four seconds are closed.
"""
import base64
import ctypes
import json
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from ports import free_ports

VERSION = "4.2.0"
HERE = pathlib.Path(__file__).resolve().parent
PASSWORDS = {name: f"{name}-secret" for name in ("alice", "bob", "carol", "mallory", "nina", "oscar", "peggy", "rupert")}

SERVER = """
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners={listeners},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={listeners},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,IPV6:PLAINTEXT,SASL_SSL:SASL_SSL,\
  MTLS:SSL,UNSIGNED:SASL_PLAINTEXT
connections.max.idle.ms=4000
initial.broker.registration.timeout.ms=300000
log.dirs=data
num.partitions=2
offsets.topic.replication.factor=1
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=5
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
  {users};
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=\
  org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
  org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.ssl.keystore.type=PEM
listener.name.sasl_ssl.ssl.keystore.location=server-keystore.pem
listener.name.sasl_ssl.ssl.truststore.type=PEM
listener.name.sasl_ssl.ssl.truststore.location=ca.pem
listener.name.sasl_ssl.oauthbearer.sasl.jaas.config=\
  org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;
listener.name.sasl_ssl.oauthbearer.sasl.server.callback.handler.class=\
  org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler
listener.name.sasl_ssl.oauthbearer.connections.max.reauth.ms=3600000
listener.name.sasl_ssl.sasl.oauthbearer.jwks.endpoint.url=file://{folder}/jwks.json
listener.name.sasl_ssl.sasl.oauthbearer.expected.audience=kafka
listener.name.mtls.ssl.keystore.type=PEM
listener.name.mtls.ssl.keystore.location=server-keystore.pem
listener.name.mtls.ssl.truststore.type=PEM
listener.name.mtls.ssl.truststore.location=ca.pem
listener.name.mtls.ssl.client.auth=required
listener.name.mtls.ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/,DEFAULT
listener.name.unsigned.sasl.enabled.mechanisms=OAUTHBEARER
listener.name.unsigned.oauthbearer.sasl.jaas.config=\
  org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""

LOGGING = """
status=error
appender.console.type=Console
appender.console.name=STDOUT
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=WARN
rootLogger.appenderRef.stdout.ref=STDOUT
"""


def die_with_parent():
    """In a child: ends it when the tests end, however they end (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def make_authority(folder, name="ca"):
    """A certificate authority: NAME.key and NAME.pem."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3",
                    "-subj", f"/CN=sealstream test {name}", "-addext", "basicConstraints=critical,CA:TRUE",
                    "-addext", "keyUsage=critical,keyCertSign", "-keyout", f"{name}.key", "-out", f"{name}.pem"],
                   cwd=folder, check=True, capture_output=True)


def make_certificate(folder, name, common_name):
    """NAME.key and NAME.crt for 127.0.0.1, of the authority in that folder."""
    (folder / f"{name}.ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n"
                                        "extendedKeyUsage=serverAuth,clientAuth\n")
    for command in (
            f"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key",
            f"openssl req -new -key {name}.key -subj /CN={common_name} -out {name}.csr",
            f"openssl x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3 -out {name}.crt"
            f" -extfile {name}.ext"):
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)


def make_certificates(folder):
    """ca.pem, and server-keystore.pem for 127.0.0.1 in the form that Kafka wants."""
    make_authority(folder)
    make_certificate(folder, "server", "127.0.0.1")
    (folder / "server-keystore.pem").write_text(
        "".join((folder / name).read_text() for name in ("server.key", "server.crt", "ca.pem")))


def make_signing_key(folder):
    """Of tokens; its public half is in jwks.json (RFC 7517)."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    def number(n):
        return base64.urlsafe_b64encode(n.to_bytes((n.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_numbers()
    (folder / "jwks.json").write_text(json.dumps({"keys": [
        {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "test", "n": number(public.n), "e": number(public.e)}]}))
    return key


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


def download(cache):
    """The folder with the jars, which Maven fetches once."""
    def make(folder):
        subprocess.run(["mvn", "-q", "-B", "-f", HERE / "pom.xml", "dependency:copy-dependencies",
                        f"-DoutputDirectory={folder}"], check=True, stdin=subprocess.DEVNULL)

    from once import once  # which needs this module

    return once(cache, f"kafka-{VERSION}", make)


def java(jars, *arguments, heap="256m"):
    """A program of Apache Kafka, or one that uses its client. log4j2.properties is of the folder where it runs."""
    return ["java", f"-Xmx{heap}", "-Xshare:auto", "-cp", f"{jars}/*", "-Dlog4j2.configurationFile=log4j2.properties",
            *arguments]


def start_broker(jars, folder, heap="1g"):
    """server.properties of `folder`; what it says goes on in kafka.log there."""
    allowed = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file://{folder}/jwks.json"
    with open(folder / "kafka.log", "a") as log:
        return subprocess.Popen(java(jars, allowed, "kafka.Kafka", "server.properties", heap=heap), cwd=folder, stdin=subprocess.DEVNULL,
                                stdout=log, stderr=log, preexec_fn=die_with_parent)


def end(process):
    """A clean stop; kill -9 where it does not come."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def known_brokers(brokers):
    """Ids of those that the cluster knows to be there; none when nobody answers."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient
    try:
        quiet = {"bootstrap.servers": brokers, "log_level": 0}
        return set(AdminClient(quiet).list_topics(timeout=10).brokers)
    except KafkaException:
        return set()


class KafkaNode:
    def __init__(self, cache, folder):
        self.folder = folder
        self.jars = download(cache)
        make_certificates(folder)
        self.signing_key = make_signing_key(folder)
        (folder / "log4j2.properties").write_text(LOGGING)
        self.process = None
        for attempt in range(3):  # another process may take a free port before the broker does
            if self._start():
                return
        raise RuntimeError("Kafka does not start:\n" + self.log()[-4000:])

    def _start(self):
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        plain, sasl, mtls, unsigned, ipv6, controller = free_ports(6)
        at = {"PLAINTEXT": f"127.0.0.1:{plain}", "SASL_SSL": f"127.0.0.1:{sasl}", "MTLS": f"127.0.0.1:{mtls}",
              "UNSIGNED": f"127.0.0.1:{unsigned}"} | ({"IPV6": f"[::1]:{ipv6}"} if has_ipv6() else {})
        (self.folder / "server.properties").write_text(
            SERVER.format(listeners=",".join(f"{name}://{address}" for name, address in at.items()),
                          controller=controller, folder=self.folder,
                          users=" ".join(f'user_{name}="{password}"' for name, password in PASSWORDS.items())))
        subprocess.run(java(self.jars, "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", "server.properties",
                            "--standalone",
                            "--add-scram", f"SCRAM-SHA-256=[name=bob,password={PASSWORDS['bob']}]",
                            "--add-scram", f"SCRAM-SHA-512=[name=carol,password={PASSWORDS['carol']}]"),
                       cwd=self.folder, check=True, capture_output=True)
        (self.folder / "kafka.log").unlink(missing_ok=True)
        self.process = start_broker(self.jars, self.folder)
        self.brokers, self.sasl_brokers, self.mtls_brokers, self.unsigned_brokers = list(at.values())[:4]
        self.ipv6_brokers = at.get("IPV6")
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline and self.process.poll() is None:
            if known_brokers(self.brokers):
                return True
            time.sleep(0.2)
        self.stop()
        return False

    def log(self):
        path = self.folder / "kafka.log"
        return path.read_text() if path.exists() else ""

    def stop(self):
        end(self.process)

    def tls(self, user, mechanism="PLAIN", password=None):
        """librdkafka properties to log in as `user`."""
        return {"bootstrap.servers": self.sasl_brokers, "security.protocol": "SASL_SSL",
                "ssl.ca.location": str(self.folder / "ca.pem"), "sasl.mechanism": mechanism,
                "sasl.username": user, "sasl.password": password or PASSWORDS[user]}

    def oauth(self, server, client, secret=None):
        """The same, with a token of that server (token_server.py)."""
        return {"bootstrap.servers": self.sasl_brokers, "security.protocol": "SASL_SSL",
                "ssl.ca.location": str(self.folder / "ca.pem"), "https.ca.location": str(self.folder / "ca.pem"),
                "sasl.mechanism": "OAUTHBEARER", "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.token.endpoint.url": server.url, "sasl.oauthbearer.client.id": client,
                "sasl.oauthbearer.client.secret": secret or server.clients[client]}

    def client_certificate(self, user):
        """librdkafka properties to show a certificate for `user`."""
        make_certificate(self.folder, f"client-{user}", user)
        return {"bootstrap.servers": self.mtls_brokers, "security.protocol": "SSL",
                "ssl.ca.location": str(self.folder / "ca.pem"),
                "ssl.certificate.location": str(self.folder / f"client-{user}.crt"),
                "ssl.key.location": str(self.folder / f"client-{user}.key")}
