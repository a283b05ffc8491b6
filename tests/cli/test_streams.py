"""Addresses of streams, and options of each: files on both sides, and what is said of all others before anything is opened."""
import json
import resource

import pytest

POLICY = """
version: 1
keys: {pii: local:pii}
methods: {secret: {type: encrypt, key: pii}}
topics:
  - match: purchases
    protect: {$.Address: secret}
"""
WITH_HEADERS = POLICY + "    headers: {x-name: secret}\n"


@pytest.fixture
def home_with_key(run, home):
    assert run("key", "create", "pii").returncode == 0
    (home / "p.yaml").write_text(POLICY)
    sample = run("sample", "-c", "5").stdout
    (home / "in.ndjson").write_text(sample)
    return home


def pump(run, *words, code=0, **more):
    done = run("pump", "-p", "p.yaml", *words, **more)
    assert done.returncode == code, done.stderr
    return done


def test_pump_of_files(run, home_with_key):
    home = home_with_key
    done = pump(run, "--from", "file:in.ndjson", "--to", "file:out.ndjson")
    assert "5 records in, 5 out, 5 fields" in done.stderr
    assert "does not keep" not in done.stderr  # lines to lines
    text = (home / "out.ndjson").read_text()
    assert text.count("vault:v1:") == 5
    assert pump(run, "--reveal", "--from", "file:out.ndjson", "--to", "-").stdout == (home / "in.ndjson").read_text()
    # a second run replaces the file: nothing was committed, all was read again
    pump(run, "--from", "file:in.ndjson", "--to", "file:out.ndjson")
    assert len((home / "out.ndjson").read_text().splitlines()) == 5


def test_pump_of_standard_input(run, home_with_key):
    lines = (home_with_key / "in.ndjson").read_bytes()
    assert pump(run, "--from", "-", "--to", "-", input=lines).stdout.count("vault:v1:") == 5


def test_a_stopped_pump_leaves_the_file_alone(run, home_with_key):
    (home_with_key / "out.ndjson").write_text("as it was\n")
    done = pump(run, "--from", "file:in.ndjson", "--to", "file:out.ndjson", "--reveal", code=65)  # in plain: refused
    assert "Address" in done.stderr
    assert (home_with_key / "out.ndjson").read_text() == "as it was\n"


def test_envelopes_keep_all(run, home_with_key):
    home = home_with_key
    (home / "p.yaml").write_text(WITH_HEADERS)
    envelope = {"topic": "t", "partition": 3, "offset": 9, "ts": 5, "headers": ["x-name", "Ada"], "key": "k",
                "payload": '{"Address":"1 High St"}'}
    (home / "in.json").write_text(json.dumps(envelope) + "\n")
    pump(run, "--from", "file:in.json", "--file-envelopes", "--to", "file:out.json")
    got = json.loads((home / "out.json").read_text())
    assert got["headers"][1].startswith("vault:v1:") and "vault:v1:" in got["payload"]
    assert (got["key"], got["partition"], got["offset"], got["ts"]) == ("k", 3, 9, 5)
    back = pump(run, "--reveal", "--from", "file:out.json", "--to", "-", env_more={"SEALSTREAM_FILE_ENVELOPES": "1"})
    assert json.loads(back.stdout) == envelope


def test_other_commands_take_addresses(run, home_with_key):
    home = home_with_key
    done = run("produce", "-p", "p.yaml", "-t", "file:out.ndjson", "in.ndjson")
    assert done.returncode == 0, done.stderr
    assert (home / "out.ndjson").read_text().count("vault:v1:") == 5
    done = run("consume", "-p", "p.yaml", "-t", "file:out.ndjson", "--policy-topic", "purchases")
    assert done.returncode == 0 and done.stdout == (home / "in.ndjson").read_text(), done.stderr
    done = run("verify", "-p", "p.yaml", "-t", "file:out.ndjson")
    assert done.returncode == 0 and "every record that was read meets the policy" in done.stdout, done.stderr
    assert "5 records" in run("scan", "-t", "file:out.ndjson").stdout
    assert "5 values" in run("inspect", "-s", "-t", "file:out.ndjson").stdout
    assert run("key", "rotate", "pii").returncode == 0
    done = run("rewrap", "-p", "p.yaml", "--from", "file:out.ndjson", "--to", "file:new.ndjson")
    assert done.returncode == 0 and "5 values rewrapped" in done.stderr, done.stderr
    assert (home / "new.ndjson").read_text().count("vault:v2:") == 5


