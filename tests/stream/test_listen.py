"""--listen: health and metrics of a run, as Prometheus and Kubernetes ask for them."""
import contextlib
import hashlib
import json
import os
import signal
import socket

import pytest

from broker import FAST_GROUP, Broker, Program, purchase, put, wait_until
from listening import Run


@pytest.fixture
def broker():
    it = Broker()
    for topic in ("purchases", "purchases_encrypted"):
        it.tell(f"topic {topic} 2")
    it.tell("topic purchases.dead 1")
    it.tell("topic files 2")
    yield it
    it.stop()


@pytest.fixture
def program(tmp_path, broker):
    it = Program(tmp_path, broker)
    it.env["SEALSTREAM_DELIVERY"] = "at-least-once"  # the embedded broker keeps no transactional offsets
    return it


@pytest.fixture
def start(program):
    runs = []

    def begin(*args, **kwargs):
        runs.append(Run(program, *args, **kwargs))
        return runs[-1]

    yield begin
    for run in runs:
        run.process.kill()
        run.process.wait(timeout=60)


def policy_info(program):
    """The sample that names the policy as it is in its file now."""
    return f'sealstream_policy_info{{sha256="{hashlib.sha256((program.directory / "policy.yaml").read_bytes()).hexdigest()}"}}'


def test_numbers_of_a_pump(program, start):
    program.policy(on_error="on_error: drop")
    lines = [purchase(n) for n in range(20)]
    program.produce_plain("purchases", lines + ["not json"])
    run = start(*program.pump_args("--listen", "127.0.0.1:0"))
    records = 'sealstream_records_total{topic="purchases",outcome="%s"}'
    wait_until(lambda: run.metrics().get(records % "protected") == 20 and run.metrics()[records % "dropped"] == 1)
    found = run.metrics()
    assert found[records % "rejected"] == found[records % "dead_lettered"] == 0
    assert found['sealstream_bytes_total{topic="purchases",direction="in"}'] == sum(map(len, lines)) + len("not json")
    for method, kind in (("secret", "encrypt"), ("card", "fpe")):
        label = f'method="{method}",type="{kind}"'
        assert found[f'sealstream_fields_total{{{label},outcome="protected"}}'] == 20
        assert found[f'sealstream_fields_total{{{label},outcome="failed"}}'] == 0
        assert found[f'sealstream_plaintext_passed_total{{{label}}}'] == 0
        assert found[f'sealstream_transform_duration_seconds_count{{{label}}}'] >= 1
        assert found[f'sealstream_transform_duration_seconds_sum{{{label}}}'] > 0
    assert found["sealstream_ready"] == 1
    assert found["sealstream_waiting"] == 0
    assert any(name.startswith('sealstream_build_info{version="') for name in found)
    assert found[policy_info(program)] == 1
    assert found["process_open_fds"] > 3
    assert run.stop() == 143


def test_inline_methods_of_one_path_are_one_series(program, start):
    """Two topics may have methods at the same path; a series that stands twice would spoil the page."""
    inline = "{match: %s, protect: {$.Address: {type: encrypt, key: pii}}}"
    (program.directory / "policy.yaml").write_text(
        "version: 1\nkeys: {pii: local:pii}\ntopics:\n- %s\n- %s\n" % (inline % "other", inline % "purchases"),
        encoding="utf-8")
    program.produce_plain("purchases", [purchase(n) for n in range(5)])
    run = start(*program.pump_args("--listen", "127.0.0.1:0"))
    fields = 'sealstream_fields_total{method="$.Address",type="encrypt",outcome="protected"}'

    def count():
        lines = run.ask("/metrics")[1].splitlines()
        names = [line.rsplit(" ", 1)[0] for line in lines if not line.startswith("#")]
        assert len(names) == len(set(names)), lines
        return run.metrics().get(fields)

    wait_until(lambda: count() == 5)
    run.process.send_signal(signal.SIGHUP)
    wait_until(lambda: run.metrics()['sealstream_policy_reloads_total{outcome="success"}'] == 1)
    assert count() == 5


