"""rewrap from topic to topic, and inspect --versions of a topic, against the embedded broker."""
import json

import pytest

from broker import Broker, Program, FAST_GROUP, purchase, stop, wait_until

OLD, NEW = "purchases_encrypted", "purchases_rewrapped"


@pytest.fixture
def broker():
    it = Broker()
    for topic in ("purchases", OLD, NEW):
        it.tell(f"topic {topic} 2")
    yield it
    it.stop()


@pytest.fixture
def program(tmp_path, broker):
    it = Program(tmp_path, broker)
    text = it.policy().read_text().replace("match: purchases", "match: [purchases, purchases_encrypted]")
    (tmp_path / "policy.yaml").write_text(text)
    return it


def rewrap(program, *args, **kwargs):
    return program.kafka("rewrap", "--from", OLD, "--to", NEW, "-p", "policy.yaml", *FAST_GROUP, *args, **kwargs)


def versions(program, topic):
    done = program.kafka("inspect", "--versions", "--json", "-t", topic)
    return {v["key_version"]: v["values"] for v in json.loads(done.stdout)["versions"]}


def without_values(envelope):
    payload = envelope["payload"] and {name: v for name, v in json.loads(envelope["payload"]).items() if name != "Address"}
    return {**{name: v for name, v in envelope.items() if name not in ("topic", "payload")}, "payload": payload}


def test_a_topic_moves_to_the_newest_version(program):
    """Key, headers, timestamp, partition, tombstones; values of both versions; then the old version may be closed."""
    envelopes = [{"partition": n % 2, "key": f"k{n}", "payload": purchase(n), "ts": 1700000000000 + n,
                  "headers": ["n", str(n)]} for n in range(10)]
    envelopes.append({"partition": 1, "key": "gone", "payload": None, "ts": 1700000000999})
    lines = [json.dumps(e) for e in envelopes]
    send = ["produce", "-t", OLD, "-p", "policy.yaml", "-J", "--keep-partition"]
    program.kafka(*send, stdin="\n".join(lines[:6]) + "\n")
    program.run("key", "rotate", "pii")
    program.kafka(*send, stdin="\n".join(lines[6:]) + "\n")
    assert versions(program, OLD) == {1: 6, 2: 4}

    assert "6 values rewrapped, 4 were under the newest version already" in rewrap(program, "-e").stderr
    assert versions(program, NEW) == {2: 10}
    before, after = program.envelopes(OLD, "--plain"), program.envelopes(NEW, "--plain")
    assert [without_values(e) for e in after] == [without_values(e) for e in before]
    program.run("key", "config", "pii", "--min-decryption-version", "2")
    revealed = program.envelopes(NEW, "-p", "policy.yaml", "--policy-topic", OLD)
    assert sorted(filter(None, (e["payload"] for e in revealed))) == sorted(filter(None, (e["payload"] for e in envelopes)))

    # What it has committed does not come again.
    assert "0 records in" in rewrap(program, "-e").stderr


def test_plaintext_stops_it(program):
    """The rewrapped topic gets nothing that is not protected; the record's offset is not committed."""
    program.kafka("produce", "-t", OLD, "-p", "policy.yaml", "-K", "|", stdin="k|" + purchase(1) + "\n")
    program.produce_plain(OLD, ["k|" + purchase(2)], "-K", "|")
    done = rewrap(program, "-e", code=65)
    assert "is not protected" in done.stderr and "High St" not in done.stderr
    assert len(program.envelopes(NEW, "--plain")) == 1
    rewrap(program, "-e", code=65)
    assert len(program.envelopes(NEW, "--plain")) == 1


def test_it_goes_on_until_it_is_stopped(program):
    process = program.start("rewrap", "-b", program.broker.address, "--from", OLD, "--to", NEW, "-p", "policy.yaml",
                            *FAST_GROUP)
    program.kafka("produce", "-t", OLD, "-p", "policy.yaml", stdin=purchase(1) + "\n")
    wait_until(lambda: program.envelopes(NEW, "--plain"))
    code, _, err = stop(process)
    assert code == 143 and "0 values rewrapped, 1 were" in err


def test_inspect_disturbs_no_group(program):
    """It is no member of any, and commits nothing: a pump after it gets all there is."""
    program.produce_plain("purchases", [purchase(n) for n in range(3)])
    assert "3 records, 0 of them with protected values" in program.kafka("inspect", "-t", "purchases").stdout
    assert "3 records in" in program.pump("-e").stderr
    out = program.kafka("inspect", "-t", OLD).stdout
    assert out.count(f"{OLD}/") == 3 and "$['Address']: encrypt of a string, key version 1" in out