@pytest.mark.parametrize("words, says", [
    (["--from", "fil:a", "--to", "-"], "there is no stream fil:; did you mean file:?"),
    (["--from", "a", "--to", "kafak:b"], "there is no stream kafak:; did you mean kafka:?"),
    (["--from", "file:", "--to", "-"], "file: needs what it is the scheme of: file:PATH"),
    (["--from", "file:a", "--to", "file:a"], "--from and --to are the same"),
    (["--from", "kafka:a", "--to", "a"], "--from and --to are the same"),
    (["--from", "file:a", "--to", "-", "--delivery", "exactly-once"], "use --delivery at-least-once"),
    (["--from", "a", "--to", "-", "-b", "127.0.0.1:1", "--delivery", "exactly-once"], "use --delivery at-least-once"),
    (["--from", "file:a", "--to", "-", "--group", "g"], "--group means nothing to file:a and -"),
    (["--from", "file:a", "--to", "-", "--member", "m"], "--member means nothing to file:a and -"),
    (["--from", "file:a", "--to", "-", "-b", "127.0.0.1:1"], "--bootstrap-server means nothing to file:a and -"),
    (["--from", "file:a", "--to", "-", "--keep-partition"], "--keep-partition needs partitions on both sides"),
    (["--from", "a", "--to", "b", "--file-layout", "value"],
     "--file-layout is for streams file:, and there is none of them here"),
    (["--from", "file:a", "--to", "-", "--file-layot", "value"], "did you mean --file-layout?"),
    (["--from", "file:a", "--to", "-", "--file-append"], "there is no option --file-append"),
    (["--from", "file:a", "--to", "-", "--file-layout", "table"], "--file-layout must be one of"),
    (["--from", "file:a", "--to", "b"], "no broker is named"),
])
def test_mistakes(run, home_with_key, words, says):
    assert says in pump(run, *words, code=64).stderr


def test_streams_of_one_name_in_two_regions_are_two(run, home_with_key):
    words = ["--from", "kinesis:purchases", "--to", "kinesis:purchases", "--kinesis-region", "eu-west-1"]
    assert "--from and --to are the same" in pump(run, *words, code=64).stderr
    away = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    done = pump(run, *words, "--to-kinesis-region", "us-east-1", "--to-kinesis-endpoint", "nowhere", env_more=away, code=78)
    assert "\"nowhere\" is no endpoint" in done.stderr


@pytest.mark.parametrize("command, says", [
    (["verify", "-p", "p.yaml", "--file-envelopes", "in.ndjson"], "--file-envelopes is for streams file:"),
    (["consume", "-p", "p.yaml", "-t", "file:in.ndjson", "-o", "end"], "--offset means nothing to file:in.ndjson"),
    (["consume", "-p", "p.yaml", "-t", "file:in.ndjson", "--commit"], "--commit is for queues and subscriptions"),
    (["consume", "-p", "p.yaml", "-t", "orders", "-b", "127.0.0.1:1", "--commit"], "of orders a group's place is committed (-G)"),
    (["produce", "-p", "p.yaml", "-t", "file:x", "--keep-partition", "in.ndjson"], "file:x has no partitions"),
    (["scan", "-t", "qs:x"], "there is no stream qs:"),
    (["doctor", "--stream", "orders"], "--stream is for platforms other than Kafka and files"),
    (["doctor", "--stream", "pubsu:x"], "there is no stream pubsu:; did you mean pubsub:?"),
    (["doctor", "--stream", "pubsub:p/x", "--vault"], "--stream and --vault exclude each other"),
    (["doctor", "--file-envelopes"], "--file-envelopes is for streams file:"),
    (["file", "send", "-t", "file:x", "-k", "local:pii", "in.ndjson"], "files go to streams of records, not to file:x"),
    (["file", "send", "-t", "fil:x", "-k", "local:pii", "in.ndjson"], "there is no stream fil:; did you mean file:?"),
    (["file", "receive", "-t", "file:x", "-k", "local:pii", "--to", "."], "files come from streams of records, not from file:x"),
])
def test_mistakes_of_other_commands(run, home_with_key, command, says):
    done = run(*command)
    assert done.returncode == 64 and says in done.stderr, done.stderr


