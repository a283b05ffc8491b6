"""pump, produce and consume as a user runs them, against the embedded broker."""
import ctypes
import json
import os
import re
import signal
import subprocess
import time

import pytest

from broker import Broker, Program, FAST_GROUP, PROGRAM, purchase, stop, wait_until

CANARY = "canary-7c1f-street"


@pytest.fixture
def broker():
    it = Broker()
    it.tell("topic purchases 2")
    it.tell("topic purchases_encrypted 2")
    it.tell("topic purchases.dead 1")
    yield it
    it.stop()


@pytest.fixture
def program(tmp_path, broker):
    return Program(tmp_path, broker)


def reveal_args(topic="purchases_encrypted"):
    return [topic, "-p", "policy.yaml", "--policy-topic", "purchases"]


def test_story(program):
    """Plain in one topic, protected in the other, across a rotation; revealed again."""
    lines = [purchase(n) for n in range(20)]
    program.produce_plain("purchases", lines[:10])
    assert "10 records in" in program.pump("-c", "10").stderr
    program.run("key", "rotate", "pii")
    program.produce_plain("purchases", lines[10:])
    program.pump("-e")
    protected = [e["payload"] for e in program.envelopes("purchases_encrypted", "--plain")]
    assert len(protected) == 20
    assert sum("vault:v1:" in p for p in protected) == 10
    assert sum("vault:v2:" in p for p in protected) == 10
    for text in protected:
        assert "High St" not in text
        assert re.fullmatch(r"4111-\d{4}-\d{4}-1111", json.loads(text)["credit_card"])
    revealed = [e["payload"] for e in program.envelopes(*reveal_args())]
    assert sorted(revealed) == sorted(lines)


def test_produce_protects(program):
    lines = [purchase(n) for n in range(5)]
    program.kafka("produce", "-t", "purchases", "-p", "policy.yaml", stdin="\n".join(lines) + "\n\n")
    held = program.envelopes("purchases", "--plain")
    assert len(held) == 5  # the empty line is no record
    assert all("vault:v1:" in e["payload"] for e in held)
    assert sorted(e["payload"] for e in program.envelopes("purchases", "-p", "policy.yaml")) == sorted(lines)


def test_keys_and_tombstones_are_kept(program):
    program.produce_plain("purchases", ["k1|" + purchase(1), purchase(2)], "-K", "|")
    tombstone = {"partition": 1, "key": "k3", "payload": None}
    program.produce_plain("purchases", [json.dumps(tombstone)], "-J", "--keep-partition")
    program.pump("-e", "--keep-partition")
    before = {(e["partition"], e["offset"]): e for e in program.envelopes("purchases", "--plain")}
    after = {(e["partition"], e["offset"]): e for e in program.envelopes("purchases_encrypted", "--plain")}
    assert before.keys() == after.keys() and len(after) == 3
    for at, envelope in after.items():
        assert envelope["key"] == before[at]["key"]
        assert envelope["ts"] == before[at]["ts"]
        assert (envelope["payload"] is None) == (before[at]["payload"] is None)
    assert {e["key"] for e in after.values()} == {"k1", None, "k3"}


def test_envelopes_carry_everything(program):
    """consume -J | produce -J is a copy: key, headers, timestamp, tombstone."""
    envelopes = [{"partition": 1, "key": "k", "payload": purchase(1), "ts": 1700000000123,
                  "headers": ["trace", "a\u00e9", "empty", "", "null", None, "trace", "again"]},
                 {"partition": 0, "key": None, "payload": None, "ts": 1700000000456, "headers": ["x", "y"]}]
    program.produce_plain("purchases", map(json.dumps, envelopes), "-J", "--keep-partition")
    dump = program.kafka("consume", "-t", "purchases", "--plain", "-e", "-J").stdout
    program.produce_plain("purchases_encrypted", dump.splitlines(), "-J", "--keep-partition")
    for topic in ("purchases", "purchases_encrypted"):
        found = program.envelopes(topic, "--plain")
        for was, now in zip(sorted(envelopes, key=lambda e: e["partition"]), found, strict=True):
            assert {name: now[name] for name in was} == was
    for bad in (["a"], [1, "b"], [None, "b"]):
        line = json.dumps({"payload": "x", "headers": bad})
        program.kafka("produce", "-t", "purchases", "--plain", "-J", code=65, stdin=line + "\n")


