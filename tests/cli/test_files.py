"""protect and reveal of files: what comes out, in which order, and what is left alone."""
import fcntl
import json
import os
import pty
import random
import re
import resource
import signal
import subprocess
import threading
import time

import pytest

from program import bytes_in, peak_kib, wait_until, wait_until_it_catches, wait_until_read, wait_until_taken

RECORD = b'{"Name":"Ada","Address":"1 High St","credit_card":"4111-1111-1111-1111"}\n'
CIPHER = rb'"vault:v1:[A-Za-z0-9+/]+=*"'


def sample(program, *arguments):
    return program.run("sample", *arguments)[0]


def test_round_trip(shop):
    clear = sample(shop, "-c", "5000")
    hidden = shop.protect(clear)
    assert hidden.count(b"\n") == 5000
    assert shop.reveal(hidden) == clear
    same = 0
    for before, after in zip(clear.splitlines(), hidden.splitlines()):
        before, after = json.loads(before), json.loads(after)
        assert after["Name"].startswith("vault:v1:") and after["Address"].startswith("vault:v1:")
        card = after["credit_card"]
        assert re.fullmatch(r"\d{4}-\d{4}-\d{4}-\d{4}", card)
        assert card[:7] == before["credit_card"][:7] and card[-4:] == before["credit_card"][-4:]
        same += card == before["credit_card"]
    assert same < 10  # each maps to itself once in a million


def test_two_runs_differ_but_reveal_alike(shop):
    first, second = shop.protect(RECORD), shop.protect(RECORD)
    assert first != second
    assert shop.reveal(first + second) == RECORD * 2


def test_bytes_outside_protected_spans_stay(shop):
    shapes = [
        (b' {\t"a" : 1.10 , "Address":', b'"x"', b',  "b":[ 1e2,12345678901234567890 , -0.0]}'),
        (b'{"Address":', b'"\\u00e9\\n"', b', "Address2":"\\/\\u0041","n":null , "n":null}\r'),
        (b'{"x":{"Address":"stays"},"Addre\\u0073s":', b'"y"', b'}'),
        (b'{"\xc3\xa9":"\xf0\x9f\x8e\x81","Address":', b'""', b',"t":true}  '),
    ]
    data = b"".join(a + v + b + b"\n" for a, v, b in shapes)
    for (before, _, after), line in zip(shapes, shop.protect(data).split(b"\n")):
        assert re.fullmatch(re.escape(before) + CIPHER + re.escape(after), line)
    # The string comes back as its text; escapes that it did not need are not remembered.
    assert shop.reveal(shop.protect(data)) == data.replace(b"\\u00e9\\n", b"\xc3\xa9\\n")


def test_other_json_values_come_back_to_the_digit(shop):
    data = b'{"Name":1.10,"Address":{"street":[1e2, null]}}\n{"Name":12345678901234567890,"Address":false}\n'
    hidden = shop.protect(data)
    assert hidden.count(b'"json+vault:v1:') == 4
    assert shop.reveal(hidden) == data


@pytest.mark.parametrize("data", [
    b"", b"\n", b"\n\n", RECORD, RECORD.rstrip(b"\n"), RECORD.replace(b"\n", b"\r\n") * 3,
    b"\n" + RECORD + b"  \t\r\n\n" + RECORD.rstrip(b"\n"), b"{}\n[]\n1\n\"x\"\nnull",
], ids=lambda data: repr(data[:12]))
def test_lines_keep_their_ends(shop, data):
    hidden = shop.protect(data)
    assert shop.reveal(hidden) == data
    assert hidden.count(b"\n") == data.count(b"\n")


def test_order_does_not_depend_on_threads(shop):
    # Only fpe, which gives the same result each time.
    shop.policy("""version: 1
keys: {cards: "local:cards"}
topics:
  - match: purchases
    protect:
      $.credit_card: {type: fpe, key: cards, alphabet: digits, keep: {first: 6, last: 4}}
""")
    data = shop.write("in", sample(shop, "-c", "40000"))
    one = shop.run("protect", data, "--threads", "1")[0]
    assert shop.run("protect", data, "--threads", "4")[0] == one
    assert shop.run("reveal", shop.write("out", one), "-j4")[0] == data.read_bytes()


