"""scan of topics: samples from the start and the end, keys and headers, nobody's reading disturbed."""
import json
import signal

import pytest

from broker import Broker, Program, stop, wait_until_read

TOPIC = "people"
POLICY = """version: 1
keys: {pii: "local:pii"}
topics:
  - match: people
    protect: {$.mail: {type: encrypt, key: pii}}
    allow: [key]
    headers: {x-who: {type: encrypt, key: pii}}
"""


@pytest.fixture
def broker():
    it = Broker()
    it.tell(f"topic {TOPIC} 3")
    it.tell("topic empty 1")
    yield it
    it.stop()


@pytest.fixture
def program(tmp_path, broker):
    return Program(tmp_path, broker)


def fill(program, n, mails_from=0, partitions=3):
    lines = [json.dumps({"partition": i % partitions, "key": f"k{i}@example.com", "headers": ["x-who", f"h{i}@example.com"],
                         "payload": json.dumps({"n": i, **({"mail": f"u{i}@example.com"} if i >= mails_from else {})})})
             for i in range(n)]
    program.kafka("produce", "-t", TOPIC, "--plain", "-J", "--keep-partition", stdin="\n".join(lines) + "\n")


def scan(program, *words, topic=TOPIC, code=0):
    report = json.loads(program.kafka("scan", "--json", "-t", topic, *words, code=code).stdout)
    return report, {path["path"]: path for path in report["paths"]}


def test_a_topic(program):
    fill(program, 300)
    report, paths = scan(program)
    assert report["records"] == 300 and report["source"] == TOPIC and report["stopped_by_count"] is False
    assert {path for path in paths if paths[path]["find"]} == {"$.mail", "key", "header:x-who"}
    assert paths["key"]["values"] == paths["header:x-who"]["values"] == paths["$.mail"]["values"] == 300
    assert scan(program, "-j", "4")[0] | {"paths": 0} == report | {"paths": 0}
    assert scan(program, topic="empty")[0]["records"] == 0


def test_samples(program):
    """-c stops, -o says where to start, --partition which one."""
    fill(program, 300, mails_from=270)
    assert scan(program, "-c", "50")[0]["records"] == 50
    assert "$.mail" not in scan(program, "-c", "50")[1]
    last, paths = scan(program, "-o", "-10")
    assert last["records"] == 30 and paths["$.mail"]["values"] == 30
    assert scan(program, "-o", "-10", "-c", "7")[0]["records"] == 7
    assert scan(program, "--partition", "1")[0]["records"] == 100
    assert scan(program, "--partition", "1", "-o", "90")[0]["records"] == 10


def test_the_policy_of_the_topic(program):
    fill(program, 30)
    (program.directory / "policy.yaml").write_text(POLICY)
    report, paths = scan(program, "-p", "policy.yaml")
    assert {path: paths[path]["policy"] for path in paths} == {
        "$.n": "unclassified", "$.mail": "protected", "key": "allowed", "header:x-who": "protected"}
    (program.directory / "policy.yaml").write_text(POLICY.replace("    allow: [key]\n", ""))
    report, paths = scan(program, "-p", "policy.yaml", code=1)
    assert report["open_finds"] == 1 and paths["key"]["open"]
    assert "no topic of the policy matches empty" in program.kafka("scan", "-t", "empty", "-p", "policy.yaml", code=78).stderr


def test_a_suggestion_for_a_topic(program):
    """… names the topic, keys and headers, passes lint, and leaves nothing open; what it makes is no find any more."""
    fill(program, 30)
    text = program.kafka("scan", "--suggest", "-t", TOPIC).stdout
    (program.directory / "policy.yaml").write_text(text.replace('match: "people"', "match: [people, safe]"))
    assert 'match: "people"' in text and "key: record_key" in text and "type: deterministic" in text
    program.run("policy", "lint", "policy.yaml")
    assert scan(program, "-p", "policy.yaml")[0]["open_finds"] == 0
    program.run("key", "create", "joins", "--convergent")
    program.broker.tell("topic safe 3")
    program.kafka("pump", "--from", TOPIC, "--to", "safe", "-p", "policy.yaml", "-e", "-X", "session.timeout.ms=6000")
    report, paths = scan(program, topic="safe")
    assert report["records"] == 30 and report["finds"] == 0
    assert paths["key"]["findings"][0]["detector"] in ("vault", "sealstream")


def test_tombstones(program):
    program.kafka("produce", "-t", TOPIC, "--plain", "-J", stdin='{"key":"a","payload":null}\n{"key":"b","payload":"{\\"n\\":1}"}\n')
    report, paths = scan(program)
    assert report["records"] == 2 and report["tombstones"] == 1 and paths["$.n"]["presence"] == 1
    assert program.kafka("scan", "-t", TOPIC).stdout.startswith("2 records, 1 of them tombstones\n")


def test_what_is_no_json(program):
    program.produce_plain(TOPIC, ["x", '{"a":1}'])
    done = program.kafka("scan", "-t", TOPIC, code=1)
    assert "people/" in done.stderr and "2 records, 1 of them cannot be read" in done.stdout


def test_no_broker(program):
    assert program.run("scan", "-b", "127.0.0.1:1", "-t", TOPIC, "--connect-timeout", "500ms", code=69).stdout == ""
    assert "no broker is named" in program.run("scan", "-t", TOPIC, code=64).stderr


def test_a_stop_request_tells_what_was_read(program):
    process = program.start("scan", "-", stdin=-1)
    wait_until_read(process, '{"mail":"a@example.com"}\n')
    code, out, err = stop(process, signal.SIGINT)
    assert code == 130 and out.startswith("1 record\n") and "e-mail address" in out, err