def test_dead_letters(program):
    program.policy("on_error: dead_letter\n    dead_letter: {topic: purchases.dead, key: pii}")
    bad = json.dumps({"n": 1, "Address": CANARY, "credit_card": "41"})
    program.produce_plain("purchases", ["k|" + purchase(0), "k|" + bad, "k|not json " + CANARY, "k|" + purchase(3)], "-K",
                          "|")
    done = program.pump("-e", code=1)
    assert "2 dead letters" in done.stderr and CANARY not in done.stderr
    assert len(program.envelopes("purchases_encrypted", "--plain")) == 2
    letters = program.envelopes("purchases.dead", "--plain")
    assert [e["key"] for e in letters] == ["k", "k"]
    for letter, reason in zip(letters, ("domain", "syntax")):
        headers = dict(zip(letter["headers"][::2], letter["headers"][1::2]))
        assert CANARY not in json.dumps(letter)
        assert headers["seal-error"] == reason
        assert headers["seal-topic"] == "purchases"
        assert headers["seal-partition"].isdigit() and headers["seal-offset"].isdigit()
    opened = program.envelopes("purchases.dead", "-p", "policy.yaml")
    assert [e["payload"] for e in opened] == [bad, "not json " + CANARY]


def test_dead_letter_of_an_envelope_that_is_none(program):
    program.policy("on_error: dead_letter\n    dead_letter: {topic: purchases.dead, key: pii}")
    bad = '{"payload": ' + CANARY
    done = program.kafka("produce", "-J", "-t", "purchases", "-p", "policy.yaml", code=1,
                         stdin=json.dumps({"payload": purchase(0)}) + "\n" + bad + "\n")
    assert "1 dead letters" in done.stderr and CANARY not in done.stderr
    assert len(program.envelopes("purchases", "--plain")) == 1
    letter, = program.envelopes("purchases.dead", "-p", "policy.yaml")
    assert letter["payload"] == bad


def test_dead_letter_topic_missing(program, broker):
    """The pump stops, and nothing is committed that did not go out."""
    program.policy("on_error: dead_letter\n    dead_letter: {topic: nowhere, key: pii}")
    program.produce_plain("purchases", ["k|" + purchase(0), "k|not json", "k|" + purchase(2)], "-K", "|")
    broker.tell("topic-error nowhere 3")
    done = program.pump("-e", code=73)
    assert "topic nowhere" in done.stderr and "create it" in done.stderr
    broker.tell("topic-error nowhere 0")
    program.pump("-e", code=1)
    assert len(program.envelopes("purchases_encrypted", "--plain")) == 2
    assert len(program.envelopes("nowhere", "--plain")) == 1


@pytest.mark.parametrize("name", ["acks", "request.required.acks"])
def test_less_than_all_acknowledgements_are_refused(program, broker, name):
    """acks=0 would count a record as safe that the broker has not even seen."""
    broker.tell("errors 0 10 1000")  # Produce: MSG_SIZE_TOO_LARGE
    program.kafka("produce", "-t", "purchases", "--plain", "-X", f"{name}=0", "-X", "enable.idempotence=false", code=65,
                  stdin="x\n")


def test_drop(program):
    program.policy("on_error: drop")
    program.produce_plain("purchases", [purchase(0), "not json", purchase(2)])
    done = program.pump("-e", code=1)
    assert "1 dropped" in done.stderr
    assert len(program.envelopes("purchases_encrypted", "--plain")) == 2