def test_envelopes(shop):
    data = "".join(json.dumps({"topic": "t", "partition": 1, "offset": i, "key": None if i % 2 else f"k{i}",
                               "payload": None if i == 3 else '{"Address": "é \\"%d\\"", "n": 1.10}' % i},
                              ensure_ascii=i % 3 == 0) + "\n" for i in range(10)).encode()
    hidden = shop.protect(data, "-J")
    for before, after in zip(data.splitlines(), hidden.splitlines()):
        before, after = json.loads(before), json.loads(after)
        if before["payload"] is not None:
            assert json.loads(after["payload"])["Address"].startswith("vault:v1:")
            assert after["payload"].endswith(', "n": 1.10}')
        assert {k: v for k, v in before.items() if k != "payload"} == {k: v for k, v in after.items() if k != "payload"}
    revealed = shop.reveal(hidden, "-J")
    assert [json.loads(line) for line in revealed.splitlines()] == [json.loads(line) for line in data.splitlines()]


def test_whole_values(shop):
    shop.policy("""version: 1
keys: {pii: "local:pii"}
topics: [{match: notes, format: bytes, protect: {$: {type: encrypt, key: pii}}}]
""")
    data = b"not json\n\xff\xfe\n{}\n"
    hidden = shop.protect(data)
    assert re.fullmatch(rb"(vault:v1:[A-Za-z0-9+/]+=*\n){3}", hidden)
    assert shop.reveal(hidden) == data


def test_rotation_in_the_middle(shop):
    first = shop.protect(RECORD)
    shop.run("key", "rotate", "pii")
    second = shop.protect(RECORD)
    assert b"vault:v1:" in first and b"vault:v2:" in second
    assert shop.reveal(first + second) == RECORD * 2


def test_topic_is_chosen(shop):
    shop.policy("""version: 1
topics:
  - {match: a, protect: {$.Name: {type: remove}}}
  - {match: b*, protect: {$.Address: {type: remove}}}
""")
    data = b'{"Name":1,"Address":2}\n'
    assert shop.protect(data, "-t", "a") == b'{"Address":2}\n'
    assert shop.protect(data, "--topic=b17") == b'{"Name":1}\n'
    assert shop.protect(data, environment={"SEALSTREAM_TOPIC": "a"}) == b'{"Address":2}\n'
    _, err = shop.run("protect", input=data, exit_code=64)
    assert "choose one with --topic" in err
    for command in ("scan", "verify"):  # their --topic is a stream
        assert "choose one with --policy-topic" in shop.run(command, input=data, exit_code=64)[1]
    _, err = shop.run("protect", "-t", "c", input=data, exit_code=78)
    assert "no topic of the policy matches c" in err


# ---- output files ----

def test_output_file(shop):
    source = shop.write("in", RECORD * 3)
    assert shop.run("protect", source, "-o", "out")[0] == b""
    hidden = (shop.folder / "out").read_bytes()
    assert shop.reveal(hidden) == RECORD * 3
    assert shop.run("reveal", "out", "-o", "out")[0] == b""  # onto itself
    assert (shop.folder / "out").read_bytes() == RECORD * 3
    assert not list(shop.folder.glob("*.tmp"))


def test_failed_run_leaves_the_old_file(shop):
    shop.write("out", "old")
    shop.run("protect", "--fail-fast", "-o", "out", input=RECORD + b"{\n", exit_code=65)
    assert (shop.folder / "out").read_text() == "old"
    assert not list(shop.folder.glob("*.tmp"))


def test_output_cannot_be_created(shop):
    _, err = shop.run("protect", "-o", "absent/out", input=RECORD, exit_code=73)
    assert "cannot create absent/out" in err


