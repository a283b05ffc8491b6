"""One suite for all platforms: what sealstream promises of a stream, whatever it is. What differs stands in adapters.py.

    SUITE_PLATFORMS="kinesis sqs sqs-fifo sns sns-fifo sns-raw pubsub eventhubs kafka" tests/services/run tests/services/platforms/test_suite.py
    SUITE_PLATFORMS=kinesis SUITE_RECORDS=100000 tests/services/run tests/services/platforms/test_suite.py -k kill      the long form of kill -9
    SUITE_LIVE=1 SUITE_PLATFORMS="kinesis sqs" tests/services/run tests/services/platforms/test_suite.py      at the clouds themselves; see live.py
"""
import json
import os
import random
import signal
import time

import pytest

import adapters
import foreign
from adapters import Record
from program import wait_until_it_catches

POLICY = """version: 1
namespace: suite
keys: {pii: "local:pii"}
defaults: {on_error: %s}
topics:
- match: "*"
  dead_letter: {topic: %s, key: pii}
  protect:
    $.Address: {type: encrypt, key: pii}
"""
RECORDS = int(os.environ.get("SUITE_RECORDS", 0))  # 0: as many as the adapter says


@pytest.fixture(scope="module", params=adapters.PLATFORMS)
def platform(request):
    made, stop = adapters.make(request.param, request)
    yield made
    stop()


class Runner:
    """sealstream as a user of the platform. No secret of that user is ever told."""

    def __init__(self, sealstream, platform):
        self.program, self.platform = sealstream, platform
        sealstream.run("key", "create", "pii")
        self.policy()

    def policy(self, on_error="reject", dead="dead"):
        (self.program.folder / "policy.yaml").write_text(POLICY % (on_error, dead))

    def __call__(self, *arguments, exit_code=0, environment=None, input=None, timeout=120):
        out, told = self.program.run(*arguments, exit_code=exit_code, input=input, timeout=timeout,
                                     environment=self.platform.environment() if environment is None else environment)
        assert not any(secret in told for secret in self.platform.secrets)
        return out, told

    def start(self, *arguments):
        return self.program.start(*arguments, environment=self.platform.environment(), stdin=-1, stdout=-1, stderr=-1)

    def produce(self, stream, data, *more, **options):
        return self("produce", "--plain", "-t", stream.to, *more, input=data, **options)

    def consume(self, stream, *more, **options):
        """Lines."""
        return self.consume_all(stream, "--plain", *more, **options)[0].splitlines()

    def consume_all(self, stream, *more, **options):
        """(what it says, what it tells)"""
        return self("consume", "-e", "-t", stream.source, *self.platform.read_options, *self.platform.consume_options, *more, **options)

    def envelopes(self, stream, **options):
        return [{"headers": []} | json.loads(line) for line in self.consume(stream, "-J", **options)]

    def pump_arguments(self, source, target, *more):
        return ("pump", "--from", source if isinstance(source, str) else source.source, "--to",
                target if isinstance(target, str) else target.to, "-p", "policy.yaml", *self._options(source), *more)

    def _options(self, source):
        return () if isinstance(source, str) else (*self.platform.read_options, *self.platform.pump_options)

    def pump(self, source, target, *more, **options):
        return self(*self.pump_arguments(source, target, "-e", *more), **options)[1]


@pytest.fixture
def run(sealstream, platform):
    return Runner(sealstream, platform)


def purchase(n, **more):
    return json.dumps({"n": n, "Address": f"{n} High St"} | more).encode()


def purchases(n, keys=5):
    return [Record(b"k%d" % (i % keys), purchase(i)) for i in range(n)]


def number(record):
    return json.loads(record.value)["n"]


def lines(values):
    return b"".join(value + b"\n" for value in values)


def envelope(value, key=None, headers=()):
    return json.dumps({"topic": "t", "key": key, "payload": value, "headers": [text for pair in headers for text in pair]}).encode() + b"\n"


def is_sealed(record):
    return json.loads(record.value)["Address"].startswith("vault:v1:")


def all_there(got, n):
    """All numbers, sealed; returns how many came more than once."""
    assert {number(r) for r in got} == set(range(n)) and all(map(is_sealed, got))
    return len(got) - n


def has_all(got, n):
    return len(got) >= n and {number(r) for r in got} == set(range(n))


