"""Kinesis: what it alone has. Shards and their children, places that are kept, readers that share a stream, aggregated records."""
import hashlib
import json
import signal
import subprocess
import threading
import time
import uuid

import pytest
from aws_kinesis_agg import aggregator
from postgresql_node import PASSWORD, PostgresqlNode

POLICY = """version: 1
keys: {pii: "local:pii"}
topics:
- match: /.*/
  protect:
    $.Address: {type: encrypt, key: pii}
"""


@pytest.fixture(params=["moto", "kinesis_local", "kinesalite"])
def server(request):
    return request.getfixturevalue(request.param)


class Stream:
    def __init__(self, server, shards):
        self.server, self.client, self.name = server, server.client("kinesis"), f"s-{uuid.uuid4().hex[:8]}"
        self.client.create_stream(StreamName=self.name, ShardCount=shards)
        self.wait()

    def wait(self):
        while self.client.describe_stream_summary(StreamName=self.name)["StreamDescriptionSummary"]["StreamStatus"] != "ACTIVE":
            time.sleep(0.05)

    @property
    def address(self):
        return f"kinesis:{self.name}"

    def put(self, records):
        """(key, value) pairs, one after the other in each lot."""
        records = [{"PartitionKey": key, "Data": value} for key, value in records]
        for at in range(0, len(records), 500):
            assert self.client.put_records(StreamName=self.name, Records=records[at:at + 500])["FailedRecordCount"] == 0

    def shards(self):
        return self.client.list_shards(StreamName=self.name)["Shards"]

    def read(self):
        """(key, value) pairs; those of a shard in order."""
        found = []
        for shard in self.shards():
            at = self.client.get_shard_iterator(StreamName=self.name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
            at, empty = at["ShardIterator"], 0
            while at and empty < 2:
                answer = self.client.get_records(ShardIterator=at)
                found += [(record["PartitionKey"], record["Data"]) for record in answer["Records"]]
                at, empty = answer.get("NextShardIterator"), 0 if answer["Records"] else empty + 1
        return found


@pytest.fixture
def stream(server):
    return Stream(server, 2)


@pytest.fixture
def local_stream(kinesis_local):
    return Stream(kinesis_local, 2)


@pytest.fixture
def prepared(sealstream):
    sealstream.run("key", "create", "pii")
    (sealstream.folder / "policy.yaml").write_text(POLICY)
    return sealstream


def consume(sealstream, stream, *arguments, **options):
    """What a reader that stops at the tips prints: (key, value) pairs."""
    out, told = sealstream.run("consume", "--plain", "-J", "-e", "-t", stream.address, *arguments,
                               environment=stream.server.environment(), **options)
    records = [json.loads(line) for line in out.splitlines()]
    return [(record["key"], record["payload"]) for record in records], told


def numbered(n, keys=7):
    return [(f"key-{i % keys}", b'{"n":%d}' % i) for i in range(n)]


def in_order(records):
    """Of each key, its numbers; the first time that each came."""
    of_key = {}
    for key, value in records:
        numbers = of_key.setdefault(key, [])
        number = json.loads(value)["n"]
        if number not in numbers:
            numbers.append(number)
    return of_key


def test_round_trip(stream, prepared):
    values = [json.dumps({"Address": f"{i} High St \u20ac", "n": i}, ensure_ascii=False) for i in range(300)]
    stream.put((f"key-{i % 7}", value.encode()) for i, value in enumerate(values))
    target = Stream(stream.server, 2)
    _, told = prepared.run("pump", "--from", stream.address, "--to", target.address, "-p", "policy.yaml", "-e",
                           environment=stream.server.environment())
    assert "300 records in, 300 out" in told and "places in the shards are not kept" in told
    sealed = target.read()
    assert all(json.loads(value)["Address"].startswith("vault:v1:") for _, value in sealed)
    assert in_order(sealed) == {f"key-{k}": list(range(k, 300, 7)) for k in range(7)}
    out, _ = prepared.run("consume", "-p", "policy.yaml", "-e", "-t", target.address, environment=stream.server.environment())
    assert sorted(out.decode().splitlines()) == sorted(values)


def test_each_side_elsewhere(local_stream, kinesalite, prepared):
    """What one side alone is told is not the other's."""
    target = Stream(kinesalite, 1)
    local_stream.put(numbered(20))
    arguments = ("pump", "--from", local_stream.address, "--to", target.address, "-p", "policy.yaml", "-e")
    _, told = prepared.run(*arguments, "--to-kinesis-endpoint", kinesalite.endpoint, environment=local_stream.server.environment())
    assert "20 records in, 20 out" in told and len(target.read()) == 20
    _, told = prepared.run(*arguments, environment=kinesalite.environment()
                           | {"SEALSTREAM_FROM_KINESIS_ENDPOINT": local_stream.server.endpoint})
    assert "20 records in, 20 out" in told and len(target.read()) == 40


def test_keys(local_stream, prepared):
    """Text is the partition key; anything else is hashed, and none is random."""
    lines = [{"key": "k\u20ac", "payload": "{}"}, {"key": "x" * 257, "payload": "{}"}, {"payload": "{}"}]
    prepared.run("produce", "--plain", "-J", "-t", local_stream.address, environment=local_stream.server.environment(),
                 input="".join(json.dumps(line) + "\n" for line in lines).encode())
    keys = {key for key, _ in local_stream.read()}
    assert "k\u20ac" in keys and len(keys) == 3 and sorted(map(len, keys - {"k\u20ac"})) == [32, 64]


@pytest.mark.parametrize("kept", ["file:places", "sqlite:places.db"])
def test_places_are_kept(stream, prepared, kept):
    arguments = ("-G", "app", "--kinesis-checkpoint", kept)
    stream.put(numbered(50))
    first, _ = consume(prepared, stream, *arguments)
    assert len(first) == 50
    assert consume(prepared, stream, *arguments)[0] == []
    stream.put([("key-1", b'{"n":50}')])
    assert consume(prepared, stream, *arguments)[0] == [("key-1", '{"n":50}')]
    assert len(consume(prepared, stream, *arguments, "-G", "other")[0]) == 51


def test_places_in_postgresql(local_stream, prepared):
    node = PostgresqlNode()
    try:
        prepared.environment |= {"PGPASSWORD": PASSWORD}
        arguments = ("-G", "app", "--kinesis-checkpoint", node.address("postgres"))
        local_stream.put(numbered(50))
        assert len(consume(prepared, local_stream, *arguments)[0]) == 50
        local_stream.put([("key-1", b'{"n":50}')])
        assert consume(prepared, local_stream, *arguments)[0] == [("key-1", '{"n":50}')]
    finally:
        node.close()


def test_one_file_one_reader(local_stream, prepared):
    (prepared.folder / "places.lock").touch()
    with subprocess.Popen(["flock", prepared.folder / "places.lock", "sh", "-c", "echo locked; read x"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"locked\n"
        _, told = prepared.run("consume", "--plain", "-e", "-t", local_stream.address, "-G", "app", "--kinesis-checkpoint",
                               "file:places", environment=local_stream.server.environment(), exit_code=75)
        other.stdin.close()
    assert "another process keeps its place in this file" in told


def test_where_to_begin(local_stream, prepared):
    local_stream.put(numbered(5))
    time.sleep(1.1)
    since = time.time()
    local_stream.put([("k", b'{"n":9}')])
    assert consume(prepared, local_stream, "--kinesis-start", "latest")[0] == []
    assert consume(prepared, local_stream, "--kinesis-start", f"{since - 0.5:.3f}")[0] == [("k", '{"n":9}')]
    _, told = prepared.run("consume", "--plain", "-e", "-t", local_stream.address, "--kinesis-start", "yesterday",
                           environment=local_stream.server.environment(), exit_code=64)
    assert "yesterday" in told


def reshard(stream):
    """Splits the first shard that is open, then merges the two children."""
    parent = next(s for s in stream.shards() if "EndingSequenceNumber" not in s["SequenceNumberRange"])
    low, high = (int(parent["HashKeyRange"][name]) for name in ("StartingHashKey", "EndingHashKey"))
    stream.client.split_shard(StreamName=stream.name, ShardToSplit=parent["ShardId"], NewStartingHashKey=str((low + high) // 2))
    stream.wait()
    yield
    first, second = (s["ShardId"] for s in stream.shards() if s.get("ParentShardId") == parent["ShardId"])
    stream.client.merge_shards(StreamName=stream.name, ShardToMerge=first, AdjacentShardToMerge=second)
    stream.wait()
    yield


def start(sealstream, stream, *arguments):
    return sealstream.start(*arguments, environment=stream.server.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_shards_change_before_and_while_reading(local_stream, prepared):
    """Children come after their parents, so each key keeps its order."""
    records, steps = numbered(400), reshard(local_stream)
    local_stream.put(records[:100])
    next(steps)
    local_stream.put(records[100:200])
    reader = start(prepared, local_stream, "consume", "--plain", "-J", "-c", "400", "-t", local_stream.address)
    got = [json.loads(reader.stdout.readline())]
    next(steps)
    local_stream.put(records[200:])
    got += [json.loads(line) for line in reader.stdout]
    assert reader.wait(180) == 0 and len(got) == 400
    assert in_order((r["key"], r["payload"]) for r in got) == {f"key-{k}": list(range(k, 400, 7)) for k in range(7)}
    assert len(consume(prepared, local_stream)[0]) == 400


def numbers_of(lines):
    return {json.loads(line["payload"])["n"] for line in lines}


class Lines(threading.Thread):
    """What a process prints, as it comes."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process, self.lines = process, []
        self.start()

    def run(self):
        self.lines.extend(map(json.loads, self.process.stdout))

    def wait_for(self, numbers, seconds=180):
        deadline = time.monotonic() + seconds
        while not numbers <= numbers_of(list(self.lines)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert numbers <= numbers_of(list(self.lines))


def test_two_readers_share_a_stream(kinesis_local, prepared):
    stream = Stream(kinesis_local, 4)
    kept = ("-G", "app", "--kinesis-checkpoint", "sqlite:places.db", "--kinesis-lease", "5s")
    first = start(prepared, stream, "consume", "--plain", "-J", "-t", stream.address, *kept)
    stream.put(numbered(200, keys=40))
    one = Lines(first)
    one.wait_for(set(range(200)))
    second = start(prepared, stream, "consume", "--plain", "-J", "-t", stream.address, *kept)
    two, n, deadline = Lines(second), 200, time.monotonic() + 180
    while len({line["partition"] for line in two.lines}) < 2 and time.monotonic() < deadline:  # half of the shards move over
        stream.put([(f"key-{i % 40}", b'{"n":%d}' % i) for i in range(n, n + 40)])
        n += 40
        time.sleep(0.3)
    assert len({line["partition"] for line in two.lines}) >= 2  # more where the first one was held up for longer than its leases
    first.kill()
    first.communicate()
    one.join()
    stream.put([(f"key-{i % 40}", b'{"n":%d}' % i) for i in range(n, n + 40)])
    two.wait_for(set(range(n, n + 40)))  # its leases ran out, and the other one reads all
    second.send_signal(signal.SIGTERM)
    second.communicate(timeout=120)
    two.join()
    assert numbers_of(one.lines) | numbers_of(two.lines) == set(range(n + 40))
    assert consume(prepared, stream, *kept)[0] == []  # what was done is not done again, and no lease is in the way


def test_killed_readers_lose_nothing(local_stream, prepared):
    records = numbered(3000)
    local_stream.put(records)
    target = Stream(local_stream.server, 2)
    arguments = ("pump", "--from", local_stream.address, "--to", target.address, "-p", "policy.yaml", "-G", "app",
                 "--kinesis-checkpoint", "file:places")
    for _ in range(3):
        pump = start(prepared, local_stream, *arguments)
        time.sleep(1.5)
        pump.send_signal(signal.SIGKILL)
        pump.communicate()
    prepared.run(*arguments, "-e", environment=local_stream.server.environment())
    assert in_order(target.read()) == {f"key-{k}": list(range(k, 3000, 7)) for k in range(7)}


def aggregate(records):
    together = aggregator.RecordAggregator()
    for key, value in records:
        together.add_user_record(key, value)
    return together.clear_and_get().get_contents()[2]


def is_first_half(key):
    return hashlib.md5(key.encode()).digest()[0] < 0x80


def test_aggregated_records(stream, prepared):
    """Those of keys of one shard, as KPL writes them; of any keys those of other shards are left out, but where it is told to keep them."""
    ours, mixed, alone = [("a", b'{"n":%d}' % n) for n in range(20)], numbered(20), ("b", b'{"n":20}')
    stream.put([("a", aggregate(ours)), ("c", aggregate(mixed)), alone])
    got, told = consume(prepared, stream)
    here = [record for record in mixed if is_first_half(record[0]) == is_first_half("c")]
    assert 0 < len(here) < len(mixed)
    assert sorted(got) == sorted((key, value.decode()) for key, value in [*ours, *here, alone])
    assert "--kinesis-keep-foreign" in told and f"{len(mixed) - len(here)} records were left out of aggregates" in told
    got, told = consume(prepared, stream, "--kinesis-keep-foreign")
    assert sorted(got) == sorted((key, value.decode()) for key, value in [*ours, *mixed, alone])
    assert "aggregate" not in told


def test_part_of_an_aggregate_is_resumed(local_stream, prepared):
    local_stream.put([("a", aggregate(numbered(20)))])
    arguments = ("-G", "app", "--kinesis-checkpoint", "file:places", "--kinesis-keep-foreign")
    first, _ = consume(prepared, local_stream, *arguments, "-c", "7")
    rest, _ = consume(prepared, local_stream, *arguments)
    assert [*first, *rest] == [(key, value.decode()) for key, value in numbered(20)]


def test_wrong_secret(moto, prepared):
    environment = moto.environment() | {"AWS_SECRET_ACCESS_KEY": "wrong"}
    _, told = prepared.run("consume", "--plain", "-e", "-t", "kinesis:any", environment=environment, exit_code=77)
    assert "SignatureDoesNotMatch" in told and "wrong" not in told


def test_too_long_or_none_at_all(local_stream, prepared):
    lines = [{"key": "k", "payload": "x" * 1048576}, {"key": "k", "payload": "x" * 1048575}, {"key": "k", "payload": None}]
    for line, exit_code in zip(lines, (65, 0, 65)):
        prepared.run("produce", "--plain", "-J", "-t", local_stream.address, input=json.dumps(line).encode() + b"\n",
                     environment=local_stream.server.environment(), exit_code=exit_code)
    assert [len(value) for _, value in local_stream.read()] == [1048575]


@pytest.mark.parametrize("server", ["moto", "kinesalite"], indirect=True)
def test_requests_of_many_megabytes(stream, prepared):
    lines = [{"key": f"key-{i}", "payload": "x" * 1_000_000} for i in range(14)]
    prepared.run("produce", "--plain", "-J", "-t", stream.address, environment=stream.server.environment(),
                 input="".join(json.dumps(line) + "\n" for line in lines).encode())
    assert sorted((key, len(value)) for key, value in stream.read()) == sorted((line["key"], 1_000_000) for line in lines)


def test_who_only_looks_keeps_no_place(local_stream, prepared):
    local_stream.put(numbered(50))
    kept = ("--kinesis-checkpoint", "file:places")
    out, _ = prepared.run("scan", "-t", local_stream.address, *kept, environment=local_stream.server.environment())
    assert b"50 records" in out and not (prepared.folder / "places").exists()
    assert len(consume(prepared, local_stream, "-G", "app", *kept)[0]) == 50
