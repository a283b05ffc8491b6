"""file send and file receive against the embedded broker: whole files, once, whatever happens to either side."""
import base64
import hashlib
import json
import os
import random
import time

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from broker import Broker, Program, FAST_GROUP, stop, wait_until


@pytest.fixture
def broker():
    it = Broker()
    it.tell("topic files 3")
    yield it
    it.stop()


@pytest.fixture
def program(tmp_path, broker):
    it = Program(tmp_path, broker)
    (tmp_path / "from").mkdir()
    return it


def fill(program, sizes, seed=1):
    """Files in from/, by name: their SHA-256."""
    made = {}
    for number, size in enumerate(sizes):
        data = random.Random(f"{seed}/{number}").randbytes(size)
        name = f"{seed}-{number}.bin"
        (program.directory / "from" / name).write_bytes(data)
        os.utime(program.directory / "from" / name, ns=(1, 1_600_000_000_123_456_789 + number))
        made[name] = hashlib.sha256(data).hexdigest()
    return made


def arrived(program, to="to"):
    folder = program.directory / to  # a receiver makes it
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (folder.iterdir() if folder.exists() else []) if path.is_file()}


def check_all(program, made, to="to"):
    assert arrived(program, to) == made
    for path in (program.directory / to).iterdir():
        if path.is_file():
            assert path.stat().st_mode & 0o7777 == 0o600
            assert path.stat().st_mtime_ns == (program.directory / "from" / path.name).stat().st_mtime_ns
    left = [name for name in os.listdir(program.directory / to / ".sealstream") if not name.startswith("received")]
    assert left == []


def send_args(program, *args):
    return ["file", "send", "-b", program.broker.address, "-t", "files", "--from", "from", "--key", "local:pii",
            "--chunk-size", "16KiB", *args]


def receive_args(program, *args, to="to"):
    return ["file", "receive", "-b", program.broker.address, "-t", "files", "--to", to, "--key", "local:pii",
            *FAST_GROUP, *args]


def test_there_and_gone_on_with(program):
    made = fill(program, [0, 1, 16384, 16385, 300000])
    program.run(*send_args(program, "--once"))
    done = program.run(*receive_args(program, "-e"))
    check_all(program, made)
    assert "5 of 5" in done.stderr or "received" in done.stderr
    # nothing comes twice: neither for the group, nor for another one with the same directory
    program.run(*receive_args(program, "-e"))
    program.run(*receive_args(program, "-e", "-G", "other"))
    check_all(program, made)
    program.run(*receive_args(program, "-e", "-G", "third", to="to2"))
    check_all(program, made, "to2")


def test_json_progress(program):
    fill(program, [100000])
    program.run(*send_args(program, "--once"))
    program.produce_plain("files", ["not a file", '{"ciphertext":1}'])
    done = program.run(*receive_args(program, "-e", "--progress", "json"), code=1)
    events = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert [e["event"] for e in events if e["event"] in ("started", "done", "end")] == ["started", "done", "end"]
    foreign = [e for e in events if e["event"] == "foreign"]
    assert len(foreign) == 2 and all(e["place"].startswith("files/") for e in foreign)


def test_nothing_of_the_content_is_told(program):
    (program.directory / "from" / "secret.txt").write_text("canary-5b1c " * 5000)
    program.run(*send_args(program, "--once"))
    done = program.run(*receive_args(program, "-e", "--log-level", "debug"))
    assert "canary" not in done.stdout + done.stderr
    program.kafka("consume", "-t", "files", "-e", "--plain", "--output", "held")
    held = (program.directory / "held").read_bytes()
    assert held.count(b"SEALFILE") == 4 and b"canary" not in held and b"secret.txt" not in held


def test_another_key(program):
    made = fill(program, [50000])
    program.run(*send_args(program, "--once"))
    program.run("key", "create", "other")
    args = receive_args(program, "-e")
    args[args.index("local:pii")] = "local:other"
    done = program.run(*args, code=1)
    assert arrived(program) == {}
    assert done.stderr.count("files/") == 1  # told once, not for every chunk
    assert "nothing opened under local:other, and 4 records did not: is it the right key?" in done.stderr
    program.run(*args, code=1)
    # nothing was committed: the same group gets it all with the right key, and passes over what is not under it from then on
    program.run(*receive_args(program, "-e"))
    check_all(program, made)
    done = program.run(*receive_args(program, "-e"))
    assert "record" not in done.stderr


def test_what_others_write_is_passed_over(program):
    """Files under another key, and one that opens: none of them comes again."""
    program.run("key", "create", "other")
    fill(program, [50000], seed=1)
    args = send_args(program, "--once")
    args[args.index("local:pii")] = "local:other"
    program.run(*args)
    for path in (program.directory / "from").iterdir():
        if path.is_file():
            path.unlink()
    made = fill(program, [1000], seed=2)
    program.run(*send_args(program, "--once"))
    done = program.run(*receive_args(program, "-e"), code=1)
    check_all(program, made)
    assert "4 records were no part of a file under local:pii; group sealstream.files.files has passed over them" in done.stderr
    program.run(*receive_args(program, "-e"))


def test_settings_file(program):
    made = fill(program, [1000])
    (program.directory / "getting_started.ini").write_text(
        f"[default]\nbootstrap.servers={program.broker.address}\n[consumer]\nsession.timeout.ms=6000\n"
        "[large_payload]\ntopic=files\nsourcedir=from\ndestinationdir=to\n")
    program.run("file", "send", "-F", "getting_started.ini", "--key", "local:pii", "--once")
    program.run("file", "receive", "-F", "getting_started.ini", "--key", "local:pii", "-e")
    check_all(program, made)