def in_order(platform, got):
    """Each key's records as they were written; of those that came more than once their last."""
    for key in {r.key for r in got} if platform.ordered else ():
        mine = [number(r) for r in got if r.key == key]
        last = [n for at, n in enumerate(mine) if n not in mine[at + 1:]]
        assert last == sorted(last), key


# --- round trips ------------------------------------------------------------------------------------------------------------

def test_foreign_client_writes(run, platform):
    stream = platform.stream()
    records = purchases(20)
    platform.put(stream, records)
    assert sorted(run.consume(stream)) == sorted(r.value for r in records)


def test_foreign_client_reads(run, platform):
    stream = platform.stream()
    run.produce(stream, lines(purchase(n) for n in range(20)))
    assert sorted(number(r) for r in platform.get(stream, 20)) == list(range(20))


def test_pump_protects_and_reveals(run, platform):
    plain, sealed, revealed = platform.stream(), platform.stream("sealed"), platform.stream("revealed")
    records = purchases(platform.many)
    all_of_them = f"{platform.many} records in, {platform.many} out"
    platform.put(plain, records)
    assert all_of_them in run.pump(plain, sealed)
    assert all_of_them in run.pump(sealed, revealed, "--reveal", "--policy-topic", plain.name)
    assert sorted(run.consume(revealed)) == sorted(r.value for r in records)


def test_what_was_read_is_not_read_again(run, platform):
    plain, sealed = platform.stream(), platform.stream("sealed")
    platform.put(plain, purchases(10))
    run.pump(plain, sealed)
    platform.put(plain, [Record(b"k", purchase(10))])
    assert "1 records in, 1 out" in run.pump(plain, sealed).replace("1 record in", "1 records in")
    assert all_there(platform.get(sealed, 11), 11) == 0


def test_produce_protects_consume_reveals(run, platform):
    stream = platform.stream()
    run("produce", "-t", stream.to, "-p", "policy.yaml", input=lines([purchase(1)]))
    out, _ = run.consume_all(stream, "-p", "policy.yaml")
    assert out == purchase(1) + b"\n"


def test_from_a_file_and_to_a_file(run, platform):
    stream = platform.stream()
    (run.program.folder / "in.ndjson").write_bytes(lines(purchase(n) for n in range(50)))
    run.pump("file:in.ndjson", stream)
    run.pump(stream, "file:out.ndjson", "--reveal")
    got = (run.program.folder / "out.ndjson").read_bytes().splitlines()
    assert sorted(got) == sorted(purchase(n) for n in range(50))


def test_to_kafka_and_back(run, platform, kafka, topic):
    through, last, first = topic("through"), platform.stream("last"), platform.stream("first")
    environment = platform.environment() | {"SEALSTREAM_BOOTSTRAP_SERVER": kafka.brokers}
    records = [Record(b"k%d" % n, purchase(n), (("ct", b"seal"),) if platform.headers else ()) for n in range(20)]
    platform.put(first, records)
    run.pump(first, f"kafka:{through}", environment=environment)
    got = [Record(m.key(), m.value(), tuple(m.headers() or ())) for m in foreign.consume(kafka.brokers, through)]
    assert all_there(got, 20) == 0 and all(r.key == b"k%d" % number(r) and r.headers == records[0].headers for r in got)
    run("pump", "--from", f"kafka:{through}", "--to", last.to, "--reveal", "-p", "policy.yaml", "-e", environment=environment)
    assert sorted((r.key, r.value) for r in platform.get(last, 20)) == sorted((r.key, r.value) for r in records)


# --- what a record keeps ----------------------------------------------------------------------------------------------------

def keyed_back(run, platform, stream, kafka, topic):
    """What is in the stream, by way of Kafka, which keeps all."""
    through = topic("back")
    run.pump(stream, f"kafka:{through}", environment=platform.environment() | {"SEALSTREAM_BOOTSTRAP_SERVER": kafka.brokers})
    return [Record(m.key(), m.value(), tuple(m.headers() or ())) for m in foreign.consume(kafka.brokers, through)]


def test_unicode_values(run, platform):
    stream = platform.stream()
    text = json.dumps({"n": 0, "t": "\u20ac \U0001f511 \u00fc \u05d0 \\u0007"}, ensure_ascii=False).encode()
    run.produce(stream, text + b"\n")
    assert run.consume(stream) == [text]


def test_values_that_are_no_text(run, platform):
    stream = platform.stream()
    value = bytes(b for b in range(256) if b not in b"\n\r")
    run.produce(stream, value + b"\n")
    assert run.consume(stream) == [value]