def test_plaintext_that_passes_is_seen(program, start):
    program.policy(on_error="on_plaintext: pass")
    program.produce_plain("purchases_encrypted", [purchase(1), purchase(2)])
    run = start("consume", "-b", program.broker.address, "-t", "purchases_encrypted", "-p", "policy.yaml",
                "--policy-topic", "purchases", "--listen", "[::1]:0")
    passed = 'sealstream_plaintext_passed_total{method="secret",type="encrypt"}'
    wait_until(lambda: run.metrics().get(passed) == 2)
    revealed = 'sealstream_records_total{topic="purchases_encrypted",outcome="revealed"}'
    wait_until(lambda: run.metrics()[revealed] == 2)


def test_keys_and_caches(program, start):
    """A key that was rotated, and one data key for all records."""
    program.run("key", "rotate", "pii")
    text = (program.directory / "policy.yaml").read_text(encoding="utf-8")
    (program.directory / "policy.yaml").write_text(text.replace("type: encrypt", "type: envelope"), encoding="utf-8")
    program.produce_plain("purchases", [purchase(n) for n in range(5)])
    run = start(*program.pump_args("--listen", "127.0.0.1:0"))
    protected = 'sealstream_records_total{topic="purchases",outcome="protected"}'
    wait_until(lambda: run.metrics().get(protected) == 5)
    found = run.metrics()
    assert found["sealstream_data_key_made_timestamp_seconds"] > 1.6e9
    assert found['sealstream_key_version{key="pii"}'] == 2
    assert found['sealstream_key_version{key="cards"}'] == 1
    assert 0 <= found['sealstream_key_age_seconds{key="pii"}'] < 600
    assert 2**32 - 2**20 <= found['sealstream_key_uses_remaining{key="pii"}'] < 2**32  # wrapping is a use
    assert 'sealstream_key_uses_remaining{key="cards"}' not in found  # fpe has no nonces that could repeat
    assert found['sealstream_data_key_cache_requests_total{outcome="miss"}'] == 1
    hits = 'sealstream_data_key_cache_requests_total{outcome="hit"}'
    before = found[hits]
    program.produce_plain("purchases", [purchase(6)])
    wait_until(lambda: run.metrics()[hits] == before + 1)
    assert run.metrics()['sealstream_data_key_cache_requests_total{outcome="miss"}'] == 1


def test_numbers_go_on_after_a_reload(program, start):
    program.produce_plain("purchases", [purchase(n) for n in range(5)])
    run = start(*program.pump_args("--listen", "127.0.0.1:0"))
    fields = 'sealstream_fields_total{method="%s",type="%s",outcome="protected"}'
    wait_until(lambda: run.metrics().get(fields % ("secret", "encrypt")) == 5)
    text = (program.directory / "policy.yaml").read_text(encoding="utf-8")
    (program.directory / "policy.yaml").write_text(text.replace("  card: {", "  pan: {").replace(": card\n", ": pan\n"),
                                                   encoding="utf-8")
    run.process.send_signal(signal.SIGHUP)
    reloads = 'sealstream_policy_reloads_total{outcome="%s"}'
    wait_until(lambda: run.metrics()[reloads % "success"] == 1)
    program.produce_plain("purchases", [purchase(6)])
    wait_until(lambda: run.metrics()[fields % ("secret", "encrypt")] == 6 and run.metrics().get(fields % ("pan", "fpe")) == 1)
    found = run.metrics()
    assert [name for name in found if name.startswith("sealstream_policy_info")] == [policy_info(program)]
    assert found[fields % ("card", "fpe")] == 5
    assert found[fields % ("pan", "fpe")] == 1
    (program.directory / "policy.yaml").write_text("version: 9", encoding="utf-8")
    run.process.send_signal(signal.SIGHUP)
    wait_until(lambda: run.metrics()[reloads % "failure"] == 1)
    assert run.ask("/readyz")[0] == 200


