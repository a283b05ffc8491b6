"""Event Hubs' AMQP endpoint beside its Kafka endpoint, with the same events: eventhubs/amqp.js speaks it, this moves the events."""
import base64
import json
import os
import subprocess
import threading

import confluent_kafka
import installs
from azure.eventhub import EventData, EventHubConsumerClient, EventHubProducerClient, TransportType
from kafka_node import die_with_parent, end
from ports import free_ports

HERE = os.path.dirname(os.path.abspath(__file__))


def text(raw):
    return None if raw is None else base64.b64encode(raw).decode()


def raw(text):
    return None if text is None else base64.b64decode(text)


class EventHubsAmqp:
    """In front of `hubs`, a servers.EventHubs."""

    def __init__(self, cache, hubs):
        self.hubs, self.port = hubs, free_ports(1)[0]
        settings = {"port": self.port, "cert": str(hubs.folder / "server.crt"), "key": str(hubs.folder / "server.key"),
                    "connectionString": hubs.connection_string, "hubs": hubs.hubs, "partitions": hubs.partitions}
        self.lock, self.stopping = threading.Lock(), False
        with open(hubs.folder / "amqp.log", "w") as log:
            self.process = subprocess.Popen(["node", os.path.join(HERE, "eventhubs", "amqp.js"), json.dumps(settings)], text=True,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, preexec_fn=die_with_parent,
                                            env={"PATH": os.environ["PATH"], "NODE_PATH": str(installs.npm(cache) / "node_modules")})
        assert json.loads(self.process.stdout.readline()) == {"ready": True}
        self.producer = confluent_kafka.Producer(hubs.client() | {"linger.ms": 0})
        self.threads = [threading.Thread(target=each) for each in (self.produce, self.consume)]
        for thread in self.threads:
            thread.start()

    def say(self, **what):
        with self.lock:
            self.process.stdin.write(json.dumps(what) + "\n")
            self.process.stdin.flush()

    def produce(self):
        """What AMQP's clients have sent; accepted once it is stored."""
        for line in self.process.stdout:
            what, failed = json.loads(line), []
            for event in what["events"]:
                place = {} if event["partition"] is None else {"partition": event["partition"]}
                self.producer.produce(what["hub"], raw(event["value"]), raw(event["key"]), headers=[(n, raw(v)) for n, v in event["headers"]],
                                      on_delivery=lambda error, _: error and failed.append(str(error)), **place)
            self.producer.flush()
            self.say(sent=what["send"], error=failed[0] if failed else None)

    def consume(self):
        consumer = confluent_kafka.Consumer(self.hubs.client() | {"group.id": "amqp", "log_level": 3})
        consumer.assign([confluent_kafka.TopicPartition(hub, partition, 0) for hub in self.hubs.hubs for partition in range(self.hubs.partitions)])
        while not self.stopping:
            for message in consumer.consume(500, 0.05):
                assert message.error() is None, message.error()
                self.say(hub=message.topic(), partition=message.partition(), offset=message.offset(), time=message.timestamp()[1],
                         key=text(message.key()), value=text(message.value()), headers=[(n, text(v or b"")) for n, v in message.headers() or []])
        consumer.close()

    def endpoint(self):
        """How azure-eventhub's clients reach it."""
        return {"connection_verify": str(self.hubs.ca), "custom_endpoint_address": f"sb://localhost:{self.port}"}

    def options(self, hub):
        """Of azure-eventhub's clients, beside the connection string."""
        return self.endpoint() | {"eventhub_name": hub, "transport_type": TransportType.Amqp, "retry_total": 0}

    def stop(self):
        self.stopping = True
        self.threads[1].join()
        self.process.stdin.close()
        end(self.process)
        self.threads[0].join()
        self.producer = None

    # ---- Microsoft's own client of it ----

    def write(self, hub, key, events, login=None):
        """One batch of (body, properties)."""
        with EventHubProducerClient.from_connection_string(login or self.hubs.connection_string, **self.options(hub)) as producer:
            batch = producer.create_batch(partition_key=key)
            for body, properties in events:
                event = EventData(body)
                event.properties = properties
                batch.add(event)
            producer.send_batch(batch)

    def read(self, hub, n, within=180):
        """At least n events, from the beginning."""
        consumer = EventHubConsumerClient.from_connection_string(self.hubs.connection_string, "$Default", **self.options(hub))
        got, done, lock = [], threading.Event(), threading.Lock()

        def each(partition, events):
            with lock:
                got.extend(events)
            if len(got) >= n:
                done.set()

        thread = threading.Thread(target=consumer.receive_batch, args=(each,), kwargs={"starting_position": "-1"})
        thread.start()
        in_time = done.wait(within)
        consumer.close()
        thread.join()
        assert in_time, f"{len(got)} events of {hub}, not {n}"
        return got
