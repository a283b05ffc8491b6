"""`sealstream demo --platform`: the three stories on each platform's stand-in, and nothing of them stays there."""
import pytest
import servers
from pubsub_server import PubSub


def tell(sealstream, platform, environment):
    out, err = sealstream.run("demo", "--platform", platform, environment=environment, timeout=120)
    out = out.decode()
    for words in ("vault:v1:", "vault:v2:", "all 6 records came back byte for byte", "all 3 files arrived whole"):
        assert words in out, out + err
    return out


def test_kinesis(moto, sealstream):
    assert "Deleted what was made on Amazon Kinesis." in tell(sealstream, "kinesis", moto.environment())
    assert not [name for name in moto.client("kinesis").list_streams()["StreamNames"] if name.startswith("purchases")]


@pytest.mark.parametrize("kind", ["moto", "elasticmq", "local_sqs"])
def test_sqs(kind, request, sealstream):
    server = request.getfixturevalue(kind)
    assert "Deleted what was made on Amazon SQS." in tell(sealstream, "sqs", server.environment())
    assert not server.client("sqs").list_queues(QueueNamePrefix="purchases").get("QueueUrls")


def test_sns(moto, sealstream):
    out = tell(sealstream, "sns", moto.environment())
    assert "--to sns:arn:aws:sns:" in out and "Deleted what was made on Amazon SNS." in out
    assert not moto.client("sqs").list_queues(QueueNamePrefix="purchases").get("QueueUrls")
    assert not [topic for topic in moto.client("sns").list_topics()["Topics"] if ":purchases" in topic["TopicArn"]]


def test_pubsub(cache, tmp_path_factory, sealstream):
    server = PubSub(cache, tmp_path_factory.mktemp("pubsub"))
    out = tell(sealstream, "pubsub", server.environment() | {"GOOGLE_CLOUD_PROJECT": "shop"})
    assert "-reader" in out and "Deleted what was made on Google Cloud Pub/Sub." in out
    server.stop()


def test_eventhubs(cache, tmp_path_factory, sealstream):
    hubs = ["purchases", "purchases_encrypted", "purchases_large_encrypted"]
    server = servers.EventHubs(cache, tmp_path_factory.mktemp("eventhubs"), hubs)
    tell(sealstream, "eventhubs", {"AZURE_EVENTHUB_CONNECTION_STRING": server.connection_string,
                                   "SEALSTREAM_EVENTHUBS_ENDPOINT": server.address,
                                   "SEALSTREAM_EVENTHUBS_CA_FILE": str(server.ca)})
    server.stop()


@pytest.mark.parametrize("platform, variable", [("kinesis", "AWS_ENDPOINT_URL"), ("sqs", "AWS_ENDPOINT_URL"),
                                                ("sns", "AWS_ENDPOINT_URL"),
                                                ("pubsub", "PUBSUB_EMULATOR_HOST"),
                                                ("eventhubs", "AZURE_EVENTHUB_CONNECTION_STRING")])
def test_without_an_endpoint(sealstream, platform, variable):
    err = sealstream.run("demo", "--platform", platform, exit_code=64)[1]
    assert f"{variable} is not set" in err and f"sealstream demo --platform {platform}" in err
