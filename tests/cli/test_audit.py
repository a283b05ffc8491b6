"""--audit: who used which key for what is in the trail, nothing else is; what is done to a trail is found."""
import concurrent.futures
import contextlib
import hashlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest

from audit_trail import parse, read

CANARY = "Kanarienvogel-4711"
RECORDS = [{"Name": CANARY, "Address": f"{CANARY} {i}", "credit_card": "4111-1111-1111-1111", "n": i} for i in range(20)]


def lines(records=RECORDS):
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def trail(shop):
    return read(shop.folder / "audit.log")


def uses(events):
    return {event["method"]: event for event in events if event["event"] == "use"}


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def verify(shop, *arguments, exit_code=0, input=None):
    out, err = shop.run("audit", "verify", *arguments, exit_code=exit_code, input=input)
    return out.decode(), err


def reseal(text):
    """What somebody does who knows the format: the hash of the one line is right again."""
    head = text.rpartition(b',"hash":"')[0]
    return head + b',"hash":"' + hashlib.sha256(head).hexdigest().encode() + b'"}'


def test_runs_are_told(shop):
    policy = hashlib.sha256((shop.folder / "policy.yaml").read_bytes()).hexdigest()
    data = shop.protect(lines(), "--audit", "audit.log")
    shop.write("in.ndjson", data)
    out, err = shop.run("reveal", "in.ndjson", "-o", "out.ndjson", "--audit", "file:audit.log")
    assert (shop.folder / "out.ndjson").read_bytes() == lines()
    events = trail(shop)
    assert [event["event"] for event in events] == ["start", "policy", "use", "use", "stop"] * 2
    first, second = events[:5], events[5:]
    assert len({event["run"] for event in first}) == 1 and first[0]["run"] != second[0]["run"]
    start = first[0]
    assert (start["command"], start["uid"], start["host"]) == ("protect", os.geteuid(), socket.gethostname())
    assert start["version"] in shop.run("version")[0].decode() and start["pid"] > 1 and start["user"]
    assert (first[1]["policy"], first[1]["file"]) == (policy, shop.environment["SEALSTREAM_POLICY"])
    secret, card = uses(first)["secret"], uses(first)["card"]
    assert (secret["type"], secret["key"], secret["policy"]) == ("encrypt", "local:pii", policy)
    assert (secret["protected"], secret["revealed"], secret["failed"]) == (40, 0, 0)
    assert (card["type"], card["key"], card["protected"]) == ("fpe", "local:cards", 20)
    assert (uses(second)["secret"]["revealed"], uses(second)["secret"]["from"], uses(second)["secret"]["to"]) == \
        (40, "in.ndjson", "out.ndjson")
    assert [event["exit"] for event in events if event["event"] == "stop"] == [0, 0]
    assert f"line 10, hash {events[-1]['hash']}" in err
    out, err = verify(shop, "audit.log", "--expect", events[3]["hash"], "--expect", events[-1]["hash"].upper())
    assert "10 lines, 1 chain, 2 runs\n" in out and events[-1]["hash"] in out


def test_no_value_and_no_secret_is_told(shop):
    shop.protect(lines(), "--audit", "audit.log")
    bad = lines([{"Name": CANARY, "Address": CANARY, "credit_card": f"{CANARY}"}])
    shop.run("protect", "--audit", "audit.log", input=bad, exit_code=1)
    text = (shop.folder / "audit.log").read_text()
    assert "4111-1111" not in text and "Kanarien" not in text
    assert uses(trail(shop)[5:])["card"]["failed"] == 1


def test_failed_runs_are_told(shop):
    shop.run("reveal", "--audit", "audit.log", input=lines(), exit_code=1)
    shop.run("protect", "-p", "nowhere.yaml", "--audit", "audit.log", input=b"", exit_code=66)
    shop.policy((shop.folder / "policy.yaml").read_text().replace("local:pii", "local:other"))
    shop.run("protect", "--audit", "audit.log", input=b"", exit_code=78)
    events = trail(shop)
    stops = [(event["exit"], event.get("error")) for event in events if event["event"] == "stop"]
    assert stops == [(1, None), (66, "no_input"), (78, "key_unknown")]
    assert [event["event"] for event in events[-3:]] == ["start", "policy", "stop"]
    assert uses(events)["secret"]["failed"] > 0