def test_reject_stops_and_commits_nothing_past_it(program):
    lines = ["k|" + purchase(n) for n in range(10)]
    lines[6] = "k|not json " + CANARY
    program.produce_plain("purchases", lines, "-K", "|")
    done = program.pump("-e", code=65)
    assert re.search(r"purchases/[01]/6: ", done.stderr) and CANARY not in done.stderr
    first = program.envelopes("purchases_encrypted", "--plain")
    assert [json.loads(e["payload"])["n"] for e in first] == [0, 1, 2, 3, 4, 5]
    program.pump("-e", code=65)  # stands before the same record
    assert program.envelopes("purchases_encrypted", "--plain") == first  # and sends nothing twice
    program.policy("on_error: drop")
    program.pump("-e", code=1)
    rest = program.envelopes("purchases_encrypted", "--plain")
    assert [json.loads(e["payload"])["n"] for e in rest] == [0, 1, 2, 3, 4, 5, 7, 8, 9]


def test_kill_loses_nothing(program):
    total = 3000
    program.produce_plain("purchases", [purchase(n) for n in range(total)])
    for _ in range(2):
        pump = program.start(*program.pump_args("-X", "linger.ms=200"))
        wait_until(lambda: program.envelopes("purchases_encrypted", "--plain", "-o", "-1") or pump.poll() is not None)
        stop(pump, signal.SIGKILL)
    program.pump("-e")
    found = {json.loads(e["payload"])["n"] for e in program.envelopes("purchases_encrypted", "--plain")}
    assert found == set(range(total))


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signal_drains(program, number, code):
    program.produce_plain("purchases", [purchase(n) for n in range(100)])
    pump = program.start(*program.pump_args())
    wait_until(lambda: len(program.envelopes("purchases_encrypted", "--plain")) == 100)
    got, _, err = stop(pump, number)
    assert got == code, err
    program.pump("-e")  # goes on behind what was committed
    assert len(program.envelopes("purchases_encrypted", "--plain")) == 100


def test_failing_target_stops_the_pump(program, broker):
    """Nothing is committed that was not acknowledged, and what was is not sent again."""
    program.produce_plain("purchases", [purchase(n) for n in range(50)])
    broker.tell("errors 0 10 1000")  # Produce: MSG_SIZE_TOO_LARGE
    done = program.pump("-e", code=65)
    assert "purchases_encrypted" in done.stderr and "max.message.bytes" in done.stderr
    broker.tell("clear 0")
    program.pump("-e")
    assert len(program.envelopes("purchases_encrypted", "--plain")) == 50