@pytest.mark.parametrize("arguments", [(), ("-o", "/dev/full")])
def test_disk_full(shop, arguments):
    source = shop.write("in", RECORD * 10000)
    with open("/dev/full", "wb") as full:
        process = shop.start("protect", source, *arguments, stdout=full, stderr=-1)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 74
    assert b"No space left on device" in err and err.count(b"\n") == 1


@pytest.mark.skipif("SANITIZED" in os.environ, reason="a sanitizer needs all addresses")
def test_out_of_memory(shop):
    source = shop.write("in", b'{"Name":"' + b"x" * 60_000_000 + b'"}\n')
    limit = 100 << 20
    process = shop.start("protect", "--max-record-bytes", "100MiB", source, stdout=-1, stderr=-1,
                         preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (70, b"", b"sealstream: error: out of memory\n")


def test_missing_file(shop):
    _, err = shop.run("protect", "absent.ndjson", exit_code=66)
    assert "cannot open absent.ndjson: No such file or directory" in err


def test_directory_as_input(shop):
    _, err = shop.run("protect", ".", exit_code=66)
    assert "is a directory" in err


# ---- pipes and signals ----

def test_reader_goes_away(shop):
    source = shop.write("in", RECORD * 200000)
    process = shop.start("protect", source, stdout=-1, stderr=-1)
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(timeout=60) == 141
    assert err == b""


@pytest.mark.parametrize("seed", range(6))
def test_chunks_do_not_matter(shop, seed):
    """However the bytes come in, the same bytes go out; lines over the limit are left out whole."""
    shop.policy("""version: 1
topics: [{match: t, protect: {$.absent: {type: remove}}}]
""")
    dice = random.Random(seed)
    lines = [dice.choice([b"", b"  \r", b'["%s"]' % (b"x" * int(dice.expovariate(0.002))), b'{"a":1}\r'])
             for _ in range(3000)]
    data = b"\n".join(lines)
    process = shop.start("protect", "-j", str(1 + seed % 3), "--max-record-bytes", "2000", stdin=-1, stdout=-1,
                         stderr=subprocess.DEVNULL)

    def feed():
        at = 0
        while at < len(data):
            size = int(dice.expovariate(0.0002)) + 1
            process.stdin.write(data[at:at + size])
            process.stdin.flush()
            at += size
        process.stdin.close()

    feeder = threading.Thread(target=feed)
    feeder.start()
    out = process.stdout.read()
    feeder.join()
    kept = [line for line in lines if len(line) <= 2000]
    assert process.wait(timeout=60) == (0 if len(kept) == len(lines) else 1)
    assert len(kept) < len(lines)
    expected = b"\n".join(kept) + (b"" if len(lines[-1]) <= 2000 else b"\n")
    assert out == expected


def test_lines_come_out_as_they_come_in(shop):
    process = shop.start("protect", stdin=-1, stdout=-1)
    for _ in range(3):
        process.stdin.write(RECORD)
        process.stdin.flush()
        assert b"vault:v1:" in process.stdout.readline()  # would hang if it waited for more
    process.stdin.close()
    assert process.wait(timeout=60) == 0


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stop_is_clean(shop, number, code):
    process = shop.start("protect", "-o", "out", stdin=-1, stderr=-1)
    wait_until_read(process, RECORD)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert b"stopped after 1 record; not written: out" in err
    assert not (shop.folder / "out").exists() and not list(shop.folder.glob("*.tmp"))


def test_second_signal_ends_at_once(shop):
    """With a reader that takes nothing the first one cannot finish."""
    process = shop.start("protect", shop.write("in", RECORD * 20000), stdout=-1, stderr=-1)
    wait_until(lambda: bytes_in(process.stdout) == fcntl.fcntl(process.stdout, fcntl.F_GETPIPE_SZ), pause=0.01)
    process.send_signal(signal.SIGTERM)
    wait_until_taken(process, signal.SIGTERM)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143
    process.communicate()


@pytest.mark.parametrize("arguments", [["fifo"], ["/dev/null", "-o", "fifo"], ["/dev/zero"]], ids=str)
def test_stop_where_it_would_wait_for_ever(shop, arguments):
    """For somebody to open a FIFO's other end; for the end of a line that has none."""
    os.mkfifo(shop.folder / "fifo")
    process = shop.start("protect", *arguments, stderr=-1)
    wait_until_it_catches(process, signal.SIGTERM)
    time.sleep(0.2)  # so that it stands there, mostly
    process.terminate()
    try:
        _, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 143, err


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_closed_standard_stream(shop, closed):
    """No file takes its number: the output gets no message and the keyring no record."""
    source = shop.write("in", RECORD * 3 + b"bad\n")
    command = f'exec "$0" "$@" {closed}{"<" if closed == 0 else ">"}&-'
    arguments = ["protect", source, *([] if closed == 1 else ["-o", "out"])]
    before = {path: path.read_bytes() for path in (shop.folder / "keyring").glob("*.key")}
    done = subprocess.run(["sh", "-c", command, shop.path, *arguments], cwd=shop.folder, env=shop.environment,
                          capture_output=True, timeout=60)
    assert done.returncode == (74 if closed == 1 else 1)
    if closed != 1:
        assert shop.reveal((shop.folder / "out").read_bytes()) == RECORD * 3
    assert before.keys() == {path for path in (shop.folder / "keyring").glob("*.key")}


def test_usr1_prints_a_line(shop):
    process = shop.start("protect", stdin=-1, stdout=-1, stderr=-1)
    process.stdin.write(RECORD)
    process.stdin.flush()
    process.stdout.readline()
    process.send_signal(signal.SIGUSR1)
    assert b"1 records" in process.stderr.readline()
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_progress_only_on_a_terminal(shop):
    source = shop.write("in", sample(shop, "-c", "300000"))
    assert shop.run("protect", source, "-o", "/dev/null")[1] == ""
    for arguments, shown in (((), True), (("-q",), False)):
        ours, theirs = pty.openpty()
        with open(os.devnull, "wb") as nothing:
            process = shop.start("protect", source, *arguments, stdout=nothing, stderr=theirs)
        os.close(theirs)
        seen = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            seen += piece
        os.close(ours)
        assert process.wait(timeout=60) == 0
        assert (b"records/s" in seen) == shown
        assert seen == b"" or seen.endswith(b"\r\x1b[K")  # taken away at the end


# ---- limits ----

def test_record_over_the_limit(shop):
    data = RECORD + b'{"Address":"' + b"x" * 3_000_000 + b'"}\n' + RECORD
    hidden, err = shop.run("protect", "--max-record-bytes", "1MiB", input=data, exit_code=1)
    assert shop.reveal(hidden) == RECORD * 2
    assert "stdin:2: the record is longer than 1048576 bytes" in err
    assert shop.reveal(shop.protect(data), "--max-record-bytes=16MiB") == data


@pytest.mark.parametrize("threads", ["1", "3"])
def test_memory_does_not_grow_with_the_file(shop, threads):
    data = sample(shop, "-c", "50000")  # 5 MB
    small = peak_kib(shop, "protect", "-j", threads, shop.write("small", data))
    large = peak_kib(shop, "protect", "-j", threads, shop.write("large", data * 10))
    assert large <= small + 3 * 1024
    if threads == "1" and "SANITIZED" not in os.environ:
        assert large <= 32 * 1024


def test_random_bytes_never_crash_it(shop):
    dice = random.Random(7)
    lines = []
    for _ in range(300):
        line = bytearray(RECORD.rstrip(b"\n"))
        for _ in range(dice.randrange(1, 6)):
            line[dice.randrange(len(line))] = dice.choice([c for c in range(256) if c != 10])
        lines.append(bytes(line))
    process = shop.start("protect", stdin=-1, stdout=-1, stderr=-1)
    out, _ = process.communicate(b"\n".join(lines) + b"\n", timeout=60)
    assert process.returncode in (0, 1)
    for line in out.splitlines():
        assert b"1 High St" not in line or b'"Address":"1 High St"' not in line
