"""
Files through a real Kafka, under keys of a real Vault: do all arrive, once and whole, in little memory, whatever is killed, moved,
full, too small or called names? The long form is soak_files.py.
"""
import base64
import os
import pathlib
import time

import container
import file_flow
import foreign
import pytest
import vault_flow
from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, ResourcePatternType, ResourceType
from file_flow import MEMORY_MAX, Transfers, check_same, listing, make_file, make_small, seeded

MIB = 1 << 20


@pytest.fixture
def transfers(kafka, topic, sealstream):
    """On a topic of its own, under a key of the local keyring."""
    sealstream.run("key", "create", "files")
    made = Transfers(sealstream, kafka.brokers, topic("files", partitions=4), "local:files")
    yield made
    made.close()


def test_story(kafka, vault, transit, topic, sealstream, tmp_path):
    """500 small files and a large one: equal, within 64 MiB, and one datakey and one decrypt of Vault's for each file."""
    source, target, rng = tmp_path / "source", tmp_path / "target", seeded()
    make_small(source, 500, rng)
    make_file(source / "large.bin", 256 * MIB, rng)
    vault.key("files", transit)
    transfers = Transfers(sealstream, kafka.brokers, topic("files", partitions=4), f"vault:{transit}/files", vault.environment())
    try:
        receiver = transfers.receive(target)
        sender = transfers.send(source)
        sender.wait()
        transfers.wait_until_there(source, target)
        receiver.stop()
        check_same(source, target)
        print(f"sender {sender.memory / MIB:.1f} MiB, receiver {receiver.memory / MIB:.1f} MiB")
        assert sender.memory <= MEMORY_MAX and receiver.memory <= MEMORY_MAX
        assert file_flow.unfinished(target) == []
        if hasattr(vault, "audited"):
            assert vault.audited(f"{transit}/datakey/plaintext/files") == 501
            assert vault.audited(f"{transit}/decrypt/files") == 501
            assert vault.audited(f"{transit}/encrypt/files") == 0
        # what an admin of the topic sees: ciphertext, names and wrapped keys in headers
        for message in foreign.consume(kafka.brokers, transfers.topic):
            headers = dict(message.headers())
            assert headers["X-encryptionkey"].startswith(b"vault:v1:")
            assert headers["X-filename"].decode() in ("large.bin", *listing(source))
        again = transfers.send(source)  # nothing has changed: nothing is sent
        again.wait()
        if hasattr(vault, "audited"):
            assert vault.audited(f"{transit}/datakey/plaintext/files") == 501
    finally:
        transfers.close()


@pytest.mark.parametrize("chunk", ["512KiB", "8MiB"])
def test_memory(kafka, topic, transfers, tmp_path, chunk):
    """Small and the largest chunks, on several partitions of which all are read at once from the beginning."""
    source, target, rng = tmp_path / "source", tmp_path / "target", seeded()
    source.mkdir()
    transfers.topic = topic("chunks", partitions=4, **{"max.message.bytes": str(9 * MIB)})
    for i in range(4):
        make_file(source / f"{i}.bin", 40 * MIB, rng)
    sender = transfers.send(source, "--chunk-size", chunk)
    sender.wait()
    receiver = transfers.receive(target)
    transfers.wait_until_there(source, target)
    receiver.stop()
    check_same(source, target)
    print(f"chunks of {chunk}: sender {sender.memory / MIB:.1f} MiB, receiver {receiver.memory / MIB:.1f} MiB")
    assert sender.memory <= MEMORY_MAX and receiver.memory <= MEMORY_MAX


def test_killed(transfers, tmp_path):
    """kill -9 of either side at random: all files arrive once and whole."""
    source, target, rng = tmp_path / "source", tmp_path / "target", seeded()

    def add(n):
        make_small(source, 100, rng, start=1000 * n)
        make_file(source / f"large-{n}.bin", 64 * MIB, rng)

    add(0)
    done = file_flow.survive_kills(transfers, source, target, rng, 6, add)
    print(f"killed: {done}; {len(listing(source))} files")
    check_same(source, target)
    assert file_flow.unfinished(target) == []
    assert min(done.values()) >= 2 and transfers.memory() <= MEMORY_MAX


def test_two_and_two(transfers, tmp_path):
    """Two senders share a directory, two receivers a group: each file is sent once and is at one of the two."""
    source, targets, rng = tmp_path / "source", [tmp_path / "a", tmp_path / "b"], seeded()
    make_small(source, 200, rng)
    for i in range(8):
        make_file(source / f"large-{i}.bin", 8 * MIB, rng)
    receivers = [transfers.receive(target) for target in targets]
    transfers.wait_for(lambda: transfers.shared_by(2), "a group of two")
    senders = [transfers.send(source) for _ in range(2)]
    for sender in senders:
        sender.wait()
    transfers.wait_until_there(source, *targets)
    for receiver in receivers:
        receiver.stop()
    check_same(source, *targets)
    assert all(listing(t) for t in targets), "one of the two had nothing to do"
    keys = {m.key() for m in foreign.consume(transfers.brokers, transfers.topic)}
    assert len(keys) == len(listing(source)), "a file was sent twice"


