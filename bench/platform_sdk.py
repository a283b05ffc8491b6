"""What bench/run-platforms compares with: the vendors' own Python clients, as their users send and receive in batches.

Usage: platform_sdk.py PLATFORM send|receive plain|sealed NAME N FILE     where to, as JSON, in $PLATFORM

Sends the N lines of FILE; or receives N records, acknowledges them where the service asks for that, and writes them into FILE. Sealed,
it does with each what the policy of kafka_bench.py says, by the quickest that Python has: sealer.py, with JSON by orjson.
"""
import itertools
import json
import os
import sys
import threading

import orjson
from sealer import Sealer


def lots(values, n):
    values = iter(values)
    return iter(lambda: list(itertools.islice(values, n)), [])


class Aws:
    def __init__(self, service, where, name):
        import boto3
        import botocore.config
        self.client = boto3.client(service, region_name=where["region"], endpoint_url=where["endpoint"], aws_access_key_id=where["key"],
                                   aws_secret_access_key=where["secret"],
                                   config=botocore.config.Config(parameter_validation=False))
        self.name = name


class Kinesis(Aws):
    def send(self, values):
        for lot in lots(enumerate(values), 500):
            waiting = [{"PartitionKey": str(n), "Data": value} for n, value in lot]
            while waiting:
                answer = self.client.put_records(StreamName=self.name, Records=waiting)
                waiting = [r for r, result in zip(waiting, answer["Records"]) if "ErrorCode" in result] if answer["FailedRecordCount"] else []

    def receive(self, take):
        shards = self.client.list_shards(StreamName=self.name)["Shards"]
        at = [self.client.get_shard_iterator(StreamName=self.name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
              ["ShardIterator"] for shard in shards]
        for i in itertools.cycle(range(len(at))):
            answer = self.client.get_records(ShardIterator=at[i], Limit=10000)
            at[i] = answer["NextShardIterator"]
            if not take([record["Data"] for record in answer["Records"]]):
                break


class Sqs(Aws):
    def send(self, values):
        for lot in lots(values, 10):
            answer = self.client.send_message_batch(QueueUrl=self.name, Entries=[
                {"Id": str(n), "MessageBody": value.decode()} for n, value in enumerate(lot)])
            assert not answer.get("Failed"), answer

    def receive(self, take):
        more = True
        while more:
            messages = self.client.receive_message(QueueUrl=self.name, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
            more = take([message["Body"].encode() for message in messages])
            if messages:
                self.client.delete_message_batch(QueueUrl=self.name, Entries=[
                    {"Id": str(i), "ReceiptHandle": message["ReceiptHandle"]} for i, message in enumerate(messages)])


class Sns(Aws):
    def send(self, values):
        for lot in lots(values, 10):
            answer = self.client.publish_batch(TopicArn=self.name, PublishBatchRequestEntries=[
                {"Id": str(n), "Message": value.decode()} for n, value in enumerate(lot)])
            assert not answer.get("Failed"), answer


class PubSub:
    """Over gRPC. To receive it pulls: that takes less than a streaming pull and its callbacks."""

    def __init__(self, where, name):
        os.environ["PUBSUB_EMULATOR_HOST"] = where["grpc"]
        from google.cloud import pubsub_v1
        self.publisher = pubsub_v1.PublisherClient(pubsub_v1.types.BatchSettings(max_messages=1000, max_bytes=1 << 20, max_latency=0.05))
        self.subscriber = pubsub_v1.SubscriberClient()
        self.topic = f"projects/{where['project']}/topics/{name}"
        self.subscription = f"projects/{where['project']}/subscriptions/{name}-sub"

    def send(self, values):
        for sent in [self.publisher.publish(self.topic, value) for value in values]:
            sent.result(60)

    def receive(self, take):
        more = True
        while more:
            messages = self.subscriber.pull(subscription=self.subscription, max_messages=1000).received_messages
            more = take([each.message.data for each in messages])
            if messages:
                self.subscriber.acknowledge(subscription=self.subscription, ack_ids=[each.ack_id for each in messages])


class EventHubs:
    """azure-eventhub, over AMQP."""

    def __init__(self, where, name):
        import azure.eventhub
        self.sdk, self.name, self.where = azure.eventhub, name, where
        self.options = where["options"] | {"transport_type": azure.eventhub.TransportType.Amqp, "eventhub_name": name}

    def send(self, values):
        with self.sdk.EventHubProducerClient.from_connection_string(self.where["string"], **self.options) as producer:
            batch = producer.create_batch()
            for value in values:
                event = self.sdk.EventData(value)
                try:
                    batch.add(event)
                except ValueError:  # it is full
                    producer.send_batch(batch)
                    batch = producer.create_batch()
                    batch.add(event)
            producer.send_batch(batch)

    def receive(self, take):
        consumer = self.sdk.EventHubConsumerClient.from_connection_string(self.where["string"], "$Default", **self.options)
        done, lock = threading.Event(), threading.Lock()

        def each(partition, events):
            with lock:
                if events and not take([event.body_as_str().encode() for event in events]):
                    done.set()

        thread = threading.Thread(target=consumer.receive_batch, args=(each,), kwargs={"starting_position": "-1", "max_batch_size": 300})
        thread.start()
        done.wait()
        consumer.close()
        thread.join()


class EventHubsKafka:
    """confluent-kafka, which is librdkafka, as sealstream uses itself."""

    def __init__(self, where, name):
        import confluent_kafka
        self.kafka, self.name, self.settings = confluent_kafka, name, where["settings"]
        self.producer = confluent_kafka.Producer(self.settings | {"linger.ms": 20, "enable.idempotence": True})

    def send(self, values):
        failed = []
        for n, value in enumerate(values):
            self.producer.produce(self.name, value, on_delivery=lambda error, _: error and failed.append(error))
            if n % 1000 == 999:
                self.producer.poll(0)
        assert self.producer.flush(60) == 0 and not failed, failed

    def receive(self, take):
        settings = {name: value for name, value in self.settings.items() if name != "compression.type"}
        consumer = self.kafka.Consumer(settings | {"group.id": f"sdk-{self.name}", "auto.offset.reset": "earliest"})
        consumer.subscribe([self.name])
        while take([message.value() for message in consumer.consume(1000, 1)]):
            pass
        consumer.commit(asynchronous=False)
        consumer.close()


def client(platform, where, name):
    if platform in ("kinesis", "sqs", "sns"):
        return {"kinesis": Kinesis, "sqs": Sqs, "sns": Sns}[platform](platform, where, name)
    return {"pubsub": PubSub, "eventhubs": EventHubs, "eventhubs-kafka": EventHubsKafka}[platform](where, name)


def lines(path, way):
    with open(path, "rb") as file:
        for line in file:
            yield way(line.rstrip(b"\n"))


class Taker:
    """Writes what was received; False when it was the last."""

    def __init__(self, n, way, out):
        self.left, self.way, self.out = n, way, out

    def __call__(self, values):
        self.out.writelines(self.way(value) + b"\n" for value in values)
        self.left -= len(values)
        return self.left > 0


def main():
    platform, direction, way, name, n, path = sys.argv[1:]
    sdk, sealer = client(platform, json.loads(os.environ["PLATFORM"]), name), Sealer(orjson.loads, orjson.dumps)
    if direction == "send":
        sdk.send(lines(path, sealer.seal if way == "sealed" else bytes))
    else:
        with open(path, "wb") as out:
            sdk.receive(Taker(int(n), sealer.open if way == "sealed" else bytes, out))


if __name__ == "__main__":
    main()
