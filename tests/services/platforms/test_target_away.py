"""A target that is away for too long: told, given up, and the next run goes on with what was not acknowledged. Of queues to Kinesis."""
import json

import proxy
import pytest

from test_kinesis import POLICY, Stream
from test_sqs import make_queue

WAITS, GOES_ON = "waiting, and trying again: ", "going on, after "
# How it is away, and the exit code: one that throttles is there.
FORMS = {
    "broken": (503, "text/html", b"<html>Service Unavailable</html>", 69),
    "throttling": (400, "application/x-amz-json-1.1",
                   b'{"__type":"ProvisionedThroughputExceededException","message":"Rate exceeded."}', 75),
}


@pytest.fixture
def front(moto):
    it = proxy.Proxy(moto.port)
    yield it
    it.close()


@pytest.fixture
def run(sealstream, moto, front):
    """The queue is reached at once, the stream by way of the proxy."""
    sealstream.run("key", "create", "pii")
    (sealstream.folder / "policy.yaml").write_text(POLICY)
    queue, url = make_queue(moto)
    sqs = moto.client("sqs")
    for n in range(0, 50, 10):
        sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": json.dumps({"n": i, "Address": f"{i} High St"})}
                                                      for i in range(n, n + 10)])
    stream = Stream(moto, 1)
    environment = moto.environment() | {"AWS_ENDPOINT_URL_KINESIS": f"http://127.0.0.1:{front.port}",
                                        "SEALSTREAM_SQS_REQUESTS": "1"}  # moto lends a message to both who ask at the same moment

    def pump(*arguments, code=0):
        return sealstream.run("pump", "--from", f"sqs:{queue}", "--to", stream.address, "-p", "policy.yaml", "-e", *arguments,
                              environment=environment, exit_code=code)[1]

    pump.stream = stream
    return pump


@pytest.mark.parametrize("form", FORMS)
def test_given_up_and_gone_on_with(run, front, form):
    *answer, code = FORMS[form]
    front.turn_away(["PutRecords"], *answer, 10000)
    told = run("--retry-for", "2s", code=code)
    assert f"error: kinesis:{run.stream.name}: given up after " in told, told
    assert (told.count(WAITS), told.count(GOES_ON)) == (1, 0), told
    with front.lock:
        front.answers.clear()
    run()
    assert sorted(json.loads(value)["n"] for _, value in run.stream.read()) == list(range(50))
