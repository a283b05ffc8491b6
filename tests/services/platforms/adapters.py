"""What test_suite.py must know of each platform: how its own users reach, fill and read it, and what it keeps of a record.

An adapter is shared by all tests of its platform; streams are the tests' own. `put` and `get` are the vendor's client, or a foreign
one, and know nothing of sealstream.
"""
import base64
import contextlib
import hashlib
import json
import os
import re
import signal
import time
import typing
import urllib.parse
import uuid

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import foreign
import proxy
import pubsub_server
import servers
from cryptography.hazmat.primitives.asymmetric import rsa
from confluent_kafka.admin import AdminClient, NewTopic


class Record(typing.NamedTuple):
    key: bytes | None
    value: bytes | None
    headers: tuple = ()  # of (name, bytes)


class Stream(typing.NamedTuple):
    name: str  # what policies call it
    to: str  # address to write
    source: str  # address to read


class Lent(typing.NamedTuple):
    """Credentials that end before their time when `end` is called."""

    environment: dict
    end: typing.Callable
    refused: typing.Callable  # how many requests came with old ones
    given: typing.Callable  # how often there were new ones


class Adapter:
    """Defaults are of the Kafka protocol."""

    cannot = {}  # cases that there cannot be, and why
    only, why = None, ""  # these alone, and why
    ordered = True  # each key's records
    live = False  # live.py
    scheme = ""
    longest = 1_000_000  # of a value that surely fits
    too_long = 1_100_000
    null = empty = header_twice = True  # kept; False: refused as the record's own failure
    headers_at_most = None  # more are refused
    headers = True
    transactions = False
    after_kill = ()  # options of a pump that will be killed
    records = 3000  # that it has before it
    many = 300  # what a case takes that needs many
    no_keys = ()  # which the stand-in cannot do
    leases = False  # one that was killed keeps what it had for a while
    read_options = ()  # so that -e comes to its end soon
    consume_options = ()  # so that consume, which only looks at some platforms, sees all
    pump_options = ()  # of whoever keeps a place
    throttles = True
    secrets = ()

    def environment(self):
        raise NotImplementedError

    def key_back(self, key):
        """What a reader finds of it."""
        return key

    def wrong_environment(self):
        """Of somebody who is not let in; None: everybody is."""
        return None

    def nobody(self):
        """Without any credentials; None: everybody is let in."""
        return None

    @staticmethod
    def named(name):
        return f"{name}-{uuid.uuid4().hex[:8]}"

    def stream(self, name="plain"):
        """A new one, whose name begins so."""
        raise NotImplementedError

    def missing(self):
        """A stream that does not exist."""
        raise NotImplementedError

    def put(self, stream, records):
        raise NotImplementedError

    def get(self, stream, n):
        """All that is there, at least n, each by order of its key."""
        raise NotImplementedError

    @contextlib.contextmanager
    def away(self):
        """While it does not answer."""
        raise NotImplementedError

    def killed(self):
        """What was lent to those that were killed may come again from now on, if the platform can be told so."""

    def throttle(self, times):
        """The next requests to write are turned away."""
        raise NotImplementedError

    def turned_away(self):
        """How many requests met with a fault that was asked for."""
        raise NotImplementedError

    def refusing_some(self, times):
        """While so many requests of several records (to write, to acknowledge) are done for every second record alone."""
        raise NotImplementedError

    def lending(self):
        """While there are credentials that can end: Lent."""
        raise NotImplementedError