def test_keys(run, platform, kafka, topic):
    stream = platform.stream()
    keys = [b"k", "\u20ac \u00fc".encode(), b"\xff\x00\xfe", b"x" * 600, b" space \t"]
    run.produce(stream, b"".join(key + b"=>" + purchase(n) + b"\n" for n, key in enumerate(keys) if key not in platform.no_keys), "-K=>")
    got = {number(record): record.key for record in keyed_back(run, platform, stream, kafka, topic)}
    assert got == {n: platform.key_back(key) for n, key in enumerate(keys) if key not in platform.no_keys}


def test_no_key(run, platform):
    stream = platform.stream()
    run.produce(stream, lines([b'{"n":1}']))
    record, = run.envelopes(stream)
    assert record["payload"] == '{"n":1}'


def test_unicode_headers(run, platform):
    stream = platform.stream()
    headers = (("ct", "seal"), ("n", "\u20ac \u00fc \U0001f511"), ("last", " x "))
    run.produce(stream, envelope("{}", "k", headers), "-J")
    record, = run.envelopes(stream)
    if not platform.headers:
        headers = ()
    assert record["key"] == "k" and sorted(zip(record["headers"][::2], record["headers"][1::2])) == sorted(headers)


def test_foreign_headers(run, platform):
    stream = platform.stream()
    platform.put(stream, [Record(b"k", b"{}", (("ct", b"seal"),))])
    record, = run.envelopes(stream)
    assert record["headers"] == (["ct", "seal"] if platform.headers else [])


def test_a_header_twice(run, platform):
    stream = platform.stream()
    line = envelope("{}", "k", (("a", "1"), ("a", "2")))
    if platform.header_twice:
        run.produce(stream, line, "-J")
        assert run.envelopes(stream)[0]["headers"] == (["a", "1", "a", "2"] if platform.headers else [])
    else:
        _, told = run.produce(stream, line, "-J", exit_code=None)
        assert "twice" in told and run.consume(stream) == []


def test_many_headers(run, platform):
    count = platform.headers_at_most or 150
    stream = platform.stream()
    run.produce(stream, envelope("{}", "k", [(f"h{n}", "x") for n in range(count)]), "-J")
    assert len(run.envelopes(stream)[0]["headers"]) == (2 * count if platform.headers else 0)
    if platform.headers_at_most is not None:
        run.produce(stream, envelope("{}", "k", [(f"h{n}", "x") for n in range(count + 1)]), "-J", exit_code=65)


def test_empty_value(run, platform, kafka, topic):
    stream = platform.stream()
    if platform.empty:
        run.produce(stream, envelope("", "k"), "-J")
        assert [r["payload"] for r in run.envelopes(stream)] == [""]
    else:
        run.produce(stream, envelope("", "k"), "-J", exit_code=65)


def test_tombstone(run, platform):
    stream = platform.stream()
    if platform.null:
        run.produce(stream, envelope(None, "k"), "-J")
        assert [(r["key"], r["payload"]) for r in run.envelopes(stream)] == [("k", None)]
    else:
        run.produce(stream, envelope(None, "k"), "-J", exit_code=65)


def test_longest(run, platform):
    stream = platform.stream()
    value = b'{"a":"%s"}' % (b"x" * (platform.longest - 8))
    run.produce(stream, value + b"\n")
    assert run.consume(stream) == [value]


def test_too_long(run, platform):
    stream = platform.stream()
    _, told = run.produce(stream, b'{"n":0}\n{"a":"%s"}\n' % (b"x" * platform.too_long), exit_code=65)
    assert "x" * 20 not in told
    assert run.consume(stream) == [b'{"n":0}']


# --- order and duplicates ---------------------------------------------------------------------------------------------------

def test_order_of_a_key(run, platform):
    stream = platform.stream()
    run.produce(stream, b"".join(r.key + b"|" + r.value + b"\n" for r in purchases(platform.many, keys=7)), "-K|")
    got = platform.get(stream, platform.many)
    assert sorted(map(number, got)) == list(range(platform.many))
    in_order(platform, got)


def test_order_through_a_pump(run, platform):
    plain, sealed = platform.stream(), platform.stream("sealed")
    platform.put(plain, purchases(platform.many, keys=7))
    run.pump(plain, sealed, "-j", "4")
    got = platform.get(sealed, platform.many)
    assert all_there(got, platform.many) == 0
    in_order(platform, got)


# --- records that fail ------------------------------------------------------------------------------------------------------

