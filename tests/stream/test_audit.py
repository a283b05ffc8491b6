"""Audit trails of streams: what pump, produce and consume tell, trails in a topic, policies that change, trails that break."""
import json
import pathlib
import signal
import sys

import pytest

from broker import FAST_GROUP, Broker, Program, purchase, stop, tasks, wait_until
from manager import Manager

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from audit_trail import parse, read


@pytest.fixture(scope="module")
def broker():
    it = Broker()
    for topic in ("trail", "copied"):
        it.tell(f"topic {topic} 3")
    yield it
    it.stop()


@pytest.fixture
def program(tmp_path, broker):
    return Program(tmp_path, broker)


def uses(events, method="secret"):
    return [event for event in events if event["event"] == "use" and event["method"] == method]


def pump_args(program, source, *more):
    return ["pump", "-b", program.broker.address, "--from", source, "--to", f"{source}_out", "--policy-topic", "purchases", "-p",
            "policy.yaml", "--audit-interval", "50ms", *FAST_GROUP, *more]


def start_pump(program, source, *more):
    return program.start(*pump_args(program, source, *more))


def test_streams_are_named(program, tmp_path):
    more = ["-p", "policy.yaml", "--policy-topic", "purchases", "--audit", "audit.log"]
    program.kafka("produce", "-t", "named", *more, stdin=purchase(1) + "\n" + purchase(2) + "\n")
    program.kafka("consume", "-t", "named", "-e", *more)
    program.kafka("consume", "-t", "named", "-e", "--plain", "--audit", "audit.log")
    events = read(tmp_path / "audit.log")
    assert [(use["from"], use["to"], use["protected"], use["revealed"]) for use in uses(events)] == \
        [("-", "named", 2, 0), ("named", "-", 0, 2)]
    assert [event["event"] for event in events[-2:]] == ["start", "stop"]


def chains(program, *arguments):
    """The chains of the audit topic, each checked by itself."""
    lines = program.kafka("consume", "-t", "trail", "-e", "-J", "--plain", *arguments).stdout.splitlines()
    found = {}
    for envelope in sorted(map(json.loads, lines), key=lambda e: (e["partition"], e["offset"])):
        found.setdefault(envelope["key"], []).append(envelope["payload"])
    return {key: parse("\n".join(texts).encode() + b"\n") for key, texts in found.items()}


def test_a_topic_holds_the_trail(program, tmp_path):
    """Runs side by side, each a chain in one partition; by the command's own settings, and by others."""
    program.produce_plain("copied", [purchase(n) for n in range(100)])
    program.kafka("pump", "--from", "copied", "--to", "copied_out", "--policy-topic", "purchases", "-p", "policy.yaml", "-e",
                  "--audit", "topic:trail")
    (tmp_path / "audit.ini").write_text(f"bootstrap.servers={program.broker.address}\n")
    for _ in range(3):
        program.run("protect", "-p", "policy.yaml", "--audit", "topic:trail", "--audit-config", "audit.ini",
                    stdin=purchase(1) + "\n")
    found = chains(program)
    assert len(found) == 4
    for key, events in found.items():
        assert {event["chain"] for event in events} == {event["run"] for event in events} == {key}
        assert [event["event"] for event in events] == ["start", "policy", "use", "use", "stop"]
    assert sorted(uses(events)[0]["protected"] for events in found.values()) == [1, 1, 1, 100]
    verify = ["audit", "verify", "-b", program.broker.address, "-t", "trail"]
    done = program.run(*verify)
    assert "20 lines, 4 chains, 4 runs\n" in done.stdout
    done = program.run(*verify, "-o", "1", code=65)
    assert "begins with its line" in done.stdout


def test_a_topic_that_is_not_there_stops_the_run(program, tmp_path):
    (tmp_path / "in.ndjson").write_text(purchase(1) + "\n")
    done = program.run("produce", "-b", "127.0.0.1:1", "--connect-timeout", "1s", "-t", "away", "-p", "policy.yaml",
                       "--policy-topic", "purchases", "--audit", "topic:trail", "-q", "in.ndjson", code=69)
    assert len(done.stderr.splitlines()) == 1 and "127.0.0.1:1" in done.stderr


