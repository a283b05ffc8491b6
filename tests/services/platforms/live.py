"""The suite at the clouds themselves, with SUITE_LIVE=1: whoever runs it pays for it, and what it makes there has names of its own, and is
deleted at the end. Never in CI. Who it is, the environment says:

    kinesis, sqs, sqs-fifo, sns, sns-fifo, sns-raw    whatever boto3 finds, and AWS_REGION
    pubsub       GOOGLE_APPLICATION_CREDENTIALS, a service account that may make topics and subscriptions, and GOOGLE_CLOUD_PROJECT
    eventhubs    AZURE_EVENTHUB_CONNECTION_STRING of a namespace, with Manage

Variables that name other endpoints are respected, so that stand-ins can show that this works.
"""
import functools
import json
import os
import pathlib
import tempfile
import time
import uuid

import adapters
import boto3
import google.auth
import pubsub_server
from confluent_kafka.admin import AdminClient

assert not os.environ.get("CI"), "live tests cost money, and are not run in CI"

FAULTS = {name: "nothing stands between, that could make it" for name in (
    "test_away_for_a_while", "test_some_of_a_batch_refused", "test_expired_credentials_are_renewed")}


def taken(*prefixes):
    """Those variables, which the tests' own processes do not see: some cases are of somebody without credentials."""
    return {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(prefixes)}


class Live:
    """Nothing stands between, and the servers are there before and after the tests."""

    live, throttles, records, many = True, False, 1000, 100

    @classmethod
    def make(cls):
        made = cls()
        return made, made.stop

    @staticmethod
    def named(name):
        return f"{name}-sealstream-suite-{uuid.uuid4().hex[:12]}"


# --- AWS --------------------------------------------------------------------------------------------------------------------

class Cloud:
    """Reached by the credentials of the environment, which sealstream gets as keys."""

    port = None

    def __init__(self):
        self.session, self.endpoint = boto3.Session(), os.environ.get("AWS_ENDPOINT_URL")
        found = self.session.get_credentials().get_frozen_credentials()
        self.region = os.environ.get("AWS_REGION") or self.session.region_name
        assert self.region, "AWS_REGION must say where"
        self.key, self.secret, self.token = found.access_key, found.secret_key, found.token
        taken("AWS_")

    def environment(self):
        given = {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret, "AWS_SESSION_TOKEN": self.token,
                 "AWS_REGION": self.region, "AWS_ENDPOINT_URL": self.endpoint, "AWS_EC2_METADATA_DISABLED": "true"}
        return {name: value for name, value in given.items() if value}

    def client(self, service):
        return self.session.client(service, region_name=self.region, endpoint_url=self.endpoint, aws_access_key_id=self.key,
                                   aws_secret_access_key=self.secret, aws_session_token=self.token)


@functools.cache
def cloud():
    return Cloud()


class LiveAws(Live):
    def __init__(self):
        super().__init__(cloud(), cloud())
        self.made = []

    def environment(self, **more):
        return self.server.environment() | more


class Kinesis(LiveAws, adapters.Kinesis):
    cannot = FAULTS

    def stream(self, name="plain"):
        name = self.named(name)
        self.vendor.create_stream(StreamName=name, ShardCount=2)
        self.made.append(name)
        self.vendor.get_waiter("stream_exists").wait(StreamName=name)
        return adapters.Stream(name, f"kinesis:{name}", f"kinesis:{name}")

    def put(self, stream, records):
        """One after the other: a request promises no order."""
        for r in records:
            self.vendor.put_record(StreamName=stream.name, PartitionKey=r.key.decode(), Data=r.value)

    def get(self, stream, n):
        until = time.monotonic() + 60
        while len(found := self._all(stream.name)) < n:
            assert time.monotonic() < until, f"{len(found)} of {n}"
        return found

    def _all(self, name):
        """An answer may be empty though more is there."""
        found = []
        for shard in self.vendor.list_shards(StreamName=name)["Shards"]:
            at = self.vendor.get_shard_iterator(StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
            behind = True
            while at and behind:
                answer = self.vendor.get_records(ShardIterator=at)
                found += [adapters.Record(r["PartitionKey"].encode(), r["Data"]) for r in answer["Records"]]
                at, behind = answer.get("NextShardIterator"), answer["Records"] or answer["MillisBehindLatest"] > 0
                time.sleep(0.25)  # five times a second is allowed
        return found

    def stop(self):
        for name in self.made:
            self.vendor.delete_stream(StreamName=name)


class Sqs(LiveAws, adapters.Sqs):
    cannot = adapters.Sqs.cannot | FAULTS
    read_options = ("--sqs-idle", "5s")

    def stop(self):
        for url in self.urls.values():
            self.queues.delete_queue(QueueUrl=url)


class SqsFifo(Sqs, adapters.SqsFifo):
    cannot = FAULTS


class Sns(LiveAws, adapters.Sns):
    cannot = FAULTS
    read_options = ("--sqs-idle", "5s")

    def __init__(self):
        super().__init__()
        if self.server.endpoint:  # moto: see adapters.Sns
            self.read_options += ("--sqs-sns-signature", "skip", "--sqs-requests", "1")
        partition, account = (self.server.client("sts").get_caller_identity()["Arn"].split(":")[at] for at in (1, 4))
        self.before = f"arn:{partition}:sns:{self.server.region}:{account}:"

    def _arn(self, name):
        return self.before + name

    def stream(self, name="plain"):
        """The queue lets its topic, and nobody else, send."""
        name = self._new(name)
        url, topic = self.urls[name], self._arn(name)
        self.vendor.create_topic(Name=name, Attributes={"FifoTopic": "true"} if self.kind else {})
        self.made.append(topic)
        queue = self.queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.queues.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}}}]})})
        self.vendor.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": str(self.raw).lower()})
        return adapters.Stream(name, f"sns:{topic}", f"sqs:{name}")

    def stop(self):
        for topic in self.made:
            self.vendor.delete_topic(TopicArn=topic)
        for url in self.urls.values():
            self.queues.delete_queue(QueueUrl=url)