class Kafka(Adapter):
    scheme = "kafka"
    cannot = {
        "test_some_of_a_batch_refused": "a broker takes or refuses all of a partition's batch, and librdkafka sends it again",
        "test_expired_credentials_are_renewed": "these brokers know nobody; tokens of OAUTHBEARER: ../test_oauth.py",
    }
    longest = 990_000  # message.max.bytes of the client counts the headers of the record and of its batch, too
    transactions = True
    # the group knows who comes back, and need not wait until he is given up
    after_kill = tuple(text for setting in ("group.instance.id=one", "session.timeout.ms=3000", "max.poll.interval.ms=3000",
                                            "heartbeat.interval.ms=500", "transaction.timeout.ms=5000") for text in ("-X", setting))
    throttles = False  # brokers hold answers back, which librdkafka waits for

    def __init__(self, server, properties, partitions=2):
        self.server, self.properties, self.partitions = server, properties | {"log_level": 0}, partitions

    def environment(self):
        return {"SEALSTREAM_BOOTSTRAP_SERVER": self.properties["bootstrap.servers"]}

    def _address(self, name):
        return name

    def stream(self, name="plain"):
        name = self.named(name)
        admin = AdminClient(self.properties)
        for done in admin.create_topics([NewTopic(name, self.partitions, 1)]).values():
            done.result(30)
        return Stream(name, self._address(name), self._address(name))

    def missing(self):
        return Stream("missing", self._address("missing"), self._address("missing"))

    def put(self, stream, records):
        foreign.produce(self.properties | {"compression.type": "none"}, stream.name,
                        [{"key": r.key, "value": r.value, "headers": list(r.headers)} for r in records])

    def get(self, stream, n):
        """What stands behind a transaction of somebody who was killed is shown when that has timed out."""
        until = time.monotonic() + 180
        while len(found := [Record(m.key(), m.value(), tuple(m.headers() or ())) for m in foreign.consume(self.properties, stream.name)]) < n:
            assert time.monotonic() < until, f"{len(found)} of {n}"
            time.sleep(0.2)
        return found

    @contextlib.contextmanager
    def away(self):
        self.server.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.server.process.send_signal(signal.SIGCONT)


class EventHubs(Kafka):
    scheme = "eventhubs"
    cannot = Kafka.cannot | {"test_expired_credentials_are_renewed": "keys of a connection string do not end, and the stand-in knows no tokens"}
    too_long = 1_060_000
    transactions = False
    # kfake never ends what a producer has left open
    after_kill = ("--delivery", "at-least-once", *(text.replace("-X", "--eventhubs-property") for text in Kafka.after_kill))

    def __init__(self, server):
        super().__init__(server, server.client())
        self.secrets = (server.key,)

    def environment(self, login=None):
        return {"AZURE_EVENTHUB_CONNECTION_STRING": login or self.server.connection_string,
                "SEALSTREAM_EVENTHUBS_ENDPOINT": self.server.address, "SEALSTREAM_EVENTHUBS_CA_FILE": str(self.server.ca)}

    def wrong_environment(self):
        return self.environment(self.server.connection_string.replace(self.server.key, "wrong"))

    def nobody(self):
        return {name: value for name, value in self.environment().items() if "CONNECTION_STRING" not in name}

    def _address(self, name):
        return f"eventhubs:{self.server.namespace}/{name}"


