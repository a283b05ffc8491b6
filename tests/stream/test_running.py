"""A run under a service manager: what it tells it, and policies that change while it runs."""
import os
import signal

import pytest

from broker import Broker, Program, purchase, stop, wait_until
from manager import Manager

OTHER = """
version: 1
namespace: shop
keys: {pii: "local:pii"}
topics:
  - match: purchases
    protect: {$.Address: {type: redact}}
"""


@pytest.fixture(scope="module")
def broker():
    it = Broker()
    yield it
    it.stop()


@pytest.fixture
def program(tmp_path, broker):
    return Program(tmp_path, broker)


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    it = Manager(str(tmp_path / "notify") if request.param == "path" else f"\0sealstream-{os.getpid()}-{id(tmp_path)}",
                 watchdog_ms=2000)
    yield it
    it.socket.close()


def start_pump(program, source, manager, *more):
    return manager.start(program, "pump", "-b", program.broker.address, "--from", source, "--to", f"{source}_out",
                         "--policy-topic", "purchases", "-p", "policy.yaml", *more)


def outputs(program, source):
    return [e["payload"] for e in program.envelopes(f"{source}_out", "--plain")]


def test_what_a_service_manager_is_told(program, manager):
    source = "told_" + ("abstract" if manager.environment["NOTIFY_SOCKET"].startswith("@") else "path")
    program.produce_plain(source, [purchase(1)])
    pump = start_pump(program, source, manager)
    manager.wait_for("READY=1")
    manager.wait_for("WATCHDOG=1", times=3)  # also while there is nothing to do
    wait_until(lambda: any("1 records" in d for d in list(manager.told) if d.startswith("STATUS=")))
    code, _, err = stop(pump)
    assert code == 143, err
    starts = manager.starts()
    assert starts[0] == "READY=1" and starts.count("READY=1") == 1 and starts.count("STOPPING=1") == 1


@pytest.mark.parametrize("address", ["", "relative", "/no/such/socket", "@", "/" + "x" * 200])
def test_a_manager_that_is_not_there_is_not_missed(program, address):
    program.env["NOTIFY_SOCKET"] = address
    program.produce_plain("alone", [purchase(1)])
    assert "High St" in program.kafka("consume", "-t", "alone", "--plain", "-e").stdout


def test_reload_changes_the_rules_as_a_whole(program, tmp_path):
    manager = Manager(str(tmp_path / "notify"))
    program.produce_plain("live", [purchase(1)])
    pump = start_pump(program, "live", manager, "-j", "4")
    wait_until(lambda: len(outputs(program, "live")) == 1)
    (tmp_path / "policy.yaml").write_text(OTHER)
    pump.send_signal(signal.SIGHUP)
    manager.wait_for("READY=1", times=2)
    program.produce_plain("live", [purchase(2)])
    wait_until(lambda: len(outputs(program, "live")) == 2)
    code, _, err = stop(pump)
    first, second = sorted(outputs(program, "live"), key=lambda text: '"n": 2' in text)
    assert code == 143 and "the policy was reloaded: policy.yaml" in err
    assert "vault:v1:" in first and "vault:" not in second and "2 High St" not in second
    assert "4111-1111-1111-1111" not in first and "4111-1111-1111-1111" in second
    assert [s for s in manager.starts() if s != "WATCHDOG=1" and not s.startswith("STATUS")] == \
        ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]



def test_paths_of_a_policy_that_came_late_are_not_missed(program, tmp_path):
    """At the end it is told which paths no record had. Records of before a reload say nothing of those of the new policy."""
    manager = Manager(str(tmp_path / "notify"))
    program.produce_plain("late", [purchase(1)])
    pump = start_pump(program, "late", manager)
    wait_until(lambda: len(outputs(program, "late")) == 1)
    (tmp_path / "policy.yaml").write_text(OTHER)
    pump.send_signal(signal.SIGHUP)
    manager.wait_for("READY=1", times=2)
    code, _, err = stop(pump)
    assert code == 143 and "the policy was reloaded" in err and "no record" not in err


BAD = {  # what is in the file, what the log then says
    "a mistake": (OTHER.replace("redact", "redcat"), "policy.yaml:7"),
    "no rules for the topic": (OTHER.replace("purchases", "others"), "no topic of the policy matches purchases"),
    "no such key": (OTHER.replace("{type: redact}", "{type: encrypt, key: pii}").replace("local:pii", "local:none"),
                    "none"),
    "no file": (None, "policy.yaml"),
}


def test_reload_that_fails_changes_nothing(program, tmp_path):
    manager = Manager(str(tmp_path / "notify"))
    pump = start_pump(program, "bad", manager)
    for number, (text, _) in enumerate(BAD.values()):
        manager.wait_for("READY=1", times=1 + number)
        if text is None:
            (tmp_path / "policy.yaml").unlink()
        else:
            (tmp_path / "policy.yaml").write_text(text)
        pump.send_signal(signal.SIGHUP)
        manager.wait_for("READY=1", times=2 + number)
        program.produce_plain("bad", [purchase(number)])
        wait_until(lambda: len(outputs(program, "bad")) == number + 1)
    code, _, err = stop(pump)
    assert code == 143 and all("vault:v1:" in text for text in outputs(program, "bad"))
    told = [line for line in err.splitlines() if "the policy was not reloaded, the run goes on with the one it has" in line]
    assert len(told) == len(BAD)
    for line, (_, reason) in zip(told, BAD.values()):
        assert reason in line


def test_reloads_under_load_lose_and_repeat_nothing(program, tmp_path):
    """Back and forth between two policies, with records all the while."""
    good = (tmp_path / "policy.yaml").read_text()
    manager = Manager(str(tmp_path / "notify"))
    pump = start_pump(program, "load", manager, "-j", "2")
    manager.wait_for("READY=1")
    for turn in range(6):
        program.produce_plain("load", [purchase(turn * 500 + n) for n in range(500)])
        (tmp_path / "policy.yaml").write_text(OTHER if turn % 2 == 0 else good)
        pump.send_signal(signal.SIGHUP)
        manager.wait_for("READY=1", times=2 + turn)
    wait_until(lambda: len(outputs(program, "load")) >= 3000)
    code, _, err = stop(pump)
    texts = outputs(program, "load")
    assert code == 143, err
    assert sorted(int(text.split('"n": ')[1].split(",")[0]) for text in texts) == list(range(3000))
    assert not any("High St" in text for text in texts)


def test_a_command_without_rules_ends_at_a_hangup(program):
    program.produce_plain("plain", [purchase(1)])
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may ignore it, as nohup does
    run = program.start("consume", "-b", program.broker.address, "-t", "plain", "--plain")
    signal.signal(signal.SIGHUP, before)
    assert "High St" in run.stdout.readline()
    assert stop(run, signal.SIGHUP)[0] == -signal.SIGHUP