class SnsFifo(Sns, adapters.SnsFifo):
    pass


class SnsRaw(Sns, adapters.SnsRaw):
    pass


# --- Google -----------------------------------------------------------------------------------------------------------------

class Google(pubsub_server.PubSub):
    """No process of ours."""

    def __init__(self):
        found = taken("GOOGLE_", "PUBSUB_", "CLOUDSDK_")
        self.project, self.emulator = found["GOOGLE_CLOUD_PROJECT"], found.get("PUBSUB_EMULATOR_HOST")
        self.key_file, self.other = found["GOOGLE_APPLICATION_CREDENTIALS"], found.get("CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB")

    grpc = property(lambda self: self.emulator)

    def environment(self, credentials=None):
        given = {"GOOGLE_APPLICATION_CREDENTIALS": str(credentials or self.key_file), "CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB": self.other}
        return {name: value for name, value in given.items() if value}

    def _client(self, kind, **options):
        if self.emulator:
            return super()._client(kind, **options)
        return kind(credentials=google.auth.load_credentials_from_file(
            self.key_file, scopes=["https://www.googleapis.com/auth/pubsub"])[0], **options)

    def delete(self, name):
        self.subscriber.delete_subscription(subscription=f"projects/{self.project}/subscriptions/{name}-sub")
        self.publisher.delete_topic(topic=f"projects/{self.project}/topics/{name}")


class PubSub(Live, adapters.PubSub):
    cannot = adapters.PubSub.cannot | FAULTS
    read_options = ("--pubsub-idle", "5s")
    after_kill = ("--pubsub-ack-deadline", "10s")
    leases = True

    def __init__(self):
        self.holder = tempfile.TemporaryDirectory()
        super().__init__(Google(), pathlib.Path(self.holder.name))
        self.made = []

    def stream(self, name="plain"):
        made = super().stream(name)
        self.made.append(made.name)
        return made

    def missing(self):
        return adapters.Stream("missing", *[f"pubsub:{self.server.project}/missing"] * 2)

    def killed(self):
        """Their time runs out by itself."""

    def stop(self):
        for name in self.made:
            self.server.delete(name)


# --- Azure ------------------------------------------------------------------------------------------------------------------

class Azure:
    """A namespace."""

    def __init__(self):
        self.connection_string = taken("AZURE_")["AZURE_EVENTHUB_CONNECTION_STRING"]
        parts = dict(part.split("=", 1) for part in self.connection_string.rstrip(";").split(";"))
        self.key, self.namespace = parts["SharedAccessKey"], parts["Endpoint"].removeprefix("sb://").strip("/")
        self.other = taken("SEALSTREAM_EVENTHUBS_")

    def client(self):
        other = {"ssl.ca.location": self.other["SEALSTREAM_EVENTHUBS_CA_FILE"]} if self.other else {}
        return {"bootstrap.servers": self.other.get("SEALSTREAM_EVENTHUBS_ENDPOINT", f"{self.namespace}:9093"),
                "security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.username": "$ConnectionString",
                "sasl.password": self.connection_string, "compression.type": "none"} | other


class EventHubs(Live, adapters.EventHubs):
    """At least once: which tiers have transactions is not asked here."""

    cannot = adapters.EventHubs.cannot | FAULTS
    hubs = 6  # a case has up to three; the tier Standard lets a namespace have ten

    def __init__(self):
        super().__init__(Azure())
        self.made = []

    def environment(self, login=None):
        return {"AZURE_EVENTHUB_CONNECTION_STRING": login or self.server.connection_string,
                "SEALSTREAM_DELIVERY": "at-least-once"} | self.server.other

    def stream(self, name="plain"):
        while len(self.made) >= self.hubs:
            self._delete(self.made.pop(0))
        made = super().stream(name)
        self.made.append(made.name)
        return made

    def _delete(self, name):
        admin = AdminClient(self.properties)
        for done in admin.delete_topics([name]).values():
            done.result(60)

    def stop(self):
        for name in self.made:
            self._delete(name)


adapters.KINDS = {"kinesis": Kinesis, "sqs": Sqs, "sqs-fifo": SqsFifo, "sns": Sns, "sns-fifo": SnsFifo, "sns-raw": SnsRaw,
                  "pubsub": PubSub, "eventhubs": EventHubs}