class PubSub(Adapter):
    scheme = "pubsub"
    cannot = {"test_some_of_a_batch_refused": "Publish takes all messages of a request or none"}
    too_long = 10_500_000
    header_twice = False
    headers_at_most = 100
    many = 60  # pstest gives one message of a key after the other
    read_options = ("--pubsub-idle", "500ms")
    consume_options = ("--commit",)

    def __init__(self, server, folder):
        self.server, self.folder, self.before, self.found = server, folder, 0, {}
        self.secrets = ("PRIVATE KEY", "Bearer")

    def environment(self):
        return self.server.environment()

    def wrong_environment(self):
        other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return self.server.environment(pubsub_server.service_account(self.folder / "wrong.json", other))

    def nobody(self):
        return {name: value for name, value in self.server.environment().items() if name != "GOOGLE_APPLICATION_CREDENTIALS"} | {
            "GCE_METADATA_HOST": "127.0.0.1:9"}

    def stream(self, name="plain"):
        name = self.named(name)
        to = self.server.topic(name, enable_message_ordering=True)
        return Stream(name, to, f"{to}-sub")

    def missing(self):
        return Stream("missing", *[f"pubsub:{pubsub_server.PROJECT}/missing"] * 2)

    def put(self, stream, records):
        self.server.publish(stream.name, [(r.key.decode(), r.value, {name: value.decode() for name, value in r.headers})
                                          for r in records])

    def get(self, stream, n):
        """All that ever was there: what is read is acknowledged."""
        found = self.found.setdefault(stream.name, [])
        found += [Record(m.ordering_key.encode(), m.data, tuple((name, value.encode()) for name, value in m.attributes.items()))
                  for m in self.server.read(stream.name, max(0, n - len(found)))]
        return list(found)

    away = Kafka.away

    def killed(self):
        self.server.control("return")

    def throttle(self, times):
        self.before = self.server.control()["Calls"].get("publish", 0)
        self.server.fail("publish", 429, times)

    def turned_away(self):
        return self.server.control()["Calls"].get("publish", 0) - self.before

    @contextlib.contextmanager
    def lending(self):
        """Tokens, to somebody who has logged in."""
        before, user = self.server.control(), self.server.user(self.folder / "user.json")
        yield Lent(self.server.environment(user), lambda: self.server.control("expire"),
                   lambda: self.server.control()["Refused"] - before["Refused"], lambda: self.server.control()["Tokens"] - before["Tokens"])


TROUBLES = ("InternalError", "RequestThrottled")  # of single records, in turn


class Aws(Adapter):
    """A server by way of a proxy; moto says who may, as it checks signatures."""

    def __init__(self, server, moto):
        self.server, self.moto, self.proxy = server, moto, server.port and proxy.Proxy(server.port)
        self.secrets = (moto.secret,)
        self.vendor = server.client(self.service)

    def environment(self, **more):
        return self.server.environment() | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.proxy.port}"} | more

    def wrong_environment(self):
        return self.moto.environment() | {"AWS_SECRET_ACCESS_KEY": "wrong"}

    def nobody(self):
        return {name: value for name, value in self.environment().items() if "ACCESS_KEY" not in name}

    @contextlib.contextmanager
    def away(self):
        self.proxy.close()
        try:
            yield
        finally:
            self.proxy.open()

    def throttle(self, times):
        self.proxy.answered = 0
        self.proxy.turn_away(*self.throttled, times)

    def turned_away(self):
        return self.proxy.answered

    @contextlib.contextmanager
    def refusing_some(self, times):
        self.proxy.answered = 0
        for name in self.batches:
            self.proxy.take_over([name], self._some, times)
        yield
        self.proxy.answers.clear()

    def _some(self, headers, body, ask):
        """The answer to a request of which every second record is left out."""
        if "X-Amz-Target" not in headers:
            return self._some_of_form(headers, body, ask)
        asked = json.loads(body)
        name = "Entries" if "Entries" in asked else "Records"
        if len(asked[name]) < 2:
            return None
        status, kind, answer = ask(*self._signed(headers, json.dumps(asked | {name: asked[name][::2]}).encode()))
        assert status == 200, answer
        return status, kind, json.dumps(self.put_back(json.loads(answer), asked[name])).encode()

    def put_back(self, answer, asked):
        """What was left out of `asked` as refused."""
        raise NotImplementedError

    def _signed(self, headers, body):
        request = botocore.awsrequest.AWSRequest("POST", f"http://{headers['Host']}/", data=body, headers={
            name: headers[name] for name in ("Content-Type", "X-Amz-Target") if name in headers})
        service = "sqs" if "AmazonSQS" in headers.get("X-Amz-Target", "") else self.service
        botocore.auth.SigV4Auth(botocore.credentials.Credentials(self.server.key, self.server.secret), service,
                                servers.REGION).add_auth(request)
        return dict(request.headers) | {"Host": headers["Host"]}, body

    @contextlib.contextmanager
    def lending(self):
        lender = self.proxy.lender = proxy.Lender(self.server.lend)
        where = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{self.proxy.port}/credentials"}
        yield Lent(self.nobody() | where, lender.end, lambda: lender.refused, lambda: len(lender.lent))
        self.proxy.lender = None


