"""verify on a real Kafka with keys of a real Vault: what a pump made is proven while it is written, and what an admin slips in is found."""
import json

import confluent_kafka
import flow
import foreign
import pytest

RECORDS = 20_000
POLICY = """version: 1
namespace: shop
keys: {{pii: "vault:{mount}/pii", ids: "vault:{mount}/ids"}}
topics:
- match: "*"
  key: {{type: deterministic, key: ids, bind: {{domain: customer}}}}
  protect:
    $.Address: {{type: envelope, key: pii}}
    $.customer: {{type: deterministic, key: ids, bind: {{domain: customer}}}}
"""


@pytest.fixture
def shop(vault, transit, sealstream):
    vault.key("pii", transit)
    vault.key("ids", transit, derived=True, convergent_encryption=True)
    (sealstream.folder / "policy.yaml").write_text(POLICY.format(mount=transit))
    sealstream.environment |= vault.environment()
    return sealstream


def verify(shop, brokers, topic, *more, exit_code=0):
    out, _ = shop.run("verify", "-b", brokers, "-t", topic, "-p", "policy.yaml", "--report", "json", *more, exit_code=exit_code)
    return json.loads(out)


def test_a_pumped_topic_and_what_is_slipped_in(shop, vault, transit, kafka):
    source, target = "verify_source", "verify_target"
    for topic in (source, target):
        foreign.create_topic(kafka.brokers, topic, 3)
    foreign.produce(kafka.brokers, source, ((b"c%d" % (n % 500), b'{"n":%d,"customer":"c%d","Address":"%d High St"}' %
                                             (n, n % 500, n)) for n in range(RECORDS)))
    shop.run(*flow.pump(kafka.brokers, source, target))
    vault.rotate("pii", transit)
    vault.rotate("ids", transit)
    shop.run(*flow.pump(kafka.brokers, source, target, "-G", "second"))
    told = verify(shop, kafka.brokers, target)
    assert told["meets_policy"] and told["records"] == sum(r["records"] for r in told["ranges"]) == 2 * RECORDS
    fields = {field["path"]: field for field in told["fields"]}
    assert all(field["proof"] == "authentic" and field["values"] == 2 * RECORDS for field in fields.values())
    assert fields["$['Address']"]["key_versions"] == [{"version": 1, "values": RECORDS}, {"version": 2, "values": RECORDS}]
    assert fields["key"]["key_versions"] == fields["$['customer']"]["key_versions"] == [{"version": 1, "values": 2 * RECORDS}]
    # The topic in clear is not proven; and three records of a stranger are found among them all.
    plain = verify(shop, kafka.brokers, source, "-c", "1000", exit_code=1)
    assert (plain["records"], plain["failed"]) == (1000, 1000) and plain["kinds"][0]["code"] == "plaintext"
    good = next(iter(foreign.consume(kafka.brokers, target)))
    record = json.loads(good.value())
    foreign.produce(kafka.brokers, target, [(b"c1", good.value()), (good.key(), b'{"Address":"in clear"}'),
                                            (good.key(), json.dumps(record | {"Address": record["Address"][:-8] + "AAAAAAAA"}).encode())])
    found = verify(shop, kafka.brokers, target, exit_code=1)
    assert (found["records"], found["failed"]) == (2 * RECORDS + 3, 3)
    assert {(kind["path"], kind["code"]) for kind in found["kinds"]} == {
        ("key", "plaintext"), ("$['Address']", "plaintext"), ("$['Address']", "tampered")}
    assert all(one["record"].startswith(f"{target}/") for one in found["failures"])
    page, said = shop.run("verify", "-b", kafka.brokers, "-t", target, "-p", "policy.yaml", "--report", "html", exit_code=1)
    assert b"in clear" not in page and b"High St" not in page and "High St" not in said


def test_what_no_transaction_committed_lies_there_too(shop, kafka):
    """Aborted and unfinished records are on the brokers' disks: in clear they are found, whatever the settings of consumers say."""
    topic = "verify_transactions"
    foreign.create_topic(kafka.brokers, topic, 1)
    shop.run("produce", "-b", kafka.brokers, "-t", topic, "-p", "policy.yaml", input=b'{"Address":"1 High St"}\n')
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.brokers, "transactional.id": topic})
    producer.init_transactions(120)
    for end in (producer.abort_transaction, None):
        producer.begin_transaction()
        producer.produce(topic, b'{"Address":"in clear"}')
        producer.flush(120)
        if end:
            end(120)
    try:
        found = verify(shop, kafka.brokers, topic, "-X", "isolation.level=read_committed", exit_code=1)
        assert [one["record"] for one in found["failures"]] == [f"{topic}/0/1", f"{topic}/0/3"]
        assert (found["records"], found["complete"]) == (3, True)
    finally:
        producer.abort_transaction(120)
