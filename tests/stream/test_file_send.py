"""file send as a user runs it, against the embedded broker: what arrives, and what becomes of it when something is away."""
import os
import random
import signal
import subprocess
import time

import pytest

from broker import Broker, PROGRAM, FAST_GROUP, Program, put, stop, wait_until

TOPIC = "files"
CANARY = "canary-41c7"


@pytest.fixture
def broker():
    it = Broker()
    it.tell(f"topic {TOPIC} 3")
    yield it
    it.stop()


@pytest.fixture
def program(tmp_path, broker):
    it = Program(tmp_path, broker)
    (tmp_path / "source").mkdir()
    return it


def args(program, *more, command="send"):
    return ["file", command, "-b", program.broker.address, "-t", TOPIC, "--key", "local:pii", *more]


def send(program, *more, **kwargs):
    return program.run(*args(program, "--from", "source", *more), **kwargs)


def receive(program, *more, **kwargs):
    return program.run(*args(program, "--to", "destination", "-e", *FAST_GROUP, *more, command="receive"), **kwargs)


def make(program, name, size, seed=0):
    content = random.Random(f"{name}{size}{seed}").randbytes(size)
    path = program.directory / "source" / name
    if path.exists():  # it is changed, and nobody watches
        path.write_bytes(content)
    else:
        put(path, content)
    return content


def arrived(program):
    folder = program.directory / "destination"
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.startswith(".")}


def journal(program):
    return (program.directory / "source/.sealstream/sent").read_text()


def test_files_arrive_once(program):
    files = {f"file-{n}.bin": make(program, f"file-{n}.bin", n * n * 300) for n in range(20)}
    make(program, ".hidden", 10)
    done = send(program, "--once", "--chunk-size", "4KiB")
    assert "20 files sent" in done.stderr
    done = send(program, "--once")
    assert "0 files sent" in done.stderr and "20 files had been sent before" in done.stderr
    receive(program)
    assert arrived(program) == files
    # changed: sent again, and nothing else
    files["file-3.bin"] = make(program, "file-3.bin", 5000, seed=1)
    assert "1 file sent" in send(program, "--once").stderr


def test_what_an_admin_sees(program):
    (program.directory / "source" / f"{CANARY}.txt").write_text(f"{CANARY} " * 100)
    send(program, "--once")
    consume = [PROGRAM, "consume", "-b", program.broker.address, "-t", TOPIC, "-e", "--plain"]
    seen = subprocess.run(consume, env=program.env, capture_output=True, check=True, timeout=120).stdout
    assert b"SEALFILE" in seen and CANARY.encode() not in seen
    (program.directory / "source/hidden-name.txt").write_text("x")
    send(program, "--once", "--hide-names")
    receive(program)
    assert set(arrived(program)) == {f"{CANARY}.txt", "hidden-name.txt"}


def test_settings_file(program):
    content = make(program, "a.bin", 1000)
    (program.directory / "getting_started.ini").write_text(
        f"[default]\nbootstrap.servers={program.broker.address}\n"
        f"[large_payload]\ntopic={TOPIC}\nsourcedir=source\ndestinationdir=destination\n")
    program.run("file", "send", "-F", "getting_started.ini", "--key", "local:pii", "--once")
    receive(program)
    assert arrived(program) == {"a.bin": content}


def test_nothing_is_counted_before_the_run_began(program):
    done = program.run(*args(program, "--from", "nowhere", "--once"), code=66)
    assert done.stderr.count("\n") == 1 and "nowhere" in done.stderr and "files" not in done.stderr


def test_files_named(program):
    content = make(program, "a.bin", 1000)
    make(program, "b.bin", 1000)
    done = program.run(*args(program, "source/a.bin", "source/none"), code=1)
    assert "none: cannot look at it" in done.stderr and "1 file sent" in done.stderr
    receive(program)
    assert arrived(program) == {"a.bin": content}


def test_watching(program):
    first = make(program, "first.bin", 3000)
    process = program.start(*args(program, "--from", "source", "--settle", "300ms"))
    wait_until(lambda: (program.directory / "source/.sealstream/sent").exists() and "done" in journal(program))
    second = make(program, "second.bin", 5000)
    wait_until(lambda: journal(program).count("done") == 2)
    code, _, err = stop(process)
    assert code == 143, err
    receive(program)
    assert arrived(program) == {"first.bin": first, "second.bin": second}