def rss_mib(process):
    with open(f"/proc/{process.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) / 1024


def test_slow_target_bounds_memory(program, broker):
    """100 MB wait in the source; the target takes some 200 KB/s for a while."""
    broker.tell("topic big 40")  # it keeps 5 MiB a partition
    broker.tell("topic big_encrypted 40")
    line = json.dumps({"Address": "x" * 1000, "credit_card": "4111-1111-1111-1111"})
    lines = (line + "\n") * 10000
    for _ in range(10):
        program.kafka("produce", "-t", "big", "--plain", "-X", "sticky.partitioning.linger.ms=0", stdin=lines)
    broker.tell("rtt 400")  # before it begins: it must not be done before it is looked at
    pump = program.start("pump", "-b", broker.address, "--from", "big", "--to", "big_encrypted", "-p", "policy.yaml",
                         "--policy-topic", "purchases", "-e", "-X", "batch.size=16384", *FAST_GROUP)
    wait_until(lambda: program.envelopes("big_encrypted", "--plain", "-o", "-1") or pump.poll() is not None)
    sizes = []
    for _ in range(25):
        time.sleep(0.2)
        assert pump.poll() is None
        sizes.append(rss_mib(pump))
    broker.tell("rtt 0")
    _, err = pump.communicate(timeout=400)
    assert pump.returncode == 0, err
    assert "100000 records in, 100000 out" in err
    if "SANITIZED" not in os.environ:  # sanitizers keep freed memory
        assert max(sizes) < 130, sizes


def test_broker_away(program, tmp_path):
    commands = (["produce", "-t", "t", "--plain"], ["consume", "-t", "t", "--plain"],
                ["pump", "--from", "purchases", "--to", "b", "-p", "policy.yaml"])
    for run in [program.start(*command, "-b", "127.0.0.1:1", "--connect-timeout", "10s", stdin=subprocess.DEVNULL)
                for command in commands]:
        _, err = run.communicate(timeout=120)
        assert run.returncode == 69 and "127.0.0.1:1" in err and "refused" in err, err
        assert len(err.splitlines()) == 1, err


def test_topic_missing_or_refused(program, broker):
    broker.tell("topic-error nowhere 3")
    done = program.kafka("consume", "-t", "nowhere", "--plain", code=66)
    assert "nowhere" in done.stderr and "create it" in done.stderr
    done = program.kafka("produce", "-t", "nowhere", "--plain", code=73, stdin="x\n")
    assert "nowhere" in done.stderr
    broker.tell("topic-error nowhere 29")
    done = program.kafka("consume", "-t", "nowhere", "--plain", code=77)
    assert "ACL" in done.stderr


def test_message_too_large(program):
    done = program.kafka("produce", "-t", "purchases", "--plain", code=65, stdin="x" * 1200000 + "\n")
    assert "1200000" in done.stderr and "message.max.bytes" in done.stderr


def test_result_too_large(program):
    """A record that grew past message.max.bytes fails like any other: with its place, and by on_error."""
    small = ["-X", "message.max.bytes=2000"]
    program.produce_plain("purchases", ["k|" + purchase(0), "k|" + json.dumps({"Address": CANARY * 100}),
                                        "k|" + purchase(2)], "-K", "|")
    done = program.pump("-e", *small, code=65)
    assert re.search(r"purchases/[01]/1: topic purchases_encrypted: a record of \d+ bytes", done.stderr)
    assert CANARY not in done.stderr
    program.policy("on_error: drop")
    done = program.pump("-e", *small, code=1)
    assert "1 dropped" in done.stderr
    assert len(program.envelopes("purchases_encrypted", "--plain")) == 2


def test_no_rules_for_the_topic(program):
    done = program.kafka("consume", "-t", "purchases_encrypted", "-p", "policy.yaml", "-e", code=78)
    assert "purchases_encrypted" in done.stderr and "policy" in done.stderr
    done = program.kafka("consume", "-t", "purchases", "-e", code=64)
    assert "-p FILE" in done.stderr


def test_transactional_id_without_transactions(program):
    """A file of settings that a transactional client shares: records go out all the same, and it is said."""
    done = program.produce_plain("purchases", [purchase(0)], "-X", "transactional.id=shop-1")
    assert "transactional.id has no effect here" in done.stderr
    assert len(program.envelopes("purchases", "--plain")) == 1


def test_settings_file(program, broker):
    program.produce_plain("purchases", [purchase(n) for n in range(3)])
    ini = program.directory / "getting_started.ini"
    ini.write_text(f"[default]\nBootstrap.Servers={broker.address}\nmessage.max.bytes=8388608\n"
                   "enable.metrics.push=false\n\n[consumer]\ngroup.id=g-ini\nauto.offset.reset=earliest\n"
                   "session.timeout.ms=6000\n[encryptor]\nsourcetopic = purchases\n"
                   "targettopic = purchases_encrypted\n[large_payload]\ntopic=x\n")
    done = program.run("pump", "-F", ini.name, "-p", "policy.yaml", "-e")
    assert done.stderr.count("enable.metrics.push") == 1
    assert len(program.envelopes("purchases_encrypted", "--plain")) == 3
    ini.write_text(f"[default]\nbootstrap.servers={broker.address}\nacsk=1\n")
    done = program.run("pump", "-F", ini.name, "-p", "policy.yaml", "--from", "purchases", "--to", "x", code=78)
    assert "getting_started.ini:3:1" in done.stderr and "did you mean acks" in done.stderr


def test_the_embedded_broker_loses_what_transactions_commit(program):
    program.produce_plain("purchases", [purchase(1)])
    done = program.pump("--delivery", "exactly-once", "-e", code=78)
    assert "the broker has lost the offsets that a transaction committed" in done.stderr
    assert "use --delivery at-least-once" in done.stderr


def test_flag_then_environment_then_file(program):
    """Who is named in the error is who was asked: nobody listens on any of the three."""
    (program.directory / "c.ini").write_text("bootstrap.servers=127.0.0.1:1\n")
    command = ["consume", "-F", "c.ini", "-t", "x", "--plain", "--connect-timeout", "2s"]
    assert "127.0.0.1:1:" in program.run(*command, code=69).stderr
    program.env["SEALSTREAM_BOOTSTRAP_SERVER"] = "127.0.0.1:2"
    assert "127.0.0.1:2:" in program.run(*command, code=69).stderr
    assert "127.0.0.1:3:" in program.run(*command, "-b", "127.0.0.1:3", code=69).stderr


def test_scram_is_named(program):
    done = program.kafka("consume", "-t", "purchases", "--plain", "-X", "security.protocol=SASL_PLAINTEXT", "-X",
                         "sasl.mechanism=SCRAM-SHA-256", "-X", "sasl.username=u", "-X", "sasl.password=hunter2",
                         "--connect-timeout", "60s", code=77)
    if ctypes.CDLL("librdkafka.so.1").rd_kafka_version() < 0x02060100:
        assert "2.6.1" in done.stderr.splitlines()[1]
    assert "-X sasl.password=… can be read by whoever may list processes" in done.stderr.splitlines()[0]
    assert "hunter2" not in done.stderr


def test_producer_is_idempotent(program):
    """librdkafka refuses so many requests in flight only to an idempotent producer, unless the user gives that up."""
    many = ["-t", "purchases", "--plain", "-X", "max.in.flight.requests.per.connection=6"]
    done = program.kafka("produce", *many, stdin=purchase(1), code=78)
    assert "idempotence" in done.stderr
    done = program.kafka("produce", *many, "-X", "enable.idempotence=false", stdin=purchase(1))
    assert "after later ones of its partition" in done.stderr
    assert "idempotence" not in program.kafka("produce", "-t", "purchases", "--plain", stdin=purchase(2)).stderr


def test_no_payload_in_logs(program):
    line = json.dumps({"Address": CANARY, "credit_card": "4111-1111-1111-1111"})
    program.produce_plain("purchases", [line])
    done = program.pump("-e", "-X", "debug=all", "--log-level", "debug")
    assert len(done.stderr) > 10000 and CANARY not in done.stderr
    done = program.kafka("consume", *["-t", *reveal_args()], "-e", "-X", "debug=all", "--log-level", "debug")
    assert CANARY in done.stdout and CANARY not in done.stderr


def test_offsets_and_count(program):
    program.produce_plain("purchases", ["k|%d" % n for n in range(10)], "-K", "|")

    def consume(*args):
        return program.kafka("consume", "-t", "purchases", "--plain", *args).stdout.split()

    assert consume("-e") == [str(n) for n in range(10)]
    assert consume("-c", "3") == ["0", "1", "2"]
    assert consume("-o", "-2", "-e") == ["8", "9"]
    assert consume("-o", "7", "-e") == ["7", "8", "9"]
    assert consume("-o", "end", "-e") == []
    assert consume("-G", "g", "-c", "4", *FAST_GROUP) == ["0", "1", "2", "3"]
    assert consume("-G", "g", "-e", *FAST_GROUP) == [str(n) for n in range(4, 10)]


def test_a_group_goes_on_behind_its_output(program):
    """What a first run has written and committed is there after a second one; half a line of a killed one stays alone."""
    program.produce_plain("purchases", ["k|%d" % n for n in range(10)], "-K", "|")
    args = ["consume", "-b", program.broker.address, "-t", "purchases", "--plain", "-G", "g", "--output", "out",
            *FAST_GROUP]
    program.run(*args, "-c", "4")
    with open(program.directory / "out", "a") as out:
        out.write("ha")
    program.run(*args, "-e")
    assert (program.directory / "out").read_text().split("\n") == [*"0123", "ha", *"456789", ""]


def test_no_message_lands_in_the_output(program):
    program.produce_plain("purchases", ["x"])
    command = f"exec {PROGRAM.resolve()} consume -b {program.broker.address} -t purchases --plain -e --output out 2>&-"
    assert subprocess.run(["sh", "-c", command], cwd=program.directory, env=program.env, timeout=120).returncode == 0
    assert (program.directory / "out").read_text() == "x\n"


def test_cooperative_member_leaves_without_a_crash(program):
    """librdkafka before 2.3.0 aborts when a member goes that was never given anything."""
    program.produce_plain("purchases", [purchase(n) for n in range(4)])
    sticky = ["-X", "partition.assignment.strategy=cooperative-sticky"]
    pump = program.start(*program.pump_args(*sticky))
    time.sleep(1)  # in front of its first assignment
    code, _, err = stop(pump)
    assert code == 143, err
    program.pump("-e", *sticky)
    assert len(program.envelopes("purchases_encrypted", "--plain")) == 4


def test_refused_commit(program, broker):
    program.produce_plain("purchases", [purchase(n) for n in range(10)])
    broker.tell("errors 8 30 1000")  # OffsetCommit: GROUP_AUTHORIZATION_FAILED
    done = program.pump(code=77)
    assert "Read on the consumer group" in done.stderr


def test_refused_last_commit(program, broker):
    """The records are out, but a run that could not say so to the group is no success."""
    program.produce_plain("purchases", [purchase(n) for n in range(10)])
    broker.tell("errors 8 30 1000")
    done = program.pump("-e", code=77)
    assert "Read on the consumer group" in done.stderr
    broker.tell("errors 8 0 0")


def start_demo(program, *args):
    program.env["TMPDIR"] = str(program.directory / "tmp")
    os.mkdir(program.env["TMPDIR"])
    return program.start("demo", *args)


def left_behind(program):
    return os.listdir(program.env["TMPDIR"])


def test_demo(program):
    demo = start_demo(program)
    out, err = demo.communicate(timeout=120)
    assert (demo.returncode, err) == (0, "")
    assert "all 6 records came back byte for byte" in out
    stories, files = out.split("Story three")
    assert stories.count("vault:v1:") == 3 and stories.count("vault:v2:") == 3
    assert "all 3 files arrived whole" in files
    held, got = files.split("a receiver with the key has in destination/")
    assert held.count("vault:v1:") == 4  # records: two small files, and a picture of two chunks
    assert set(re.findall(r"(photo.png|orders.csv|notes.txt) .* (\d of \d) ", held)) == {
        ("notes.txt", "1 of 1"), ("orders.csv", "1 of 1"), ("photo.png", "1 of 2"), ("photo.png", "2 of 2")}
    assert len(re.findall(r"\d+ bytes +[0-9a-f]{64}$", got, re.M)) == 3
    assert "\033" not in out  # a pipe
    assert left_behind(program) == []


def test_demo_in_colour(program):
    demo = start_demo(program, "--color", "always")
    out, _ = demo.communicate(timeout=120)
    assert demo.returncode == 0 and "\033[31m" in out


def test_demo_stopped(program):
    demo = start_demo(program)
    wait_until(lambda: left_behind(program))
    time.sleep(1)
    code, _, _ = stop(demo, signal.SIGINT)
    assert code == 130
    assert left_behind(program) == []


def test_demo_on_a_cluster_that_is_away(program):
    demo = start_demo(program, "-b", "127.0.0.1:1", "--connect-timeout", "1s")
    _, err = demo.communicate(timeout=120)
    assert demo.returncode == 69 and "127.0.0.1:1" in err
    assert left_behind(program) == []