def test_variables_of_unused_streams_are_no_mistake(run, home_with_key):
    more = {"SEALSTREAM_GROUP": "g", "SEALSTREAM_BOOTSTRAP_SERVER": "127.0.0.1:1"}
    pump(run, "--from", "file:in.ndjson", "--to", "-", env_more=more)


def test_audit_has_addresses(run, home_with_key):
    pump(run, "--from", "file:in.ndjson", "--to", "file:out.ndjson", "--audit", "trail.log")
    policies = [line for line in map(json.loads, (home_with_key / "trail.log").read_text().splitlines())
                if line.get("from")]
    assert policies and all((line["from"], line["to"]) == ("file:in.ndjson", "file:out.ndjson") for line in policies)


def test_brokers_of_the_audit_topic_may_be_named(run, home_with_key):
    done = pump(run, "--from", "file:in.ndjson", "--to", "-", "-b", "127.0.0.1:1", "--audit", "topic:trail",
                "--connect-timeout", "100ms", code=69)
    assert "127.0.0.1:1" in done.stderr


def test_help_of_streams(run):
    text = run("help", "pump").stdout
    assert "\nStreams:\n  kafka:TOPIC " in text and "  file:PATH " in text and "--file-layout" not in text
    text = run("help", "pump", "file").stdout
    assert "--file-layout" in text and "--file-envelopes" in text and "SEALSTREAM_FILE_LAYOUT" in text
    assert "--file-envelopes" not in run("help", "produce", "file").stdout
    assert "sealstream help pump" in run("help", "pump", "kafka").stdout
    done = run("help", "pump", "fiel")
    assert done.returncode == 64 and "did you mean file" in done.stderr
    assert run("help", "version", "file").returncode == 64


def cpu_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_doctor_says_what_is_wrong_with_a_stream(run, home):
    before = cpu_of_children()
    done = run("doctor", "--stream", "pubsub:p/orders", env_more={"PUBSUB_EMULATOR_HOST": "127.0.0.1:1"})
    assert done.returncode == 1 and done.stdout.startswith("fail  pubsub:p/orders") and "127.0.0.1:1" in done.stdout
    assert cpu_of_children() - before < 1.5  # it asks for ten seconds, with pauses
    assert json.loads(run("doctor", "--json", "--stream", "pubsub:p/orders",
                          env_more={"PUBSUB_EMULATOR_HOST": "127.0.0.1:1"}).stdout)["ok"] is False


def test_demo_of_no_platform(run, home):
    done = run("demo", "--platform", "kinesi")
    assert done.returncode == 64 and "did you mean kinesis; it is kafka, kinesis, sqs, sns, pubsub or eventhubs" in done.stderr


def test_demo_shows_no_secret(run, home):
    """Its parts may stand in any order, and nothing of it but the host is shown."""
    done = run("demo", "--platform", "eventhubs",
               env_more={"AZURE_EVENTHUB_CONNECTION_STRING": "SharedAccessKey=VERYSECRET;SharedAccessKeyName=x;Endpoint=shop"})
    assert done.returncode == 78 and "Endpoint=sb://" in done.stderr
    assert "VERYSECRET" not in done.stdout + done.stderr
