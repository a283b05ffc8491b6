"""SQS and SNS: what they alone have. Queues of three stand-ins, read and written by the vendor's own client as well."""
import hashlib
import json
import re
import uuid

import pytest

POLICY = """version: 1
keys: {pii: "local:pii"}
topics:
- match: [/.*/]
  protect:
    $.Address: {type: encrypt, key: pii}
"""
SERVERS = ["moto", "elasticmq", "local_sqs"]


@pytest.fixture
def prepared(sealstream):
    sealstream.run("key", "create", "pii")
    (sealstream.folder / "policy.yaml").write_text(POLICY)
    (sealstream.folder / "other").mkdir()
    return sealstream


@pytest.fixture(params=SERVERS)
def server(request):
    return request.getfixturevalue(request.param)


def make_queue(server, kind="", **attributes):
    name = f"q-{uuid.uuid4().hex[:8]}{kind}"
    if kind:
        attributes["FifoQueue"] = "true"
    return name, server.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


def drain(server, url, want):
    """`want` messages, as the vendor's client reads them; and there are no more."""
    sqs, got = server.client("sqs"), []
    while len(got) < want:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5, MessageAttributeNames=["All"],
                                     AttributeNames=["All"]).get("Messages", [])
        assert answer, f"{len(got)} of {want} messages"
        got += answer
        sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]}
                                                         for n, m in enumerate(answer)])
    assert not sqs.receive_message(QueueUrl=url).get("Messages")
    assert len(got) == want
    return got


def envelope(value, key=None, headers=()):
    return json.dumps({"topic": "t", "partition": 0, "offset": 0, "key": key, "payload": value,
                       "headers": [part for pair in headers for part in pair]})


def produce(prepared, server, address, *envelopes, code=0, **environment):
    (prepared.folder / "in.json").write_text("".join(line + "\n" for line in envelopes))
    return prepared.run("produce", "--plain", "-J", "-t", address, "in.json", environment=server.environment() | environment,
                        exit_code=code)


def consume(prepared, server, address, *more, code=0, **environment):
    stdout, _ = prepared.run("consume", "--plain", "-J", "-e", "--commit", "-t", address, *more,
                             environment=server.environment() | environment, exit_code=code)
    return [json.loads(line) for line in stdout.decode().splitlines()]


def test_written_for_a_foreign_reader(prepared, server):
    name, url = make_queue(server)
    produce(prepared, server, f"sqs:{name}", envelope("eins \u20ac", "k\u00e9y", [("kind", "\u00fcber"), ("n", "1")]),
            *[envelope(f"{n}") for n in range(24)])
    got = {m["Body"]: m for m in drain(server, url, 25)}
    attributes = got["eins \u20ac"]["MessageAttributes"]
    assert {name: a["StringValue"] for name, a in attributes.items()} == {"kind": "\u00fcber", "n": "1", "seal.key": "k\u00e9y"}
    assert set(got) == {"eins \u20ac"} | {str(n) for n in range(24)}


def test_read_from_a_foreign_writer(prepared, server):
    name, url = make_queue(server)
    server.client("sqs").send_message(
        QueueUrl=url, MessageBody="zwei \u20ac \"\\ \n",
        MessageAttributes={"text": {"DataType": "String", "StringValue": "\u00fc"}, "number": {"DataType": "Number", "StringValue": "7"},
                           "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\x01"}})
    record, = consume(prepared, server, f"sqs:{name}")
    assert record["payload"] == "zwei \u20ac \"\\ \n" and record["topic"] == name
    headers = dict(zip(record["headers"][::2], record["headers"][1::2]))
    assert headers["text"] == "\u00fc" and headers["number"] == "7" and set(headers) == {"text", "number", "bytes"}
    assert not server.client("sqs").receive_message(QueueUrl=url).get("Messages")  # it was deleted


def test_looked_at(prepared, server):
    """Who consumes without --commit takes nothing away, and is told of everything once."""
    name, url = make_queue(server)
    produce(prepared, server, f"sqs:{name}", *[envelope(f"{n}") for n in range(25)])
    out, _ = prepared.run("consume", "--plain", "-e", "-t", f"sqs:{name}",
                          environment=server.environment() | {"SEALSTREAM_SQS_REQUESTS": "1"})
    assert sorted(map(int, out.split())) == list(range(25))
    assert sorted(int(m["Body"]) for m in drain(server, url, 25)) == list(range(25))


def test_protected_and_revealed(prepared, server):
    (plain, plain_url), (sealed, _) = make_queue(server), make_queue(server)
    sqs = server.client("sqs")
    values = [json.dumps({"Address": f"{n} High St", "n": n}) for n in range(200)]
    for at in range(0, 200, 10):
        sqs.send_message_batch(QueueUrl=plain_url, Entries=[{"Id": str(n), "MessageBody": v} for n, v in enumerate(values[at:at + 10])])
    one_at_a_time = {"SEALSTREAM_SQS_REQUESTS": "1"}  # moto lends a message to both who ask at the same moment: boto3 in four threads sees 201 of 200, too
    _, told = prepared.run("pump", "-p", "policy.yaml", "--from", f"sqs:{plain}", "--to", f"sqs:{sealed}", "-e",
                           environment=server.environment() | one_at_a_time)
    assert "200 records in, 200 out" in told
    _, told = prepared.run("pump", "-p", "policy.yaml", "--reveal", "--from", f"sqs:{sealed}", "--to", f"sqs:{plain}", "-e",
                           environment=server.environment() | one_at_a_time)
    assert "200 records in, 200 out" in told
    assert sorted(m["Body"] for m in drain(server, plain_url, 200)) == sorted(values)