POISON = b'{"n": 2, "Address": broken'


def poisoned():
    return [Record(b"k", purchase(0)), Record(b"k", purchase(1)), Record(b"k", POISON), Record(b"k", purchase(2))]


def test_poison_stops_in_front(run, platform):
    plain, sealed = platform.stream(), platform.stream("sealed")
    platform.put(plain, poisoned())
    told = run.pump(plain, sealed, exit_code=65)
    assert "broken" not in told
    assert not platform.ordered or all(number(r) < 2 for r in platform.get(sealed, 0))
    run.policy("drop")
    run.pump(plain, sealed, exit_code=1)  # it was still there, and so was what stood behind it
    assert all_there(platform.get(sealed, 3), 3) == 0


def test_poison_to_dead_letters(run, platform):
    plain, sealed, dead = platform.stream(), platform.stream("sealed"), platform.stream("dead")
    run.policy("dead_letter", dead.name)
    platform.put(plain, poisoned())
    told = run.pump(plain, sealed, exit_code=1)
    assert "1 dead letter" in told
    assert all_there(platform.get(sealed, 3), 3) == 0
    letter, = platform.get(dead, 1)
    assert POISON not in letter.value and b"broken" not in letter.value


def test_poison_of_a_file_to_dead_letters(run, platform):
    """Its lines come from nothing that has a name."""
    sealed, dead = platform.stream("sealed"), platform.stream("dead")
    run.policy("dead_letter", dead.name)
    (run.program.folder / "in.ndjson").write_bytes(lines(r.value for r in poisoned()))
    assert "1 dead letter" in run.pump("file:in.ndjson", sealed, exit_code=1)
    assert all_there(platform.get(sealed, 3), 3) == 0 and len(platform.get(dead, 1)) == 1


def test_dead_letters_are_revealed(run, platform):
    plain, sealed, dead = platform.stream(), platform.stream("sealed"), platform.stream("dead")
    run.policy("dead_letter", dead.name)
    platform.put(plain, poisoned())
    run.pump(plain, sealed, exit_code=1)
    out, _ = run.consume_all(dead, "--policy-topic", dead.name, "-p", "policy.yaml")
    assert out == POISON + b"\n"


def test_poison_is_dropped(run, platform):
    plain, sealed = platform.stream(), platform.stream("sealed")
    run.policy("drop")
    platform.put(plain, poisoned())
    assert "1 dropped" in run.pump(plain, sealed, exit_code=1)
    assert all_there(platform.get(sealed, 3), 3) == 0


# --- who may, and what is there ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("who", ["wrong", "nobody"])
@pytest.mark.parametrize("what", ["produce", "consume"])
def test_refused(run, platform, who, what):
    environment = platform.wrong_environment() if who == "wrong" else platform.nobody()
    if environment is None:
        environment = platform.environment()
        assert platform.scheme == "kafka"  # the only one that lets everybody in
        return
    stream = platform.stream()
    if what == "produce":
        _, told = run.produce(stream, b"{}\n", environment=environment, exit_code=77)
    else:
        _, told = run.consume_all(stream, "--plain", environment=environment, exit_code=77)
    assert told.count("\n") <= 3


def test_no_such_stream_to_write(run, platform):
    _, told = run.produce(platform.missing(), b"{}\n", exit_code=73)
    assert "missing" in told


def test_no_such_stream_to_read(run, platform):
    _, told = run.consume_all(platform.missing(), "--plain", exit_code=66)
    assert "missing" in told


# --- faults -----------------------------------------------------------------------------------------------------------------

def wait_for(condition, process, seconds=180):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline, process.poll()
        time.sleep(0.02)


def test_throttled(run, platform):
    stream = platform.stream()
    if platform.throttles:
        platform.throttle(3)
    _, told = run.produce(stream, b"".join(r.key + b"|" + r.value + b"\n" for r in purchases(platform.many)), "-K|")
    got = platform.get(stream, platform.many)
    assert sorted(map(number, got)) == list(range(platform.many)), told
    in_order(platform, got)
    assert not platform.throttles or platform.turned_away() >= 3


def test_some_of_a_batch_refused(run, platform):
    """Once: they arrive, and so do all behind them, each key's in their order."""
    plain, sealed = platform.stream(), platform.stream("sealed")
    platform.put(plain, purchases(60, keys=7))
    with platform.refusing_some(2):
        told = run.pump(plain, sealed)
        assert platform.turned_away() >= 1, told
    got = platform.get(sealed, 60)
    all_there(got, 60)
    in_order(platform, got)