class Kinesis(Aws):
    scheme = service = "kinesis"
    throttled = (["PutRecord"], 400, "application/x-amz-json-1.1",
                 b'{"__type":"ProvisionedThroughputExceededException","message":"Rate exceeded."}')
    headers = null = False
    too_long = 1_100_000
    pump_options = ("--kinesis-checkpoint", "sqlite:places.db")
    after_kill = ("--kinesis-lease", "2s")
    leases = True
    batches = ("PutRecords",)

    def key_back(self, key):
        with contextlib.suppress(UnicodeDecodeError):
            if len(key.decode()) <= 256:
                return key
        return hashlib.sha256(key).hexdigest().encode()

    def stream(self, name="plain"):
        name = self.named(name)
        self.vendor.create_stream(StreamName=name, ShardCount=2)
        return Stream(name, f"kinesis:{name}", f"kinesis:{name}")

    def missing(self):
        return Stream("missing", "kinesis:missing", "kinesis:missing")

    def put_back(self, answer, asked):
        done = iter(answer["Records"])
        return {"FailedRecordCount": len(asked) // 2, "Records": [
            {"ErrorCode": ("InternalFailure", "ProvisionedThroughputExceededException")[at // 2 % 2], "ErrorMessage": "Not now."}
            if at % 2 else next(done) for at in range(len(asked))]}

    def put(self, stream, records):
        records = [{"PartitionKey": r.key.decode(), "Data": r.value} for r in records]
        for at in range(0, len(records), 500):
            assert self.vendor.put_records(StreamName=stream.name, Records=records[at:at + 500])["FailedRecordCount"] == 0

    def get(self, stream, n):
        found = []
        for shard in self.vendor.list_shards(StreamName=stream.name)["Shards"]:
            at = self.vendor.get_shard_iterator(StreamName=stream.name, ShardId=shard["ShardId"],
                                                ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
            while at:
                answer = self.vendor.get_records(ShardIterator=at)
                found += [Record(r["PartitionKey"].encode(), r["Data"]) for r in answer["Records"]]
                at = answer.get("NextShardIterator") if answer["Records"] else None
        return found


class Sqs(Aws):
    scheme = service = "sqs"
    ordered = False
    kind = ""  # what names end with
    throttled = (["SendMessageBatch"], 400, "application/x-amz-json-1.0",
                 b'{"__type":"com.amazonaws.sqs#RequestThrottled","message":"Slower."}')
    batches = ("SendMessageBatch", "DeleteMessageBatch")
    null = empty = header_twice = False
    headers_at_most = 9  # and the key
    too_long = 1_050_000
    consume_options = ("--commit",)
    after_kill = ("--sqs-visibility-timeout", "2s")
    leases = True
    cannot = {"test_order_of_a_key": "standard queues promise no order", "test_order_through_a_pump": "the same"}

    def __init__(self, server, moto):
        super().__init__(server, moto)
        self.queues, self.urls, self.found = server.client("sqs"), {}, {}

    def _new(self, name):
        name = self.named(name) + self.kind
        self.urls[name] = self.queues.create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if self.kind else {})["QueueUrl"]
        self.found[name] = []
        return name

    def stream(self, name="plain"):
        name = self._new(name)
        return Stream(name, f"sqs:{name}", f"sqs:{name}")

    def missing(self):
        return Stream("missing", *[f"sqs:missing{self.kind}"] * 2)

    def _entry(self, number, body, record):
        attributes = {name: {"DataType": "String", "StringValue": value.decode()} for name, value in record.headers}
        if self.kind:
            return {"Id": str(number), body: record.value.decode(), "MessageAttributes": attributes,
                    "MessageGroupId": record.key.decode(), "MessageDeduplicationId": uuid.uuid4().hex}
        attributes["seal.key"] = {"DataType": "String", "StringValue": record.key.decode()}
        return {"Id": str(number), body: record.value.decode(), "MessageAttributes": attributes}

    def put(self, stream, records):
        for at in range(0, len(records), 10):
            entries = [self._entry(number, "MessageBody", record) for number, record in enumerate(records[at:at + 10])]
            assert not self.queues.send_message_batch(QueueUrl=self.urls[stream.name], Entries=entries).get("Failed")

    def get(self, stream, n):
        """All that ever was there: what is read is taken away."""
        found, url, until = self.found[stream.name], self.urls[stream.name], time.monotonic() + 180
        while True:
            messages = self.queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=int(len(found) < n),
                                                   MessageAttributeNames=["All"], AttributeNames=["All"]).get("Messages", [])
            if not messages and len(found) >= n:
                return list(found)
            assert messages or time.monotonic() < until, f"{len(found)} of {n}"
            if messages:
                until = time.monotonic() + 180
                found += map(self._record, messages)
                self.queues.delete_message_batch(QueueUrl=url, Entries=[{"Id": str(number), "ReceiptHandle": m["ReceiptHandle"]}
                                                                        for number, m in enumerate(messages)])

    def _record(self, message):
        attributes = {name: a.get("BinaryValue", a.get("StringValue", "").encode())
                      for name, a in message.get("MessageAttributes", {}).items()}
        key = attributes.pop("seal.key", message["Attributes"].get("MessageGroupId", "").encode() or None)
        return Record(key, message["Body"].encode(), tuple(attributes.items()))

    def put_back(self, answer, asked):
        return answer | {"Failed": answer.get("Failed", []) + [
            {"Id": entry["Id"], "Code": TROUBLES[at % 2], "SenderFault": False, "Message": "Not now."}
            for at, entry in enumerate(asked[1::2])]}


