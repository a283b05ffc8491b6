"""
The long form of test_files.py, for `make soak`: 10,000 small files and one of 4 GiB through a real Kafka, under a key of a real
Vault, and twenty kills at random with different seeds. SEED=n repeats one of the latter; RESULTS=FILE keeps what was measured.
"""
import os
import pathlib
import shutil
import time

import file_flow
import kafka_node
import pytest
from file_flow import MEMORY_MAX, Transfers, check_same, listing, make_file, make_small, seeded

MIB, GIB = 1 << 20, 1 << 30
SMALL, LARGE, KILLS = 10_000, 4 * GIB, 20
SEEDS = [int(os.environ["SEED"])] if "SEED" in os.environ else [1, 2, 3]
HEAD = """# Soak

What `make soak RESULTS=docs/SOAK.md` proved and measured last: Apache Kafka {kafka}, HashiCorp Vault and both sides on one machine with
{cpus} CPUs. A seed can be run again: `make soak SEED=n`.

| what | result | sender MiB | receiver MiB | seconds |
| --- | --- | ---: | ---: | ---: |
"""


@pytest.fixture(scope="module")
def results():
    rows = []
    yield rows
    if os.environ.get("RESULTS"):
        text = HEAD.format(kafka=kafka_node.VERSION, cpus=os.cpu_count()) + "".join("| " + " | ".join(row) + " |\n" for row in rows)
        pathlib.Path(os.environ["RESULTS"]).write_text(text)


@pytest.fixture
def space(tmp_path):
    """A place whose files go at once: they are gigabytes."""
    yield tmp_path / "space"
    shutil.rmtree(tmp_path / "space", ignore_errors=True)


def test_many_and_large(kafka, vault, transit, topic, sealstream, space, results):
    source, target = space / "source", space / "target"
    space.mkdir()
    rng = seeded(1)
    make_small(source, SMALL, rng)
    make_file(source / "large.bin", LARGE, rng)
    vault.key("files", transit)
    transfers = Transfers(sealstream, kafka.brokers, topic("soak", partitions=6), f"vault:{transit}/files", vault.environment())
    began = time.monotonic()
    try:
        receiver = transfers.receive(target)
        sender = transfers.send(source, "--parallel", 8)
        sender.wait(timeout=3600)
        transfers.wait_until_there(source, target, timeout=3600)
        receiver.stop()
        took = time.monotonic() - began
        check_same(source, target)
        assert file_flow.unfinished(target) == []
        assert sender.memory <= MEMORY_MAX and receiver.memory <= MEMORY_MAX
        for path in ("datakey/plaintext/files", "decrypt/files") if hasattr(vault, "audited") else ():
            assert vault.audited(f"{transit}/{path}") == SMALL + 1
        results.append((f"{SMALL} small files and one of {LARGE // GIB} GiB; one datakey and one decrypt each in Vault's audit log",
                        "all equal", f"{sender.memory / MIB:.1f}", f"{receiver.memory / MIB:.1f}", f"{took:.0f}"))
    finally:
        transfers.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_killed(kafka, topic, sealstream, space, results, seed):
    source, target = space / "source", space / "target"
    space.mkdir()
    rng = seeded(seed)
    sealstream.run("key", "create", "files")
    transfers = Transfers(sealstream, kafka.brokers, topic("killed", partitions=4), "local:files")

    def add(n):
        make_small(source, 300, rng, start=1000 * n)
        make_file(source / f"large-{n}.bin", 192 * MIB, rng)

    began = time.monotonic()
    try:
        add(0)
        done = file_flow.survive_kills(transfers, source, target, rng, KILLS, add)
        took = time.monotonic() - began
        check_same(source, target)
        assert file_flow.unfinished(target) == []
        memory = {side: max(r.memory for r in transfers.all if r.side == side) for side in ("send", "receive")}
        assert max(memory.values()) <= MEMORY_MAX
        size = sum((source / name).stat().st_size for name in listing(source))
        results.append((f"kill -9 at random, seed {seed}: {done['sender']} of the sender, {done['receiver']} of the receiver; "
                        f"{len(listing(source))} files, {size // MIB} MiB", "all once and whole", f"{memory['send'] / MIB:.1f}",
                        f"{memory['receive'] / MIB:.1f}", f"{took:.0f}"))
    finally:
        transfers.close()