def test_expired_credentials_are_renewed(run, platform):
    """In the middle of reading and writing, before the time that was said when they were given."""
    plain, sealed = platform.stream(), platform.stream("sealed")
    with platform.lending() as lent:
        platform.put(plain, purchases(10))
        process = run.program.start(*run.pump_arguments(plain, sealed), environment=lent.environment, stderr=-1)
        try:
            wait_for(lambda: len(platform.get(sealed, 0)) >= 10, process)
            lent.end()
            platform.put(plain, [Record(b"k", purchase(n)) for n in range(10, 20)])
            wait_for(lambda: {number(r) for r in platform.get(sealed, 0)} == set(range(20)), process)
            process.send_signal(signal.SIGTERM)
            _, told = process.communicate(timeout=180)
        finally:
            process.kill()
        assert process.returncode == 143 and lent.refused() >= 1 and lent.given() >= 2, told
    assert all_there(platform.get(sealed, 20), 20) == 0


def test_away_for_a_while(run, platform):
    stream = platform.stream()
    process = run.start("produce", "--plain", "-t", stream.to)
    try:
        process.stdin.write(lines(purchase(n) for n in range(10)))
        process.stdin.flush()
        wait_for(lambda: len(platform.get(stream, 0)) >= 10, process)
        with platform.away():
            process.stdin.write(lines(purchase(n) for n in range(10, 20)))
            process.stdin.flush()
            time.sleep(2)
            assert process.poll() is None
        _, told = process.communicate(timeout=180)
    finally:
        process.kill()
    assert process.returncode == 0, told
    assert {number(r) for r in platform.get(stream, 20)} == set(range(20))


def test_stopped_cleanly(run, platform):
    plain, sealed = platform.stream(), platform.stream("sealed")
    platform.put(plain, purchases(platform.many))
    process = run.program.start(*run.pump_arguments(plain, sealed), environment=platform.environment(), stderr=-1)
    wait_until_it_catches(process, signal.SIGTERM)
    time.sleep(0.6)  # anywhere: before, in the middle, or behind them all
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=180)
    assert process.returncode == 143, told
    run.pump(plain, sealed)
    assert all_there(platform.get(sealed, platform.many), platform.many) == 0


def test_killed_and_none_lost(run, platform):
    """kill -9 at random moments; what was written and not yet acknowledged may come twice, and is counted."""
    plain, sealed, records = platform.stream(), platform.stream("sealed"), RECORDS or platform.records
    platform.put(plain, purchases(records, keys=max(50, records // 60)))
    rng, seconds = random.Random(8), 180 + records // 50
    kills, life, arrived = 0, 0.6, 0
    while kills < max(4, records // 5000) or not arrived:
        process = run.program.start(*run.pump_arguments(plain, sealed, "-e", *platform.after_kill), environment=platform.environment(), stderr=-1)
        time.sleep(0.1 + life * rng.random())
        if process.poll() is not None:
            break
        process.kill()
        process.communicate()
        kills += 1
        if not arrived and not (arrived := len(platform.get(sealed, 0))):
            life *= 1.5  # it was not there yet, where what it does could be cut in the middle
    before = len(platform.get(sealed, 0))
    platform.killed()
    if platform.leases:  # -e ends where what is left is another one's, who may be dead: one that stays takes it over
        process = run.program.start(*run.pump_arguments(plain, sealed, *platform.after_kill), environment=platform.environment(), stderr=-1)
        wait_for(lambda: has_all(platform.get(sealed, 0), records), process, seconds)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=180)
    run.pump(plain, sealed, *platform.after_kill, timeout=seconds)
    twice = all_there(platform.get(sealed, records), records)
    print(f"{records} records, killed {kills} times, {before} were there then, {twice} came twice")
    assert twice == 0 or not platform.transactions


# --- files ------------------------------------------------------------------------------------------------------------------

def test_large_file(run, platform):
    stream = platform.stream("files")
    content = random.Random(8).randbytes(5_000_000)
    (run.program.folder / "large.bin").write_bytes(content)
    run("file", "send", "-t", stream.to, "--key", "local:pii", "large.bin")
    run("file", "receive", "-t", stream.source, "--key", "local:pii", "--to", "files", "-e", *platform.read_options, *platform.pump_options)
    assert (run.program.folder / "files" / "large.bin").read_bytes() == content
