"""file send and file receive on an embedded broker, as a user types them. Faults and sizes are in tests/unit and tests/services."""
import json
import os
import re
import shutil
import signal
import subprocess

import pytest
from broker import FAST_GROUP, PROGRAM, Broker, Program, put, stop, wait_until


@pytest.fixture(scope="module")
def broker():
    broker = Broker()
    yield broker
    broker.stop()


@pytest.fixture
def program(tmp_path, broker, request):
    program = Program(tmp_path, broker)
    program.topic = re.sub(r"\W+", "-", request.node.name)
    broker.tell(f"topic {program.topic} 2")
    program.run("key", "create", "files")
    (tmp_path / "source").mkdir()
    return program


def write(program, name, content):
    path = program.directory / "source" / name
    put(path, content)
    return path


def arguments(program, what, *args, key="local:files"):
    return ["file", what, "-b", program.broker.address, "-t", program.topic, "--key", key, *args]


def send(program, *args, **kwargs):
    return program.run(*arguments(program, "send", *args), **kwargs)


def receive(program, *args, to="destination", key="local:files", **kwargs):
    return program.run(*arguments(program, "receive", "--to", to, *FAST_GROUP, *args, key=key), **kwargs)


def arrived(program, to="destination"):
    return {path.name: path.read_bytes() for path in (program.directory / to).iterdir() if path.is_file()}


def test_there_and_back(program):
    files = {"empty": b"", "notes.txt": b"for your eyes only", "large.bin": os.urandom(1_300_000)}
    for name, content in files.items():
        write(program, name, content)
    os.utime(program.directory / "source" / "notes.txt", (1_500_000_000, 1_500_000_000))
    assert "3 files sent" in send(program, "--from", "source", "--once").stderr
    assert "3 files had been sent before" in send(program, "--from", "source", "--once").stderr
    receive(program, "-e")
    assert arrived(program) == files
    notes = (program.directory / "destination" / "notes.txt").stat()
    assert (notes.st_mode & 0o777, notes.st_mtime) == (0o600, 1_500_000_000)
    again = receive(program, "-e", "-G", "another")  # the directory remembers what it has
    assert "0 files received" in again.stderr and arrived(program) == files


def test_settings_file_names_all(program):
    """The Python demo's file, as it is."""
    write(program, "a.txt", b"a")
    (program.directory / "getting_started.ini").write_text(
        f"[default]\nbootstrap.servers={program.broker.address}\nmessage.max.bytes=8388608\n[consumer]\ngroup.id=python_example_group_1\n"
        "auto.offset.reset=earliest\nsession.timeout.ms=6000\n[plaintext-msg-demo]\ntopic = purchases\nnumber_of_msg = 10\n"
        f"[large_payload]\ntopic={program.topic}\nsourcedir = source\ndestinationdir=destination\n")
    program.run("file", "send", "-F", "getting_started.ini", "--key", "local:files", "--once")
    program.run("file", "receive", "-F", "getting_started.ini", "--key", "local:files", "-e")
    assert arrived(program) == {"a.txt": b"a"}


def test_a_wrong_key(program):
    """Nothing of it is written or committed; the end says so, and the same group gets it with the right key."""
    write(program, "a.txt", b"a")
    send(program, "--from", "source", "--once")
    done = receive(program, "-e", key="local:pii", code=1)
    assert "nothing opened under local:pii, and 1 record did not" in done.stderr
    assert arrived(program) == {}
    assert "record" not in receive(program, "-e").stderr
    assert arrived(program) == {"a.txt": b"a"}


def test_names_in_headers(program):
    """What an admin sees, and with --hide-names does not; nothing of the content either way."""
    write(program, "salaries.csv", b"ada,100000\n" * 10)
    send(program, "source/salaries.csv")
    send(program, "source/salaries.csv", "--hide-names", "--state", "elsewhere")
    read = ["consume", "-b", program.broker.address, "-t", program.topic, "--plain", "-e"]
    raw = subprocess.run([PROGRAM, *read], env=program.env, capture_output=True, timeout=120, check=True).stdout
    assert raw.count(b"SEALFILE") == 2 and b"salaries" not in raw and b"ada,100000" not in raw
    if shutil.which("kcat"):
        out = subprocess.run(["kcat", "-b", program.broker.address, "-C", "-t", program.topic, "-e", "-q", "-f", "%h\\n"], check=True,
                             capture_output=True, text=True, timeout=120).stdout
        found = sorted(sorted(part.split("=")[0] for part in line.split(",")) for line in out.splitlines())
        common = ["X-encryptionkey", "seal-count", "seal-index", "seal-transfer"]
        assert found == sorted([sorted(common), sorted([*common, "X-filename"])])


def test_inspect_counts_chunks(program):
    """Needs no key: how many records are under which version of the key that wraps."""
    write(program, "large.bin", bytes(1_300_000))
    send(program, "--from", "source", "--once")
    program.run("key", "rotate", "files")
    write(program, "small.bin", b"1")
    send(program, "--from", "source", "--once")
    out = program.kafka("inspect", "-t", program.topic, "--versions").stdout
    assert re.findall(r"^ +(\d+) +(\d+)  file +\$$", out, re.M) == [("3", "1"), ("1", "2")]
    lines = program.kafka("inspect", "-t", program.topic).stdout.splitlines()
    assert sum(": $: chunk of a file, key version 1, " in line and line.endswith(", 524288 in clear") for line in lines) == 2
    program.kafka("produce", "-t", program.topic, "--plain", stdin="SEALFILE\n")  # begins like one
    assert "1 of them damaged" in program.kafka("inspect", "-t", program.topic, "-s").stdout


def test_watching(program):
    """Without --once: what comes is sent, a stop request ends it cleanly; so does the receiver, with lines as JSON."""
    sender = program.start(*arguments(program, "send", "--from", "source"))
    receiver = program.start(*arguments(program, "receive", "--to", "destination", "--progress", "json", *FAST_GROUP))
    wait_until(lambda: (program.directory / "source" / ".sealstream").exists())
    write(program, "a.txt", b"a")
    wait_until(lambda: (program.directory / "destination" / "a.txt").exists())
    assert stop(sender, signal.SIGINT)[0] == 130
    code, out, err = stop(receiver, signal.SIGTERM)
    events = [json.loads(line) for line in (out + err).splitlines() if line.startswith("{")]
    assert code == 143 and [one["name"] for one in events if one["event"] == "done"] == ["a.txt"]


@pytest.mark.parametrize("words, code, said", [
    (["send"], 64, "--from DIR or FILE"), (["send", "--from", "absent", "--once"], 66, "absent"),
    (["send", "absent"], 1, "absent"), (["send", "--from", "source", "x"], 64, "either FILE or --from"),
    (["receive"], 64, "--to DIR"), (["receive", "--to", "policy.yaml", "-e"], 73, "Not a directory")])
def test_bad_input(program, words, code, said):
    done = program.run(*arguments(program, *words), code=code)
    assert said in done.stderr and "Traceback" not in done.stderr