@pytest.mark.parametrize("name", ["moto", "elasticmq", "local_sqs"])
def test_fifo(prepared, request, name):
    server = request.getfixturevalue(name)
    queue, url = make_queue(server, ".fifo")
    produce(prepared, server, f"sqs:{queue}", *[envelope(f"{n}", "even" if n % 2 == 0 else "odd \u00fc") for n in range(60)])
    by_key = {}  # one receive at a time, as but ElasticMQ none of these keeps a group to whom it has lent of it
    for record in consume(prepared, server, f"sqs:{queue}", SEALSTREAM_SQS_REQUESTS="1"):
        by_key.setdefault(record["key"], []).append(int(record["payload"]))
    assert by_key == {"even": list(range(0, 60, 2)), "odd \u00fc": list(range(1, 60, 2))}
    # the vendor's client sees the groups
    produce(prepared, server, f"sqs:{queue}", envelope("a", "even"), envelope("b", "odd \u00fc"), envelope("c"))
    groups = {m["Body"]: m["Attributes"]["MessageGroupId"] for m in drain(server, url, 3)}
    assert groups["a"] == "even" and groups["b"] == hashlib.sha256("odd \u00fc".encode()).hexdigest() and re.fullmatch(r"[0-9a-f]{16}-[0-9]+", groups["c"])


def test_what_cannot_be_sent(prepared, moto):
    queue, url = make_queue(moto)
    for record, why in ((envelope("x", headers=[("a b", "1")]), "cannot be the name of an attribute"),
                        (envelope("x", headers=[("a", "1"), ("a", "2")]), "the header a twice"),
                        (envelope("x", headers=[("a", "")]), "is empty"),
                        (envelope("x", headers=[(f"h{n}", "1") for n in range(11)]), "more headers than"),
                        (envelope(None, "k"), "the record has no value"),
                        (envelope("x" * 1_048_577), "the record is too long")):
        _, told = produce(prepared, moto, f"sqs:{queue}", record, code=65)
        assert why in told, told
    produce(prepared, moto, f"sqs:{queue}", envelope("x", headers=[("a b", "1")]), SEALSTREAM_SQS_HEADERS="drop")
    produce(prepared, moto, f"sqs:{queue}", envelope("x" * 1_048_576))
    assert {len(m["Body"]) for m in drain(moto, url, 2)} == {1, 1_048_576}


def test_addresses(prepared, moto):
    name, url = make_queue(moto)
    arn = moto.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    elsewhere = {name: value for name, value in moto.environment().items() if name not in ("AWS_REGION", "AWS_ENDPOINT_URL")}
    produce(prepared, moto, f"sqs:{name}", envelope("name"))
    produce(prepared, moto, f"sqs:{arn}", envelope("arn"), AWS_REGION="eu-west-1")  # the ARN says it
    (prepared.folder / "in.json").write_text(envelope("url") + "\n")
    prepared.run("produce", "--plain", "-J", "-t", f"sqs:{url}", "in.json", environment=elsewhere | {"AWS_REGION": "us-east-1"})
    assert {m["Body"] for m in drain(moto, url, 3)} == {"name", "arn", "url"}
    _, told = produce(prepared, moto, "sqs:none-such", envelope("x"), code=73)
    assert "none-such" in told and ("NonExistentQueue" in told or "QueueDoesNotExist" in told)
    _, told = produce(prepared, moto, "sqs:no/queue?", envelope("x"), code=64)
    assert "is no queue of SQS" in told


def test_wrong_credentials(prepared, moto):
    name, _ = make_queue(moto)
    for wrong, code in (({"AWS_SECRET_ACCESS_KEY": "wrong"}, "SignatureDoesNotMatch"),
                        ({"AWS_ACCESS_KEY_ID": "AKIDNOBODY0000000000"}, "InvalidClientTokenId")):
        _, told = produce(prepared, moto, f"sqs:{name}", envelope("x"), code=77, **wrong)
        assert code in told and "wrong" not in told.replace(name, "")
    nobody = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
    _, told = produce(prepared, moto, f"sqs:{name}", envelope("x"), code=77, **nobody)
    assert "there are no AWS credentials" in told


def test_a_role(prepared, moto):
    name, url = make_queue(moto)
    aws = prepared.folder / ".aws"
    aws.mkdir()
    (aws / "config").write_text(f"[profile worker]\nrole_arn = {moto.role()}\nsource_profile = base\nregion = us-east-1\n")
    (aws / "credentials").write_text(f"[base]\naws_access_key_id = {moto.key}\naws_secret_access_key = {moto.secret}\n")
    (prepared.folder / "in.json").write_text(envelope("by a role") + "\n")
    prepared.run("produce", "--plain", "-J", "-t", f"sqs:{name}", "in.json",
                 environment={"AWS_PROFILE": "worker", "AWS_ENDPOINT_URL": moto.endpoint})
    assert drain(moto, url, 1)[0]["Body"] == "by a role"