def test_key_and_file_commands_are_told(shop):
    environment = {"SEALSTREAM_AUDIT": "audit.log"}
    shop.write("plain.txt", b"x" * 1000)
    shop.run("key", "rotate", "pii", environment=environment)
    shop.run("file", "protect", "--key", "local:pii", "plain.txt", environment=environment)
    shop.run("file", "reveal", "--key", "local:pii", "plain.txt.seal", "-o", "again.txt", environment=environment)
    shop.run("file", "reveal", "--key", "local:pii", "plain.txt", "-o", "-", environment=environment, exit_code=65)
    shop.run("version", environment=environment)
    events = trail(shop)
    assert [event["command"] for event in events if event["event"] == "start"] == \
        ["key rotate", "file protect", "file reveal", "file reveal"]
    assert [event["key"] for event in events if event["event"] == "key"] == ["local:pii"] * 4
    told = [(event["type"], event["begun"], event["done"], event["bytes"]) for event in events
            if event["event"] == "use"]
    size = (shop.folder / "plain.txt.seal").stat().st_size
    assert told == [("file protect", 1, 1, size), ("file reveal", 1, 1, 1000), ("file reveal", 1, 0, 0)]


def test_what_is_changed_is_found(shop):
    for _ in range(3):
        shop.protect(lines(), "--audit", "audit.log", "-q")
    good = (shop.folder / "audit.log").read_bytes().splitlines()
    assert len(good) == 15

    def fault(changed, *arguments, place):
        out, err = verify(shop, *arguments, input=b"".join(line + b"\n" for line in changed), exit_code=65)
        assert "is not whole: 1 fault" in err, (out, err)
        assert out.startswith(place), out
        return out

    assert "was changed" in fault(good[:3] + [good[3].replace(b'"protected":20', b'"protected":19')] + good[4:],
                                  place="stdin:4: ")
    assert "one of the two was replaced" in fault(
        good[:3] + [reseal(good[3].replace(b'"protected":20', b'"protected":19'))] + good[4:], place="stdin:5: ")
    assert "1 line is missing" in fault(good[:6] + good[7:], place="stdin:7: ")
    assert "5 lines are missing" in fault(good[:5] + good[10:], place="stdin:6: ")
    assert "begins with its line 3" in fault(good[2:], place="stdin:1: ")
    assert "moved or repeated" in fault(good[:9] + [good[8]] + good[9:], place="stdin:10: ")
    assert "no line of an audit trail" in fault(good[:9] + [b"hello"] + good[9:], place="stdin:10: ")
    assert "no line of an audit trail" in fault(good + [good[0][:200]], place="stdin:16: ")
    assert "newer" in fault(good + [good[14].replace(b'"v":1', b'"v":2')], place="stdin:16: ")
    out, _ = verify(shop, input=b"\n".join(good[:5] + [good[6], good[5]] + good[7:]) + b"\n", exit_code=65)
    assert "stdin:6: " in out and "stdin:7: " in out
    # what was taken from the end shows against a hash that was noted
    last = json.loads(good[14])["hash"]
    verify(shop, input=b"\n".join(good[:10]) + b"\n")
    assert last[:16] in fault(good[:10], "--expect", last, place="stdin: ")
    verify(shop, "--after", json.loads(good[4])["hash"], input=b"\n".join(good[5:]) + b"\n")
    fault(good[5:], "--after", last, place="stdin:1: ")
    shop.run("audit", "verify", "--expect", "123", input=b"", exit_code=64)
    told = json.loads(verify(shop, "--json", input=b"\n".join(good[:6] + good[7:]) + b"\n", exit_code=65)[0])
    assert (told["schema"], told["intact"], told["lines"], told["faulty"]) == ("sealstream.audit.verify/1", False, 14, 1)
    assert told["faults"][0]["place"] == "stdin:7" and told["chains"][0]["hash"] == last
    assert (told["runs"], told["unfinished"]) == (3, 0)