def test_broker_away(program):
    log = program.directory / "log"
    make(program, "first.bin", 3000)
    process = program.start(*args(program, "--from", "source"), stderr=log.open("w"))
    wait_until(lambda: (program.directory / "source/.sealstream/sent").exists() and "done" in journal(program))
    program.broker.tell("down")
    second = make(program, "second.bin", 3000)
    wait_until(lambda: "waiting, and trying again" in log.read_text())
    program.broker.tell("up")
    wait_until(lambda: journal(program).count("done") == 2)
    code, _, _ = stop(process)
    err = log.read_text()
    assert code == 143, err
    assert err.count("waiting, and trying again") == 1 and err.count("going on") == 1, err
    receive(program)
    assert arrived(program)["second.bin"] == second


def test_broker_stays_away(program):
    make(program, "first.bin", 3000)
    process = program.start(*args(program, "--from", "source", "--retry-for", "2s"))
    wait_until(lambda: (program.directory / "source/.sealstream/sent").exists() and "done" in journal(program))
    program.broker.tell("down")
    second = make(program, "second.bin", 3000)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 69, err
    assert "given up" in err
    # the next run goes on with it
    program.broker.tell("up")
    send(program, "--once")
    receive(program)
    assert arrived(program)["second.bin"] == second


def test_killed(program):
    """Twenty times, at random: the files arrive once and whole."""
    dice = random.Random(5)
    files = {f"file-{n}.bin": make(program, f"file-{n}.bin", 4000 * n) for n in range(30)}
    command = args(program, "--from", "source", "--once", "--chunk-size", "1KiB")
    killed = 0
    for n in range(20):
        name = f"late-{n}.bin"
        files[name] = make(program, name, 60000)
        process = program.start(*command)
        if n % 2 == 0:  # at its start, or in the middle of a file
            begun = program.directory / "source/.sealstream/sent"
            wait_until(lambda: begun.exists() and name in begun.read_text() or process.poll() is not None, pause=0.002)
        time.sleep(dice.uniform(0, 0.03))
        process.kill()
        _, err = process.communicate()
        killed += process.returncode == -9
        assert process.returncode in (-9, 0), err
    assert killed >= 5
    program.run(*command)
    receive(program)
    assert arrived(program) == files


def test_two_senders(program):
    files = {f"file-{n}.bin": make(program, f"file-{n}.bin", 2000 * n) for n in range(40)}
    command = args(program, "--from", "source", "--once", "--chunk-size", "1KiB")
    both = [program.start(*command) for _ in range(2)]
    for process in both:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    assert journal(program).count("begin ") == 40
    receive(program)
    assert arrived(program) == files


def test_bad_settings(program):
    make(program, "a.bin", 1000)
    cases = [
        (["--from", "nowhere"], 66, "nowhere"),
        (["--from", "source", "--chunk-size", "1MiB", "-X", "message.max.bytes=500000"], 78, "--chunk-size"),
        (["--from", "source", "--chunk-size", "100"], 64, "chunk-size"),
        (["--from", "source", "source/a.bin"], 64, "not both"),
        (["--from", "source", "--state", "a.bin/x"], 73, "a.bin/x"),
        ([], 64, "--from"),
    ]
    for more, code, words in cases:
        done = program.run(*args(program, *more), code=code)
        assert words in done.stderr.splitlines()[-1], done.stderr
    done = program.run("file", "send", "-b", program.broker.address, "--key", "local:pii", "a", code=64)
    assert "which topic" in done.stderr
    program.run("file", "send", "-b", program.broker.address, "-t", TOPIC, "--key", "local:none", "a", code=78)
    (program.directory / "source/.sealstream").mkdir(exist_ok=True)
    (program.directory / "source/.sealstream/sent").write_text("sealstream sent 2\n")
    assert "newer sealstream" in send(program, "--once", code=65).stderr


def test_unreadable_directory(program):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    make(program, "a.bin", 1000)
    make(program, "b.bin", 1000)
    (program.directory / "source/a.bin").chmod(0)
    assert "a.bin" in send(program, "--once", code=1).stderr
    (program.directory / "source/a.bin").chmod(0o644)
    assert "1 file sent" in send(program, "--once").stderr


def test_stopped_in_the_middle(program):
    content = make(program, "big.bin", 1 << 20)
    program.broker.tell("rtt 60")
    command = args(program, "--from", "source", "--once", "--chunk-size", "1KiB", "-X", "linger.ms=0",
                   "-X", "max.in.flight=1")
    process = program.start(*command)
    wait_until(lambda: "acked" in journal(program) if (program.directory / "source/.sealstream/sent").exists() else 0)
    code, _, err = stop(process, signal.SIGINT)
    assert code == 130, err
    assert "done" not in journal(program)
    program.broker.tell("rtt 0")
    assert "big.bin" in program.run(*command).stderr
    assert journal(program).count("begin ") == 1
    receive(program)
    assert arrived(program) == {"big.bin": content}
