"""Rotation on a real Vault: a file and a real Kafka topic move to the newest version, and the old one can be closed."""
import json
import re

import pytest

POLICY = """version: 1
namespace: shop
keys: {{pii: "vault:{mount}/pii"}}
topics:
  - match: "*"
    protect:
      $.Address: {{type: encrypt, key: pii}}
      $.Name: {{type: encrypt, key: pii, bind: none}}
      $.order: {{type: encrypt, key: pii}}
"""


@pytest.fixture
def shop(vault, transit, sealstream):
    """A key that is under version 2 when `protected` was made under 1."""
    vault.key("pii", transit)
    (sealstream.folder / "policy.yaml").write_text(POLICY.format(mount=transit))
    sealstream.environment |= vault.environment() | {"SEALSTREAM_POLICY": "policy.yaml"}
    return sealstream


def records(n):
    return "".join(json.dumps({"n": i, "Name": f"Ada {i}", "Address": f"{i} High St", "order": {"price": 1.5, "n": i}}) + "\n"
                   for i in range(n)).encode()


def versions(shop, *arguments, **options):
    report = json.loads(shop.run("inspect", "--versions", "--json", *arguments, **options)[0])
    assert report["damaged"] == report["failed"] == 0
    found = {}
    for row in report["versions"]:
        found[row["key_version"]] = found.get(row["key_version"], 0) + row["values"]
    return found


def without_values(text):
    return re.sub(rb"vault:v\d+:[A-Za-z0-9+/=]+", b"#", text)


def test_a_file_moves(shop, vault, transit):
    data = records(3000)
    old = shop.run("protect", input=data)[0]
    vault.rotate("pii", transit)
    mixed = old + shop.run("protect", input=data)[0]
    out, err = shop.run("rewrap", "-j", "2", input=mixed)
    assert "9000 values rewrapped, 9000 were under the newest version already" in err
    assert versions(shop, input=mixed) == {1: 9000, 2: 9000} and versions(shop, input=out) == {2: 18000}
    assert without_values(out) == without_values(mixed)
    assert out.splitlines()[3000:] == mixed.splitlines()[3000:]  # what was new is what it was
    vault.key_config("pii", transit, min_decryption_version=2)
    assert shop.run("reveal", input=out)[0] == data + data
    err = shop.run("reveal", input=old[:old.index(b"\n") + 1], exit_code=1)[1]
    assert "below its minimum decryption version" in err
    assert vault.decrypt("pii", json.loads(out.splitlines()[0])["Name"], transit) == b"Ada 0"  # plain Transit still reads it


def test_a_topic_moves(shop, vault, transit, kafka, topic):
    data = records(2000)
    old, new = topic("encrypted", partitions=3), topic("rewrapped", partitions=3)
    shop.run("produce", "-b", kafka.brokers, "-t", old, input=data)
    vault.rotate("pii", transit)
    shop.run("produce", "-b", kafka.brokers, "-t", old, input=data)
    assert versions(shop, "-b", kafka.brokers, "-t", old) == {1: 6000, 2: 6000}
    err = shop.run("rewrap", "-b", kafka.brokers, "--from", old, "--to", new, "-e", "-j", "2")[1]
    assert "4000 records in, 4000 out" in err and "6000 values rewrapped, 6000 were" in err
    assert versions(shop, "-b", kafka.brokers, "-t", new) == {2: 12000}

    def held(name):
        lines = shop.run("consume", "-b", kafka.brokers, "-t", name, "--plain", "-e", "-J")[0].splitlines()
        # Offsets tell the order, and no more: the end of a transaction takes one, too.
        found = sorted(map(json.loads, lines), key=lambda e: (e["partition"], e["offset"]))
        return [(e["partition"], e["key"], e["ts"], json.loads(e["payload"])["n"]) for e in found]

    assert held(new) == held(old)
    vault.key_config("pii", transit, min_decryption_version=2)
    out = shop.run("consume", "-b", kafka.brokers, "-t", new, "-e")[0]
    assert sorted(out.splitlines()) == sorted((data + data).splitlines())