def test_health(program, start):
    run = start(*program.pump_args("--listen", "127.0.0.1:0"))
    wait_until(lambda: run.ask("/readyz") == (200, "ok\n"))
    assert run.ask("/livez") == run.ask("/startupz") == (200, "ok\n")
    assert run.ask("/readyz?verbose") == (200, "[+]started ok\n[+]moving ok\n[+]not draining ok\n[+]services ok\n[+]keys ok\nok\n")
    assert run.ask("/livez", "HEAD") == (200, "")
    assert run.ask("/nothing")[0] == 404
    assert run.ask("/metrics/")[0] == 404
    assert run.ask("/metrics", "POST")[0] == 405
    assert run.stop() == 143


@pytest.mark.parametrize("address, host, code", [
    ("127.0.0.1:0", "rebound.example:9464", 403),  # a page of a browser that gave its name this address
    ("127.0.0.1:0", "localhost:9464", 200),
    ("127.0.0.1:0", "10.1.2.3:9464", 200),
    ("127.0.0.1:0", None, 200),
    ("[::1]:0", "rebound.example", 403),
    ("0.0.0.0:0", "pump.shop.svc:9464", 200),
])
def test_hosts_that_are_answered(program, start, address, host, code):
    run = start(*program.pump_args("--listen", address))
    with socket.create_connection((run.address.rsplit(":", 1)[0].strip("[]").replace("0.0.0.0", "127.0.0.1"),
                                   int(run.address.rsplit(":", 1)[1])), timeout=60) as client:
        version = "1.0" if host is None else "1.1"
        client.sendall(f"GET /metrics HTTP/{version}\r\n{f'Host: {host}' if host else 'X: y'}\r\nConnection: close\r\n\r\n".encode())
        answer = client.makefile("rb").read()
    assert answer.startswith(f"HTTP/1.1 {code} ".encode()), answer
    assert (b"sealstream_ready" in answer) == (code == 200)