def test_rebalanced(transfers, tmp_path):
    """Receivers of one directory come and go in the middle of transfers, cleanly and not: all files are there once."""
    source, target, rng = tmp_path / "source", tmp_path / "target", seeded()
    make_small(source, 200, rng)
    for i in range(6):
        make_file(source / f"large-{i}.bin", 32 * MIB, rng)
    transfers.session = file_flow.SHORT
    first = transfers.receive(target)
    sender = transfers.send(source)
    transfers.wait_for(lambda: len(listing(target)) > 20, "some files")
    second = transfers.receive(target)  # partitions move while transfers are under way
    transfers.wait_for(lambda: transfers.shared_by(2) or not sender.alive(), "a group of two")
    first.stop()
    third = transfers.receive(target)
    time.sleep(0.5)
    second.kill()
    sender.wait()
    transfers.wait_until_there(source, target)
    # What the killed one had finished and not yet committed is read again.
    transfers.wait_for(lambda: file_flow.unfinished(target) == [], "no part is left", timeout=300)
    third.stop()
    check_same(source, target)


def test_other_directory_takes_over(transfers, topic, tmp_path):
    """
    A receiver that dies in the middle of a transfer: another one, with an empty directory, has the file whole. The second half
    comes when the first receiver is dead, so that it cannot be done before.
    """
    source, targets, rng = tmp_path / "source", [tmp_path / "a", tmp_path / "b"], seeded()
    source.mkdir()
    make_file(source / "large.bin", 64 * MIB, rng)
    transfers.send(source).wait()
    sent = [{"key": m.key(), "value": m.value(), "headers": m.headers(), "partition": m.partition()}
            for m in foreign.consume(transfers.brokers, transfers.topic)]
    transfers.topic, transfers.session = topic("halves", partitions=4), file_flow.SHORT
    foreign.produce(transfers.brokers, transfers.topic, sent[:len(sent) // 2])
    first = transfers.receive(targets[0])
    transfers.wait_for(lambda: file_flow.unfinished(targets[0]), "a part")
    first.kill()
    second = transfers.receive(targets[1])
    foreign.produce(transfers.brokers, transfers.topic, sent[len(sent) // 2:])
    transfers.wait_until_there(source, targets[1])
    second.stop()
    check_same(source, targets[1])
    assert listing(targets[0]) == []


def test_disk_full(transfers, tmp_path):
    """A full disk is waited for, nothing half is visible, and with room again the transfer goes on."""
    source, target, rng = tmp_path / "source", tmp_path / "target", seeded()
    source.mkdir()
    target.mkdir()
    make_file(source / "a.bin", 4 * MIB, rng)
    make_file(source / "b.bin", 24 * MIB, rng)
    transfers.send(source).wait()
    # a mount namespace of its own: needs no rights, and is gone with the process
    disk = ("unshare", "-Urm", "sh", "-c", f'mount -t tmpfs -o size=40m tmpfs "{target}" && '
            f'dd if=/dev/zero of="{target}/.filler" bs=1M count=20 status=none && exec "$@"', "sh")
    receiver = transfers.receive(target, wrapper=disk)
    inside = pathlib.Path(f"/proc/{receiver.process.pid}/root{target}")  # the directory as the receiver sees it
    transfers.wait_for(lambda: "waiting" in receiver.said(), "a word on the full disk")
    assert receiver.alive() and "b.bin" not in listing(inside)
    (inside / ".filler").unlink()
    transfers.wait_until_there(source, inside)
    check_same(source, inside)
    said = receiver.stop()
    assert "No space left" in said and "going on" in said


def test_broker_limit(transfers, kafka, topic, tmp_path):
    """A topic that takes less than a chunk is found before anything is sent; the flag that is named helps."""
    source, target, rng = tmp_path / "source", tmp_path / "target", seeded()
    source.mkdir()
    make_file(source / "a.bin", 300_000, rng)
    make_file(source / "b.bin", 10, rng)
    transfers.topic = topic("narrow", **{"max.message.bytes": "100000"})
    said = transfers.send(source).wait(exit_code=78)
    assert "--chunk-size" in said and "max.message.bytes of the topic" in said
    assert list(foreign.consume(kafka.brokers, transfers.topic)) == []
    said = transfers.send(source, "-X", "message.max.bytes=50000").wait(exit_code=78)
    assert "--chunk-size" in said and "-X message.max.bytes" in said
    transfers.send(source, "--chunk-size", "64KiB").wait()
    receiver = transfers.receive(target)
    transfers.wait_until_there(source, target)
    receiver.stop()
    check_same(source, target)


def test_limit_not_told(kafka, transfers, topic, tmp_path):
    """Who may write but not describe the topic's configuration sends all the same."""
    source, target, rng = tmp_path / "source", tmp_path / "target", seeded()
    source.mkdir()
    make_file(source / "a.bin", 2 * MIB, rng)
    transfers.topic = topic("private")
    foreign.allow(kafka.brokers, [AclBinding(ResourceType.TOPIC, transfers.topic, ResourcePatternType.LITERAL, "User:alice", "*",
                                             operation, AclPermissionType.ALLOW)
                                  for operation in (AclOperation.WRITE, AclOperation.DESCRIBE)])
    secure = [part for name, value in kafka.tls("alice").items() if name != "bootstrap.servers"
              for part in ("-X", f"{name}={value}")]
    transfers.run("send", "-b", kafka.sasl_brokers, "-t", transfers.topic, "--key", transfers.key, "--from", source, "--once",
                  *secure)
    receiver = transfers.receive(target)
    transfers.wait_until_there(source, target)
    receiver.stop()
    check_same(source, target)


NAMES = [b"../x", b"../../etc/cron.d/y", b"/etc/passwd", b"a/b", b"a\\b", b".ssh", b"..", b"CON", b"nul.txt", b"n" * 255,
         b"m" * 300 + b".txt", b"\xff\xfe.bin", b"tab\there\n", b"\x1b[2Jred", b"-rf", b"", b"caf\xc3\xa9.txt"]


def test_names(vault, transit, kafka, topic, sealstream, tmp_path):
    """
    Names that a sender of ours would never make, in containers written by another implementation: each file arrives, all are in the
    directory itself, and none is hidden, reserved or steers a terminal.
    """
    target = tmp_path / "inner" / "target"
    target.mkdir(parents=True)
    (target / ".ssh").mkdir()
    vault.key("files", transit)
    transfers = Transfers(sealstream, kafka.brokers, topic("names"), f"vault:{transit}/files", vault.environment())
    wanted, records = {}, []
    try:
        for n, name in enumerate(NAMES):
            key = vault.call("POST", f"{transit}/datakey/plaintext/files", {})
            data = b"%d " % n * 700
            wanted[data] = name
            ident, values = container.records(base64.b64decode(key["plaintext"]), key["ciphertext"], name, data)
            headers = [("X-filename", name), ("seal-transfer", ident.hex().encode())]
            records += ({"key": ident.hex().encode(), "value": value, "headers": headers} for value in values)
        foreign.produce(kafka.brokers, transfers.topic, records)
        receiver = transfers.receive(target)
        transfers.wait_for(lambda: len(listing(target)) == len(NAMES), "all files there")
        said = receiver.stop()
        names = {(target / name).read_bytes(): os.fsencode(name) for name in listing(target)}
        assert names.keys() == wanted.keys()
        assert listing(tmp_path / "inner") == ["target"] and list((target / ".ssh").iterdir()) == []
        for data, name in names.items():
            assert len(name) <= 255 and not name.startswith((b".", b"-")) and name.decode().isprintable(), name
            assert b"/" not in name and b"\\" not in name and name.split(b".")[0].upper() not in (b"CON", b"NUL"), name
        assert names[next(d for d, n in wanted.items() if n == b"caf\xc3\xa9.txt")] == b"caf\xc3\xa9.txt"
        assert names[next(d for d, n in wanted.items() if n == b"n" * 255)] == b"n" * 255
        assert "\x1b" not in said
    finally:
        transfers.close()


def test_no_rights_to_unwrap(vault, transit, kafka, topic, sealstream, tmp_path):
    """A receiver that may not use the key: 77, nothing appears, nothing is lost for one that may."""
    source, target, rng = tmp_path / "source", tmp_path / "target", seeded()
    make_small(source, 3, rng)
    vault.key("files", transit)
    vault.policy(f"{transit}-send", **vault_flow.rules(transit, "datakey/plaintext", key="files"))
    allowed = vault.environment()
    denied = vault_flow.by_approle(vault, sealstream, f"{transit}-send", f"{transit}-send")
    transfers = Transfers(sealstream, kafka.brokers, topic("rights"), f"vault:{transit}/files", denied)
    try:
        transfers.send(source).wait()
        receiver = transfers.receive(target)
        receiver.wait(exit_code=77)
        assert listing(target) == []
        transfers.environment = allowed
        receiver = transfers.receive(target)
        transfers.wait_until_there(source, target)
        receiver.stop()
        check_same(source, target)
    finally:
        transfers.close()