class SqsFifo(Sqs):
    ordered = True
    kind = ".fifo"
    headers_at_most = 10
    cannot = {}


class Sns(Sqs):
    """Written as SNS, read from a queue that subscribes."""

    scheme = service = "sns"
    raw = False
    records, many = 150, 60  # moto is slow
    throttled = (["Action=PublishBatch"], 429, "text/xml",
                 b"<ErrorResponse><Error><Code>Throttled</Code><Message>Slower.</Message></Error></ErrorResponse>")
    batches = ("Action=PublishBatch", "DeleteMessageBatch")
    longest, too_long = 250_000, 263_000
    read_options = ("--sqs-sns-signature", "skip")  # moto signs none

    def environment(self, **more):
        return super().environment(SEALSTREAM_SQS_REQUESTS="1", **more)  # moto lends a message to both who ask at the same moment

    @staticmethod
    def _arn(name):
        return f"arn:aws:sns:{servers.REGION}:123456789012:{name}"

    def stream(self, name="plain"):
        name = self._new(name)
        self.vendor.create_topic(Name=name, Attributes={"FifoTopic": "true"} if self.kind else {})
        self.vendor.subscribe(TopicArn=self._arn(name), Protocol="sqs", Endpoint=self._arn(name).replace(":sns:", ":sqs:"),
                              Attributes={"RawMessageDelivery": str(self.raw).lower()})
        return Stream(name, f"sns:{self._arn(name)}", f"sqs:{name}")

    def missing(self):
        return Stream("missing", f"sns:{self._arn('missing' + self.kind)}", f"sqs:missing{self.kind}")

    def put(self, stream, records):
        for at in range(0, len(records), 10):
            entries = [self._entry(number, "Message", record) for number, record in enumerate(records[at:at + 10])]
            assert not self.vendor.publish_batch(TopicArn=self._arn(stream.name), PublishBatchRequestEntries=entries).get("Failed")

    def _record(self, message):
        if not self.raw:
            wrapped = json.loads(message["Body"])
            message = {"Body": wrapped["Message"], "Attributes": message["Attributes"], "MessageAttributes": {
                name: {"StringValue": a["Value"]} if a["Type"] == "String" else {"BinaryValue": base64.b64decode(a["Value"])}
                for name, a in wrapped.get("MessageAttributes", {}).items()}}
        return super()._record(message)

    def _some_of_form(self, headers, body, ask):
        """As _some, in the query protocol."""
        entries, kept, refused = {}, [], ""
        for name, value in urllib.parse.parse_qsl(body.decode(), keep_blank_values=True):
            entry = re.fullmatch(r"PublishBatchRequestEntries\.member\.(\d+)\.(.*)", name)
            if entry is None:
                kept.append((name, value))
            else:
                entries.setdefault(int(entry[1]), {})[entry[2]] = value
        if len(entries) < 2:
            return None
        for at, entry in entries.items():
            if at % 2 == 1:
                kept += [(f"PublishBatchRequestEntries.member.{at // 2 + 1}.{name}", value) for name, value in entry.items()]
            else:
                refused += (f"<member><Id>{entry['Id']}</Id><Code>{TROUBLES[at // 2 % 2]}</Code><Message>Not now.</Message>"
                            "<SenderFault>false</SenderFault></member>")
        status, kind, answer = ask(*self._signed(headers, urllib.parse.urlencode(kept).encode()))
        assert status == 200, answer
        answer, times = re.subn(r"<Failed\s*/>|<Failed>\s*</Failed>", f"<Failed>{refused}</Failed>", answer.decode())
        assert times == 1, answer
        return status, kind, answer.encode()


