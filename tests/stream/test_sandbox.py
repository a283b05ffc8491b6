"""Runs that have given up what they no longer need: what the kernel says of them, and that they still do their work."""
import os
import pathlib
import signal

import pytest

from broker import Broker, Program, purchase, put, stop, tasks, wait_until
from manager import Manager


@pytest.fixture(scope="module")
def broker():
    it = Broker()
    yield it
    it.stop()


@pytest.fixture
def program(tmp_path, broker):
    it = Program(tmp_path, broker)
    # The leak checker stops the process with ptrace, which it has given away.
    it.env["ASAN_OPTIONS"] = it.env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    it.env["SEALSTREAM_SANDBOX"] = "require"
    return it


def check_locked_in(pid):
    seen = list(tasks(pid))
    assert len(seen) > 1  # those of the Kafka client, above all
    for task in seen:
        assert task["NoNewPrivs"] == "1" and task["Seccomp"] == "2", task["Name"]
        assert int(task["CapEff"], 16) == int(task["CapPrm"], 16) == int(task["CapAmb"], 16) == 0
        if os.geteuid() == 0:
            assert int(task["CapBnd"], 16) == 0
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
    assert [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core file size")] == [["0", "0"]]


def is_locked_in(pid):
    return all(task["Seccomp"] == "2" for task in tasks(pid))


def start_pump(program, topic, manager, *more):
    return manager.start(program, "pump", "-b", program.broker.address, "--from", topic, "--to", f"{topic}_out",
                         "--policy-topic", "purchases", "-p", "policy.yaml", *more)


@pytest.mark.parametrize("threads", [1, 4])
def test_pump_works_in_its_sandbox(program, threads, tmp_path):
    topic, manager = f"in{threads}", Manager(str(tmp_path / "notify"))
    pump = start_pump(program, topic, manager, "-j", str(threads), "--listen", "127.0.0.1:0", "--audit",
                      str(tmp_path / "trail"))
    manager.wait_for("READY=1")
    check_locked_in(pump.pid)
    program.produce_plain(topic, [purchase(n) for n in range(100)])
    wait_until(lambda: len(program.envelopes(f"{topic}_out", "--plain")) == 100)
    check_locked_in(pump.pid)
    code, _, err = stop(pump)
    assert code == 143 and "a part of the sandbox" not in err


def test_policy_with_an_expression_and_a_store_is_loaded_inside(program, tmp_path):
    """What a reload needs most: a new token store, and a regular expression without machine code of its own."""
    manager = Manager(str(tmp_path / "notify"))
    pump = start_pump(program, "regex", manager)
    manager.wait_for("READY=1")
    (tmp_path / "policy.yaml").write_text("""
version: 1
keys: {pii: "local:pii"}
stores: {main: "sqlite:tokens.db"}
topics:
  - match: /purch(ases|es)+/
    protect: {$.Address: {type: token, key: pii, store: main}}
""")
    pump.send_signal(signal.SIGHUP)
    manager.wait_for("READY=1", times=2)
    program.produce_plain("regex", [purchase(n) for n in range(50)])
    wait_until(lambda: len(program.envelopes("regex_out", "--plain")) == 50)
    code, _, err = stop(pump)
    assert code == 143 and "the policy was reloaded" in err
    assert not any("High St" in e["payload"] or "vault:" in e["payload"] for e in program.envelopes("regex_out", "--plain"))


def test_other_commands_work_in_theirs(program, tmp_path):
    program.kafka("produce", "-t", "others", "-p", "policy.yaml", "--policy-topic", "purchases",
                  stdin=purchase(1) + "\n")
    program.kafka("consume", "-t", "others", "-e", "-p", "policy.yaml", "--policy-topic", "purchases", "--output",
                  "out.ndjson")
    assert "1 High St" in (tmp_path / "out.ndjson").read_text()
    program.kafka("rewrap", "--from", "others", "--to", "others_new", "-e", "-p", "policy.yaml", "--policy-topic",
                  "purchases")
    assert len(program.envelopes("others_new", "--plain")) == 1


def test_files_go_through_it(program, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "in").mkdir()
    send = program.start("file", "send", "-b", program.broker.address, "-t", "files", "--key", "local:pii", "--from",
                         "out", "--settle", "0s")
    receive = program.start("file", "receive", "-b", program.broker.address, "-t", "files", "--key", "local:pii",
                            "--to", "in")
    wait_until(lambda: is_locked_in(send.pid) and is_locked_in(receive.pid))
    content = os.urandom(3 << 20)
    put(tmp_path / "out" / "photo.jpg", content)
    wait_until(lambda: (tmp_path / "in" / "photo.jpg").exists())
    assert (tmp_path / "in" / "photo.jpg").read_bytes() == content
    check_locked_in(send.pid)
    check_locked_in(receive.pid)
    assert stop(send)[0] == stop(receive)[0] == 143


def test_off_leaves_the_process_as_it_was(program):
    program.produce_plain("off", [purchase(1)])
    run = program.start("consume", "-b", program.broker.address, "-t", "off", "--plain", "--sandbox", "off")
    assert "High St" in run.stdout.readline()
    assert all(task["Seccomp"] == "0" or os.environ.get("container") for task in tasks(run.pid))
    assert stop(run)[0] == 143