def test_before_its_streams_are_open_a_run_lives_but_is_not_ready(program, start):
    """A broker that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        run = start("pump", "-b", f"127.0.0.1:{silent.getsockname()[1]}", "--from", "a", "--to", "b", "-p",
                    "policy.yaml", "--policy-topic", "purchases", "--connect-timeout", "60s",
                    "--listen", "127.0.0.1:0")
        assert run.ask("/livez") == (200, "ok\n")
        status, text = run.ask("/readyz")
        assert status == 503
        assert "[-]started failed: policy, keys and streams are not yet open" in text
        assert run.ask("/startupz")[0] == 503
        assert run.metrics()["sealstream_ready"] == 0


def test_while_the_brokers_are_away_a_run_is_not_ready(program, start):
    run = start(*program.pump_args("--listen", "127.0.0.1:0"))
    wait_until(lambda: run.ask("/readyz")[0] == 200)
    program.broker.tell("down")
    wait_until(lambda: run.ask("/readyz")[0] == 503)
    assert "[-]services failed: no broker answers" in run.ask("/readyz")[1]
    assert run.ask("/livez")[0] == 200
    program.broker.tell("up")
    wait_until(lambda: run.ask("/readyz")[0] == 200)


# ---- files ----

def file_args(program, command, *more):
    """Of a run that goes on until it is stopped."""
    folder = program.directory / {"send": "out", "receive": "in"}[command]
    folder.mkdir(exist_ok=True)
    where = ["--from", "out", "--settle", "300ms"] if command == "send" else ["--to", "in", *FAST_GROUP]
    return ["file", command, "-b", program.broker.address, "-t", "files", "--key", "local:pii", *where, *more]


def test_numbers_of_files(program, start):
    """Sent, with a record in between that is none of theirs, and received, but for one that is too large."""
    run = start(*file_args(program, "send", "--chunk-size", "4KiB", "--listen", "127.0.0.1:0"))
    wait_until(lambda: run.ask("/readyz")[0] == 200)
    assert run.metrics()['sealstream_files_total{topic="files",outcome="sent"}'] == 0
    for name, size in (("a", 10000), ("b", 4096), ("large", 30000)):
        put(program.directory / "out" / name, os.urandom(size))
    wait_until(lambda: run.metrics().get('sealstream_files_total{topic="files",outcome="sent"}', 0) == 3)
    found = run.metrics()
    assert found['sealstream_files_total{topic="files",outcome="failed"}'] == 0
    assert found['sealstream_file_bytes_total{topic="files"}'] == 44096
    assert found['sealstream_file_chunks_total{topic="files"}'] == 3 + 1 + 8
    assert found['sealstream_files_under_way{topic="files"}'] == 0
    assert found['sealstream_key_version{key="local:pii"}'] == 1
    assert found['sealstream_key_uses_remaining{key="local:pii"}'] == 2**32 - 3  # a data key for each
    assert any('command="send"' in name for name in found)
    assert not any(name.startswith("sealstream_records_total") for name in found)
    assert run.stop() == 143
    program.produce_plain("files", ["no part of a file"])
    run = start(*file_args(program, "receive", "--max-file-bytes", "20000", "--listen", "127.0.0.1:0"))
    wait_until(lambda: run.metrics().get('sealstream_files_total{topic="files",outcome="received"}', 0) == 2)
    wait_until(lambda: run.metrics().get('sealstream_files_total{topic="files",outcome="failed"}', 0) == 1)
    wait_until(lambda: run.metrics().get('sealstream_file_foreign_records_total{topic="files"}', 0) >= 1)
    found = run.metrics()
    assert found['sealstream_file_bytes_total{topic="files"}'] >= 14096
    assert found['sealstream_file_chunks_total{topic="files"}'] >= 3 + 1
    assert found['sealstream_key_version{key="local:pii"}'] == 1
    wait_until(lambda: sum(name.startswith("sealstream_consumer_lag_records{") for name in run.metrics()) == 2)
    assert run.ask("/readyz")[0] == run.ask("/livez")[0] == run.ask("/startupz")[0] == 200
    assert run.stop() == 143


def test_a_transfer_is_not_ready_before_it_has_begun(program, start):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        program.broker.address = f"127.0.0.1:{silent.getsockname()[1]}"
        run = start(*file_args(program, "receive", "--connect-timeout", "60s", "--listen", "127.0.0.1:0"))
        assert run.ask("/livez") == (200, "ok\n")
        status, text = run.ask("/readyz")
        assert status == 503
        assert "[-]started failed: key and stream are not yet open" in text


@pytest.mark.parametrize("command, says", [("receive", "no broker answers"), ("send", "waiting for ")])
def test_while_the_brokers_are_away_a_transfer_is_not_ready(program, start, command, says):
    run = start(*file_args(program, command, "--listen", "127.0.0.1:0"))
    wait_until(lambda: run.ask("/readyz")[0] == 200)
    program.broker.tell("down")
    (program.directory / "out").mkdir(exist_ok=True)
    put(program.directory / "out" / "a", b"x" * 100)
    wait_until(lambda: run.ask("/readyz")[0] == 503)
    assert f"[-]services failed: {says}" in run.ask("/readyz")[1]
    assert run.ask("/livez")[0] == 200
    program.broker.tell("up")
    wait_until(lambda: run.ask("/readyz")[0] == 200)


def test_lag(program, start):
    """Of each partition, also of one that has nothing."""
    lag = 'sealstream_consumer_lag_records{topic="purchases",partition="%d"}'
    program.produce_plain("purchases", [json.dumps({"partition": 1, "payload": purchase(n)}) for n in range(3)], "-J",
                          "--keep-partition")
    run = start(*program.pump_args("--listen", "127.0.0.1:0"))
    wait_until(lambda: [run.metrics().get(lag % n) for n in (0, 1)] == [0, 0])
    assert run.stop() == 143


@pytest.mark.parametrize("address, says", [
    ("9464", "HOST:PORT"),
    (":9464", "HOST:PORT"),
    ("127.0.0.1:65536", "HOST:PORT"),
    ("127.0.0.1:http", "HOST:PORT"),
    ("::1:9464", "HOST:PORT"),
    ("no such host:1", "cannot listen"),
])
def test_what_is_no_address(program, address, says):
    done = program.pump("--listen", address, code=64)
    assert says in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_port_that_is_taken(program):
    with socket.create_server(("127.0.0.1", 0)) as other:
        at = f"127.0.0.1:{other.getsockname()[1]}"
        done = program.pump("--listen", at, code=73)
        assert f"cannot listen at {at}; choose another address or port: Address already in use" in done.stderr


def test_rude_clients_hurt_nobody(program, start):
    """Half requests, garbage, and more connections than are served."""
    run = start(*program.pump_args("--listen", "127.0.0.1:0"))
    host, port = run.address.rsplit(":", 1)
    rude = []
    for n in range(20):
        rude.append(socket.create_connection((host, int(port)), timeout=60, source_address=("127.0.0.2", 0)))
        rude[-1].sendall([b"GET /me", b"\0" * 100, b"GET /" + b"a" * 20000, b"POST /metrics HTTP/1.1\r\nContent-Length: "
                          b"99999999\r\n\r\nx"][n % 4])
    assert run.ask("/livez")[0] == 200
    for connection in rude:
        connection.close()
    assert run.ask("/metrics")[0] == 200
    assert run.process.poll() is None


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["127.0.0.2", "127.0.0.3", "127.0.0.4"]])
def test_slow_clients_keep_nobody_out(program, start, addresses):
    """More connections than are served, none of them idle, from the prober's address or from others."""
    run = start(*program.pump_args("--listen", "127.0.0.1:0"))
    host, port = run.address.rsplit(":", 1)
    slow = []
    for n in range(60):
        slow.append(socket.create_connection((host, int(port)), timeout=60, source_address=(addresses[n % len(addresses)], 0)))
        slow[-1].sendall(b"GET /livez HTTP/1.1\r\n")
    for _ in range(3):
        assert run.ask("/livez")[0] == 200
    with contextlib.suppress(ConnectionResetError):
        assert slow[0].recv(1) == b""  # the oldest went
    slow[-1].sendall(b"\r\n")
    assert slow[-1].recv(12) == b"HTTP/1.1 200"  # the latest is served
    for connection in slow:
        connection.close()
    assert run.ask("/metrics")[0] == 200


def test_failed_records_do_not_flood_the_log(program):
    """Of 300 that fail at once about a hundred are told, each with its place as JSON fields; the rest as a number."""
    program.policy(on_error="on_error: drop")
    program.produce_plain("purchases", ["not json"] * 300)
    args = program.pump_args("-e", "--log-format", "json")
    lines = [json.loads(line) for line in program.run(*args, code=1).stderr.splitlines()]
    told = [line for line in lines if line["code"] == "SYNTAX" or "offset" in line]
    assert 100 <= len(told) < 300
    assert {line["topic"] for line in told} == {"purchases"}
    assert all(line["place"].startswith(f"purchases/{line['partition']}/{line['offset']}") for line in told)
    assert sum(line.get("left_out", 0) for line in lines) == 300 - len(told)
    assert [line["failed"] for line in lines if "records_in" in line] == [300]
    program.produce_plain("purchases", ["not json"] * 150)
    everything = program.run(*program.pump_args("-e", "--log-format", "json", "--log-level", "debug"), code=1).stderr
    assert sum("offset" in json.loads(line) for line in everything.splitlines()) == 150