class SnsFifo(Sns):
    ordered = True
    kind = ".fifo"
    headers_at_most = 10
    cannot = {}
    only = ("test_order_of_a_key", "test_order_through_a_pump", "test_keys", "test_no_key", "test_many_headers", "test_poison_stops_in_front",
            "test_dead_letters_are_revealed", "test_throttled", "test_some_of_a_batch_refused", "test_large_file")
    why = "nothing but order and groups differs from sns"


class SnsRaw(Sns):
    raw = True
    no_keys = (b"\xff\x00\xfe",)  # moto fails where a queue is to give a Binary attribute that came raw
    only = ("test_foreign_client_writes", "test_foreign_client_reads", "test_pump_protects_and_reveals", "test_unicode_values",
            "test_values_that_are_no_text", "test_keys", "test_no_key", "test_unicode_headers", "test_foreign_headers", "test_many_headers",
            "test_dead_letters_are_revealed", "test_large_file")
    why = "nothing but what a queue gives differs from sns"


def make(name, request):
    """The adapter of that platform, and how to end it."""
    if KINDS[name].live:
        return KINDS[name].make()
    cache, temporary = request.getfixturevalue("cache"), request.getfixturevalue("tmp_path_factory")
    if name == "kafka":
        node = request.getfixturevalue("kafka")
        return Kafka(node, {"bootstrap.servers": node.brokers}), lambda: None
    if name == "pubsub":
        server = pubsub_server.PubSub(cache, temporary.mktemp(name))
        return PubSub(server, temporary.mktemp("users")), server.stop
    if name == "kinesis":
        moto = request.getfixturevalue("moto")
        made = Kinesis(moto, moto)
        return made, made.proxy.close
    if name in ("sqs", "sqs-fifo"):
        made = KINDS[name](request.getfixturevalue("elasticmq"), request.getfixturevalue("moto"))
        return made, made.proxy.close
    if name in ("sns", "sns-fifo", "sns-raw"):
        moto = request.getfixturevalue("moto")
        made = KINDS[name](moto, moto)
        return made, made.proxy.close
    server = servers.EventHubs(cache, temporary.mktemp(name), ["first"])
    return EventHubs(server), server.stop


KINDS = {"kafka": Kafka, "eventhubs": EventHubs, "pubsub": PubSub, "kinesis": Kinesis, "sqs": Sqs, "sqs-fifo": SqsFifo,
         "sns": Sns, "sns-fifo": SnsFifo, "sns-raw": SnsRaw}
PLATFORMS = os.environ.get("SUITE_PLATFORMS", " ".join(KINDS)).split()
