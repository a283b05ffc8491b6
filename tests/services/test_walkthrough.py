"""docs/WALKTHROUGH.md on a real Apache Kafka and a real Vault, in one shell: its own questions to the audit log included."""
import sys

import foreign
import pytest
from program import ROOT

sys.path.insert(0, str(ROOT / "tests" / "vault"))
from documents import run_walkthrough  # noqa: E402

TOPICS = ["purchases", "purchases_encrypted", "purchases_large_encrypted"]
KAFKA_TOPICS = """#!/bin/sh -e
# What kafka-topics.sh does with these arguments; the tests' Kafka comes without its scripts.
[ "$1 $3 $4 $6" = "--bootstrap-server --create --topic --partitions" ]
exec {python} -c 'import sys; sys.path.insert(0, sys.argv[1]); import foreign
foreign.create_topic(sys.argv[2], sys.argv[3], int(sys.argv[4]))' {here} "$2" "$5" "$7"
"""


@pytest.fixture
def clean(kafka):
    yield
    foreign.delete_topics(kafka.brokers, TOPICS)


def test_walkthrough(tmp_path, kafka, clean, dev_vault, sealstream):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "vault").symlink_to(dev_vault.program)
    (tools / "kafka-topics.sh").write_text(KAFKA_TOPICS.format(python=sys.executable, here=ROOT / "tests" / "services"))
    (tools / "kafka-topics.sh").chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    out = run_walkthrough(work, sealstream.path, tools, dev_vault.environment() | {"GODEBUG": "x509negativeserial=1"}, kafka.brokers,
                          real=True)
    assert "all 20 are back, byte for byte" in out
    for name in ("orders.json", "purchases.json", "notes.txt"):
        assert f"{name}: OK" in out
        assert (work / "destination" / name).read_bytes() == (work / "source" / name).read_bytes()
    assert dev_vault.keys() == []