def test_what_a_forged_line_says_steers_no_terminal(shop):
    shop.protect(lines(RECORDS[:1]), "--audit", "audit.log", "-q")
    good = (shop.folder / "audit.log").read_bytes().splitlines()
    time = json.loads(good[0])["time"].encode()
    out, _ = verify(shop, input=reseal(good[0].replace(time, "\u009b31m".encode())) + b"\n")
    assert "\u009b" not in out and "??31m" in out


def test_every_byte_counts(shop):
    shop.protect(lines(RECORDS[:1]), "--audit", "audit.log", "-q")
    good = (shop.folder / "audit.log").read_bytes()
    line = good.splitlines()[2]
    at = good.index(line)
    for i in range(0, len(line), 7):
        changed = good[:at + i] + bytes([good[at + i] ^ 1]) + good[at + i + 1:]
        verify(shop, input=changed, exit_code=65)


def test_a_program_with_nothing_to_write_follows_a_trail(shop):
    """It is renamed twice before one of two writers has another line: that would go on where the other has been meanwhile."""
    path = shop.folder / "audit.log"

    def has_open(process, file):
        found = []
        for fd in pathlib.Path(f"/proc/{process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                found.append(fd.stat().st_ino)
        return file.stat().st_ino in found

    def start():
        return shop.start("protect", "--audit", "audit.log", "--audit-interval", "1s", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)

    idle, busy = start(), start()
    wait_for(lambda: [event["event"] for event in trail(shop)].count("policy") == 2)
    path.rename(shop.folder / "1.log")
    busy.stdin.write(lines(RECORDS[:1]))
    busy.stdin.flush()
    wait_for(lambda: path.exists() and path.stat().st_size > 0 and has_open(idle, path))
    path.rename(shop.folder / "2.log")
    for process in (idle, busy):
        process.communicate(lines(RECORDS[:1]), timeout=60)
        assert process.returncode == 0
    out, _ = verify(shop, input=b"".join((shop.folder / name).read_bytes() for name in ("1.log", "2.log", "audit.log")))
    assert "1 chain, 2 runs\n" in out


def test_a_trail_goes_on_after_a_crash(shop):
    """A line that was cut by the crash goes; a run that was killed has no stop."""
    shop.protect(lines(), "--audit", "audit.log", "-q")
    running = shop.start("protect", "--audit", "audit.log", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    wait_for(lambda: len(trail(shop)) == 7)
    running.kill()
    running.wait()
    running.stdin.close()
    path = shop.folder / "audit.log"
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines()[0][:100])
    shop.protect(lines(), "--audit", "audit.log", "-q")
    events = trail(shop)
    assert events[7]["event"] == "start" and events[7]["cut"] == 100
    assert sum("cut" in event for event in events) == 1
    out, _ = verify(shop, "audit.log")
    assert "3 runs (1 without a stop: under way, or killed)" in out


@pytest.mark.parametrize("content", [b"hello", b"hello\n", b"{}\n", b'{"v":1,"chain":"0"}\n'])
def test_other_files_are_left_alone(shop, content):
    path = shop.write("notes.txt", content)
    out, err = shop.run("protect", "--audit", "notes.txt", input=lines(), exit_code=65)
    assert out == b"" and "notes.txt" in err and path.read_bytes() == content


def test_a_damaged_end_is_not_gone_on_with(shop):
    shop.protect(lines(), "--audit", "audit.log", "-q")
    path = shop.folder / "audit.log"
    text = path.read_bytes().replace(b'"exit":0', b'"exit":1')
    path.write_bytes(text)
    out, err = shop.run("protect", "--audit", "audit.log", input=lines(), exit_code=65)
    assert out == b"" and "audit verify" in err and path.read_bytes() == text


@pytest.mark.parametrize("target,code", [(".", 74), ("missing/audit.log", 74), ("/dev/null", 78), ("", 64),
                                         ("topic:", 64), ("topic:audit", 64), ("syslog:" + "x" * 200, 64)])
def test_without_a_trail_nothing_is_done(shop, target, code):
    out, err = shop.run("protect", "--audit", target, input=lines(), exit_code=code)
    assert out == b"" and "audit" in err and len(err.strip().splitlines()) == 1


def test_links_are_not_followed(shop):
    (shop.folder / "real.log").write_bytes(b"")
    (shop.folder / "audit.log").symlink_to("real.log")
    assert shop.run("protect", "--audit", "audit.log", input=lines(), exit_code=74)[0] == b""


def test_a_new_trail_is_private(shop):
    old = os.umask(0)
    try:
        shop.protect(lines(), "--audit", "audit.log", "-q")
    finally:
        os.umask(old)
    assert (shop.folder / "audit.log").stat().st_mode & 0o777 == 0o600


def test_uses_are_told_while_it_runs(shop):
    running = shop.start("protect", "--audit", "audit.log", "--audit-interval", "20ms", stdin=subprocess.PIPE,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for round_ in range(3):
        running.stdin.write(lines())
        running.stdin.flush()
        wait_for(lambda: sum(event.get("protected", 0) for event in trail(shop) if event.get("method") == "secret")
                 == 40 * (round_ + 1))
    running.stdin.close()
    assert running.wait(60) == 0
    assert trail(shop)[-1]["event"] == "stop"


def test_a_trail_that_cannot_be_written_stops_the_run(shop):
    """It does not go on until somebody notices, even when its input has nothing to say."""
    running = shop.start("protect", "--audit", "audit.log", "--audit-interval", "20ms", stdin=subprocess.PIPE,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    running.stdin.write(lines())
    running.stdin.flush()
    path = shop.folder / "audit.log"
    wait_for(lambda: len(uses(trail(shop))) == 2)
    path.write_bytes(path.read_bytes()[:-10])
    with contextlib.suppress(BrokenPipeError):  # it may have ended by now
        running.stdin.write(lines())
        running.stdin.flush()
    assert running.wait(60) == 65
    with contextlib.suppress(BrokenPipeError):
        running.stdin.close()
    assert "has become shorter" in running.stderr.read().decode()
    running.stderr.close()


def test_many_programs_share_a_trail(shop):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: shop.protect(lines(), "--audit", "audit.log", "-q"), range(16)))
    events = trail(shop)
    assert len(events) == 16 * 5 and len({event["run"] for event in events}) == 16


def test_a_rotated_trail_goes_on_in_the_new_file(shop):
    running = shop.start("protect", "--audit", "audit.log", "--audit-interval", "20ms", stdin=subprocess.PIPE,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    path, old = shop.folder / "audit.log", shop.folder / "audit.log.1"
    wait_for(lambda: len(trail(shop)) == 2)
    path.rename(old)
    running.stdin.write(lines())
    running.stdin.close()
    assert running.wait(60) == 0
    before = parse(old.read_bytes())
    after = parse(path.read_bytes(), before[-1]["seq"], before[-1]["hash"])
    assert after[-1]["event"] == "stop" and after[0]["chain"] == before[0]["chain"]
    verify(shop, "audit.log", exit_code=65)
    verify(shop, "audit.log", "--after", before[-1]["hash"])
    verify(shop, input=old.read_bytes() + path.read_bytes())
    path.unlink()
    shop.protect(lines(), "--audit", "audit.log")  # a new chain, as if there had been none
    verify(shop, "audit.log")
    assert "goes on from" in verify(shop, "audit.log", "--after", before[-1]["hash"], exit_code=65)[0]


def test_syslog(shop):
    path = str(shop.folder / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(path)
        log.settimeout(60)
        running = shop.start("protect", "--audit", f"syslog:{path}", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        running.stdin.write(lines())
        running.stdin.close()
        messages = [log.recv(1 << 17) for _ in range(5)]
        assert running.wait(60) == 0
    text = b""
    for message in messages:
        head, _, line = message.partition(b": ")
        assert re.fullmatch(rb"<85>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d sealstream-audit\[%d\]" % running.pid, head)
        text += line + b"\n"
    assert [event["event"] for event in parse(text)] == ["start", "policy", "use", "use", "stop"]
    verify(shop, input=text)


def test_a_stopped_run_says_so(shop):
    running = shop.start("protect", "--audit", "audit.log", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    wait_for(lambda: len(trail(shop)) == 2)
    running.send_signal(signal.SIGTERM)
    assert running.wait(60) == 143
    running.stdin.close()
    assert trail(shop)[-1]["exit"] == 143


def test_an_empty_trail_proves_nothing(shop):
    out, err = verify(shop, input=b"")
    assert "nothing is proven" in err
