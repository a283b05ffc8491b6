"""The stand-ins themselves: the vendors' own clients work with them, and with none that signs wrongly."""
import botocore.exceptions
import confluent_kafka
import pytest

import foreign
import servers


def kinesis_round_trip(server):
    kinesis = server.client("kinesis")
    kinesis.create_stream(StreamName="node", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="node", WaiterConfig={"Delay": 1})
    sent = kinesis.put_records(StreamName="node", Records=[{"Data": b"one \xff", "PartitionKey": "k"}])
    assert sent["FailedRecordCount"] == 0
    shard = kinesis.list_shards(StreamName="node")["Shards"][0]["ShardId"]
    at = kinesis.get_shard_iterator(StreamName="node", ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    assert [r["Data"] for r in kinesis.get_records(ShardIterator=at)["Records"]] == [b"one \xff"]


def sqs_round_trip(server):
    sqs = server.client("sqs")
    queue = sqs.create_queue(QueueName="node")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="one \u20ac", MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}})
    message, = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5, MessageAttributeNames=["All"])["Messages"]
    assert message["Body"] == "one \u20ac" and message["MessageAttributes"]["a"]["StringValue"] == "b"
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


@pytest.mark.parametrize("name", ["moto", "kinesis_local", "kinesalite"])
def test_kinesis(name, request):
    kinesis_round_trip(request.getfixturevalue(name))


@pytest.mark.parametrize("name", ["moto", "elasticmq", "local_sqs"])
def test_sqs(name, request):
    sqs_round_trip(request.getfixturevalue(name))


def test_moto_checks_signatures(moto):
    with pytest.raises(botocore.exceptions.ClientError, match="SignatureDoesNotMatch"):
        moto.client("sqs", aws_secret_access_key="wrong").list_queues()
    with pytest.raises(botocore.exceptions.ClientError, match="InvalidClientTokenId"):
        moto.client("kinesis", aws_access_key_id="AKIDNOBODY0000000000").list_streams()


def test_moto_lends_credentials_of_a_role(moto):
    lent = moto.client("sts").assume_role(RoleArn=moto.role(), RoleSessionName="test")["Credentials"]
    session = {"aws_access_key_id": lent["AccessKeyId"], "aws_secret_access_key": lent["SecretAccessKey"],
               "aws_session_token": lent["SessionToken"]}
    moto.client("sqs", **session).list_queues()
    with pytest.raises(botocore.exceptions.ClientError):
        moto.client("sqs", **session | {"aws_session_token": "another"}).list_queues()


@pytest.mark.parametrize("tls", [True, False])
def test_event_hubs(cache, tmp_path, tls):
    server = servers.EventHubs(cache, tmp_path / "eventhubs", ["hub"], tls=tls)
    try:
        foreign.produce(server.client(), "hub", [(b"k", b"one \xff")])
        assert [m.value() for m in foreign.consume(server.client(), "hub")] == [b"one \xff"]
        with pytest.raises(confluent_kafka.KafkaException):
            confluent_kafka.Consumer(server.client("wrong") | {"group.id": "g", "log_level": 0}).list_topics(timeout=3)
    finally:
        server.stop()