def test_a_reload_is_told(program, tmp_path):
    path, source = tmp_path / "audit.log", "reloaded"
    program.produce_plain(source, [purchase(1)])
    manager = Manager(str(tmp_path / "notify"))
    pump = manager.start(program, *pump_args(program, source, "--audit", str(path), "-j", "2"))
    wait_until(lambda: uses(read(path)))
    text = (tmp_path / "policy.yaml").read_text()
    (tmp_path / "policy.yaml").write_text(text + "# another\n")
    pump.send_signal(signal.SIGHUP)
    wait_until(lambda: any(event["event"] == "reload" for event in read(path)))
    manager.wait_for("READY=1", times=2)  # what was told is in use
    program.produce_plain(source, [purchase(2)])
    wait_until(lambda: len(uses(read(path))) == 2)
    assert stop(pump)[0] == 143
    events = read(path)
    first, second = (event["policy"] for event in events if event["event"] in ("policy", "reload"))
    assert first != second and [use["policy"] for use in uses(events)] == [first, second]
    assert [use["protected"] for use in uses(events)] == [1, 1]
    assert (events[-1]["event"], events[-1]["exit"]) == ("stop", 143)


def test_a_reload_that_fails_is_told(program, tmp_path):
    path, source = tmp_path / "audit.log", "refused"
    program.produce_plain(source, [purchase(1)])
    pump = start_pump(program, source, "--audit", str(path))
    wait_until(lambda: uses(read(path)))
    (tmp_path / "policy.yaml").write_text("version: 1\nsecret-word: 7\n")
    pump.send_signal(signal.SIGHUP)
    wait_until(lambda: any(event["event"] == "reload" for event in read(path)))
    assert stop(pump)[0] == 143
    told = [event for event in read(path) if event["event"] == "reload"]
    assert [(event["file"], event["error"], "policy" in event) for event in told] == [("policy.yaml", "config", False)]
    assert "secret-word" not in path.read_text()


def test_a_trail_that_breaks_stops_the_pump(program, tmp_path):
    """What was read is still written and committed, once, and the exit code is the trail's."""
    path, source = tmp_path / "audit.log", "broken"
    program.produce_plain(source, [purchase(1)])
    pump = start_pump(program, source, "--audit", str(path))
    wait_until(lambda: uses(read(path)))
    path.write_bytes(b"")
    program.produce_plain(source, [purchase(2)])
    out, err = pump.communicate(timeout=120)
    assert pump.returncode == 65 and "has become shorter" in err, err
    path.unlink()
    pump = start_pump(program, source, "--audit", str(path), "-e")
    assert pump.wait(timeout=120) == 0
    assert sorted(json.loads(e["payload"])["n"] for e in program.envelopes(f"{source}_out", "--plain")) == [1, 2]


@pytest.mark.parametrize("target", ["audit.log", "topic:trail"])
def test_a_trail_keeps_no_rights(program, tmp_path, target):
    """Its threads come before the sandbox is entered, and have what all others have: nothing."""
    program.env["ASAN_OPTIONS"] = program.env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    program.env["SEALSTREAM_SANDBOX"] = "require"
    source = "rights_" + target[:5]
    program.produce_plain(source, [purchase(1)])
    pump = start_pump(program, source, "--audit", target)
    wait_until(lambda: program.envelopes(f"{source}_out", "--plain"))
    for task in tasks(pump.pid):
        assert int(task["CapEff"], 16) == int(task["CapPrm"], 16) == 0, task["Name"]
        assert task["Seccomp"] == "2" and task["NoNewPrivs"] == "1", task["Name"]
    assert stop(pump)[0] == 143
    if target == "audit.log":
        assert read(tmp_path / "audit.log")[-1]["event"] == "stop"