def test_bad_records_stay_or_go_to_dead_letters(prepared, moto):
    (name, url), (sealed, _), (dead, dead_url) = make_queue(moto), make_queue(moto), make_queue(moto)
    sqs = moto.client("sqs")
    for body in ('{"Address":"1 High St"}', "no JSON", '{"Address":"2 High St"}'):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    _, told = prepared.run("pump", "-p", "policy.yaml", "--from", f"sqs:{name}", "--to", f"sqs:{sealed}", "-e",
                           environment=moto.environment(), exit_code=65)
    assert "message" in told
    (prepared.folder / "policy.yaml").write_text(POLICY + f"""  on_error: dead_letter
  dead_letter: {{topic: {dead}, key: pii}}
""")
    _, told = prepared.run("pump", "-p", "policy.yaml", "--from", f"sqs:{name}", "--to", f"sqs:{sealed}", "-e",
                           environment=moto.environment(), exit_code=None)
    assert "dead" in told, told
    body = drain(moto, dead_url, 1)[0]["Body"]
    assert "no JSON" not in body


def subscribe(moto, raw, kind=""):
    name, url = make_queue(moto, kind)
    sns, sqs = moto.client("sns"), moto.client("sqs")
    topic = sns.create_topic(Name=f"t-{uuid.uuid4().hex[:8]}{kind}", Attributes={"FifoTopic": "true"} if kind else {})["TopicArn"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": raw})
    return topic, name, url


@pytest.mark.parametrize("raw", ["true", "false"])
def test_sns(prepared, moto, raw):
    topic, queue, _ = subscribe(moto, raw)
    produce(prepared, moto, f"sns:{topic}", envelope('{"a":"\u20ac"}', "k", [("kind", "\u00fcber")]), envelope("zwei"),
            *[envelope(f"{n}") for n in range(20)])
    moto.client("sns").publish(TopicArn=topic, Message="from the vendor's client",
                               MessageAttributes={"b": {"DataType": "String", "StringValue": "\u00fc"}})
    got = {r["payload"]: r for r in consume(prepared, moto, f"sqs:{queue}", "--sqs-sns-signature", "skip")}
    assert set(got) == {'{"a":"\u20ac"}', "zwei", "from the vendor's client"} | {f"{n}" for n in range(20)}
    assert got['{"a":"\u20ac"}']["key"] == "k" and got['{"a":"\u20ac"}']["headers"] == ["kind", "\u00fcber"]
    assert got["zwei"]["key"] is None and got["from the vendor's client"]["headers"][0] == "b"


def test_sns_keeps_binary_attributes(prepared, moto):
    """Wrapped: moto cannot deliver them raw, which makes messages as those of test_read_from_a_foreign_writer."""
    (source, url), (target, out) = make_queue(moto), make_queue(moto)
    topic, queue, _ = subscribe(moto, "false")
    moto.client("sqs").send_message(QueueUrl=url, MessageBody='{"Address":"1 High St"}',
                                    MessageAttributes={"b": {"DataType": "Binary", "BinaryValue": b"\xff\x00\x01"}})
    for start, end in ((f"sqs:{source}", f"sns:{topic}"), (f"sqs:{queue}", f"sqs:{target}")):
        reveal = ("--reveal",) if end.startswith("sqs") else ()
        prepared.run("pump", "-p", "policy.yaml", *reveal, "--from", start, "--to", end, "-e", environment=moto.environment() |
                     {"SEALSTREAM_SQS_SNS_SIGNATURE": "skip"})
    message = drain(moto, out, 1)[0]
    assert message["Body"] == '{"Address":"1 High St"}'
    assert message["MessageAttributes"]["b"] == {"DataType": "Binary", "BinaryValue": b"\xff\x00\x01"}


def test_sns_fifo(prepared, moto):
    topic, queue, _ = subscribe(moto, "true", ".fifo")
    produce(prepared, moto, f"sns:{topic}", *[envelope(f"{n}", "one") for n in range(30)])
    assert [r["payload"] for r in consume(prepared, moto, f"sqs:{queue}", SEALSTREAM_SQS_REQUESTS="1")] == [f"{n}" for n in range(30)]


def test_sns_refuses(prepared, moto):
    _, told = produce(prepared, moto, "sns:arn:aws:sns:us-east-1:123456789012:none-such", envelope("x"), code=73)
    assert "NotFound" in told
    _, told = produce(prepared, moto, "sns:purchases", envelope("x"), code=64)
    assert "is no topic of SNS: give its ARN" in told
    topic = moto.client("sns").create_topic(Name="limits")["TopicArn"]
    _, told = produce(prepared, moto, f"sns:{topic}", envelope("x" * 262_145), code=65)
    assert "too long" in told
