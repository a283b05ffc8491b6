"""Three brokers of Apache Kafka, as in production: a record is on all of them, and safe when two have it. Each dies and comes
back by its id, with its port and its data.

    PLAINTEXT   for the tests, and between the brokers
    FAULTY      for the program under test: what they advertise there is a proxy each, which can cut connections
"""
import signal
import subprocess

import foreign
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from kafka_node import LOGGING, download, end, java, known_brokers, start_broker
from ports import free_ports
from tcp_proxy import TcpProxy

IDS = (1, 2, 3)
SERVER = """
process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{plain},FAULTY://127.0.0.1:{behind},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},FAULTY://127.0.0.1:{proxy}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,FAULTY:PLAINTEXT
log.dirs=data
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
broker.session.timeout.ms=4000
initial.broker.registration.timeout.ms=300000
broker.heartbeat.interval.ms=500
replica.lag.time.max.ms=4000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
"""


class KafkaCluster:
    """Ready when the constructor returns. Start brokers only from the thread that made it: they end with it."""

    def __init__(self, cache, folder):
        self.folder, self.jars = folder, download(cache)
        ports = dict(zip(IDS, zip(*[iter(free_ports(4 * len(IDS)))] * 4)))
        voters = ",".join(f"{id}@127.0.0.1:{controller}" for id, (_, _, controller, _) in ports.items())
        self.plain = {id: f"127.0.0.1:{plain}" for id, (plain, _, _, _) in ports.items()}
        self.brokers = ",".join(self.plain.values())
        self.faulty = ",".join(f"127.0.0.1:{proxy}" for _, _, _, proxy in ports.values())
        self.processes, self.proxies = {}, {}
        formatting = []
        for id, (plain, behind, controller, proxy) in ports.items():
            place = self._place(id)
            place.mkdir(parents=True)
            (place / "log4j2.properties").write_text(LOGGING)
            (place / "server.properties").write_text(SERVER.format(id=id, voters=voters, plain=plain, behind=behind,
                                                                   controller=controller, proxy=proxy))
            self.proxies[id] = TcpProxy(proxy, behind)
            formatting.append(subprocess.Popen(java(self.jars, "kafka.tools.StorageTool", "format", "-t", "c2VhbHN0cmVhbTNicms1dw",
                                                    "-c", "server.properties"), cwd=place, stdout=subprocess.DEVNULL))
        assert [process.wait() for process in formatting] == [0] * len(IDS), "the brokers' storage cannot be made"
        for id in IDS:
            self._launch(id)
        try:
            foreign.wait_until(lambda: known_brokers(self.brokers) == set(IDS), "all brokers are there", seconds=300)
        except AssertionError:
            self.stop()
            raise AssertionError("Kafka does not start:\n" + self.log()) from None

    def _place(self, id):
        return self.folder / f"broker-{id}"

    def _launch(self, id):
        self.processes[id] = start_broker(self.jars, self._place(id), heap="512m")

    def create_topic(self, name, partitions):
        """Known to each broker when this returns."""
        foreign.create_topic(self.brokers, name, partitions, {"retention.ms": "-1"}, copies=len(IDS))
        for address in self.plain.values():
            admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
            foreign.wait_until(lambda: len(admin.list_topics(name, timeout=30).topics[name].partitions) == partitions, f"{name} is known")

    def kill(self, id):
        self.processes[id].kill()
        self.processes[id].wait()

    def stop_broker(self, id):
        """A clean stop: it hands its partitions over first."""
        end(self.processes[id])

    def freeze(self, id):
        self.processes[id].send_signal(signal.SIGSTOP)

    def thaw(self, id):
        self.processes[id].send_signal(signal.SIGCONT)

    def start(self, id):
        """Until it has all that it missed. It answers only when the others know that it was away."""
        self._launch(id)
        foreign.wait_until(lambda: known_brokers(self.plain[id]) == set(IDS), f"broker {id} is back")
        self.wait_until_whole()

    def wait_until_whole(self):
        """Until each partition of each topic is on all brokers again."""
        foreign.wait_until(self._is_whole, "all partitions are on all brokers")

    def _is_whole(self):
        try:
            topics = AdminClient({"bootstrap.servers": self.brokers, "log_level": 0}).list_topics(timeout=5).topics
        except KafkaException:
            return False
        return all(len(p.isrs) == len(IDS) and p.leader in IDS for t in topics.values() for p in t.partitions.values())

    def log(self):
        """The end of what each has said."""
        return "".join(f"-- broker {id}\n{(self._place(id) / 'kafka.log').read_text()[-2000:]}\n" for id in IDS)

    def stop(self):
        for process in self.processes.values():
            process.kill()  # nobody reads this cluster's data any more
        for process in self.processes.values():
            process.wait()
        for proxy in self.proxies.values():
            proxy.close()