@pytest.mark.parametrize("victim", ["send", "receive"])
def test_killed_again_and_again(program, victim):
    """kill -9 at random moments; in the end every file is there once and whole."""
    made = fill(program, [random.Random(n).randrange(600000) for n in range(12)])
    chance = random.Random(victim)
    for _ in range(6):
        running = {"send": program.start(*send_args(program, "--once")),
                   "receive": program.start(*receive_args(program))}
        time.sleep(chance.uniform(0.05, 4))
        running[victim].kill()
        for process in running.values():
            if process is not running[victim]:
                stop(process)
        for process in running.values():
            process.wait()
            process.stdout.close()
            process.stderr.close()
    program.run(*send_args(program, "--once"))
    done = program.start(*receive_args(program))
    wait_until(lambda: len(arrived(program)) >= len(made))
    stop(done)
    assert arrived(program) == made


def test_two_receivers_and_a_rebalance(program):
    """One of two members of a group, with one directory for both, is killed in the middle, another one comes."""
    made = fill(program, [200000] * 30)
    first, second = program.start(*receive_args(program)), program.start(*receive_args(program))
    sender = program.start(*send_args(program, "--once", "-X", "linger.ms=1"))
    wait_until(lambda: len(arrived(program)) > 3)
    first.kill()
    first.wait()
    third = program.start(*receive_args(program))
    wait_until(lambda: len(arrived(program)) >= len(made))
    sender.wait(timeout=120)
    for process in (second, third):
        assert stop(process)[0] == 143
    assert arrived(program) == made


def test_stopped_in_the_middle(program):
    made = fill(program, [2500000])  # the embedded broker keeps 5 MB of a partition
    # Small batches that come slowly: it is far from its end when it is stopped.
    program.run(*send_args(program, "--once", "--chunk-size", "1KiB", "-X", "batch.num.messages=10"))
    program.broker.tell("rtt 100")
    receiver = program.start(*receive_args(program))
    state = program.directory / "to" / ".sealstream"
    wait_until(lambda: state.is_dir() and list(state.glob("*.part")), pause=0.01)
    code, _, _ = stop(receiver)
    assert code == 143 and arrived(program) == {}
    program.broker.tell("rtt 0")
    done = program.run(*receive_args(program, "-e"))
    assert "are there already" in done.stderr
    check_all(program, made)


def test_bad_use(program):
    for args, text in ((["-t", "files", "--key", "local:pii"], "--to DIR"), (["--to", "x", "--key", "local:pii"], "-t TOPIC"),
                       (["-t", "files", "--to", "x"], "--key"),
                       (["-t", "files", "--to", "x", "--key", "local:none"], "none"),
                       (["-t", "files", "--to", "x", "--key", "local:cards"], "encrypt")):
        done = program.run("file", "receive", "-b", program.broker.address, "-e", *args, code=None)
        assert done.returncode in (64, 78), done.stderr
        assert text in done.stderr
    (program.directory / "plain").write_text("x")
    assert "plain" in program.run(*receive_args(program, "-e", to="plain"), code=73).stderr


# ---- the original script's messages, made here as it made them ----

DATA_KEY = b"0123456789abcdef-32-bytes-of-key"


def wrapped_key(program):
    """DATA_KEY under the key `pii`, as Transit's text: what `datakey/plaintext` gives in its ciphertext."""
    (program.directory / "wrap.yaml").write_text(
        "version: 1\nkeys: {pii: local:pii}\nmethods: {it: {type: encrypt, key: pii, bind: none}}\n"
        "topics: [{match: t, protect: {$.k: it}}]\n")
    done = program.run("protect", "-p", "wrap.yaml", "-t", "t", stdin=json.dumps({"k": DATA_KEY.decode()}) + "\n")
    return json.loads(done.stdout)["k"]


def script_message(data, form):
    nonce = os.urandom(32)
    encryptor = Cipher(algorithms.AES(DATA_KEY), modes.GCM(nonce)).encryptor()
    ciphertext = encryptor.update(base64.b64encode(data)) + encryptor.finalize()
    return json.dumps({"ciphertext": form(ciphertext), "tag": form(encryptor.tag),
                       "nonce": base64.b64encode(nonce).decode()})


def test_topic_of_the_original_script(program):
    key = wrapped_key(program)
    assert key.startswith("vault:v1:")
    files = {"picture.png": os.urandom(100000), "nothing": b"", "../escape.txt": b"text"}
    envelopes = []
    for number, (name, data) in enumerate(files.items()):
        form = bytes.hex if number % 2 else lambda b: base64.b64encode(b).decode()
        envelopes.append({"headers": ["X-encryptionkey", key, "X-filename", name], "ts": 1_600_000_000_123,
                          "payload": script_message(data, form)})
    envelopes.append({"headers": ["X-filename", "no-key"], "payload": script_message(b"x", bytes.hex)})
    bad = dict(envelopes[1])
    bad["payload"] = bad["payload"].replace('"tag": "', '"tag": "00')
    envelopes.append(bad)
    program.produce_plain("files", [json.dumps(e) for e in envelopes], "-J")
    program.run("key", "create", "other")
    wrong = receive_args(program, "-e")
    wrong[wrong.index("local:pii")] = "local:other"
    assert "nothing opened under local:other, and 3 records did not" in program.run(*wrong, code=1).stderr
    assert arrived(program) == {}
    done = program.run(*receive_args(program, "-e"), code=1)
    assert arrived(program) == {name.rpartition("/")[2]: hashlib.sha256(data).hexdigest()
                                for name, data in files.items()}
    assert (program.directory / "to" / "picture.png").stat().st_mtime_ns == 1_600_000_000_123_000_000
    assert done.stderr.count("warning: files/") == 2
    program.run(*receive_args(program, "-e", "-G", "again"), code=1)  # each of them once
    assert len(arrived(program)) == 3
