"""A container that one side wrote opens on the other, whole and in parts."""
import os

import pytest
from files import NO_TIME, UNKNOWN, Container, Wrapper, write
from keyring_files import Keyring
from program import ROOT

SIZES = [0, 1, 1023, 1024, 1025, 5000]


def wrapper_of(sealstream, tmp_path):
    sealstream.run("-q", "key", "create", "pii")
    sealstream.run("-q", "key", "rotate", "pii")
    return Wrapper([version["material"] for version in Keyring(tmp_path / "keyring").read("pii")["versions"]])


@pytest.mark.parametrize("size", SIZES)
def test_reads_what_sealstream_wrote(sealstream, tmp_path, size):
    wrapper, data = wrapper_of(sealstream, tmp_path), os.urandom(size)
    path = tmp_path / "year's report.CSV"
    path.write_bytes(data)
    os.utime(path, ns=(0, -1_000_000_001))  # before 1970
    sealstream.run("file", "protect", "--key", "local:pii", "--chunk-size", 1024, path)
    got = Container(wrapper, (tmp_path / "year's report.CSV.seal").read_bytes())
    assert got.read() == data
    assert (got.name, got.media_type, got.chunk_size, got.size, got.mtime) == \
        (b"year's report.CSV", b"text/csv", 1024, size, -1_000_000_001)
    assert got.wrapped.startswith(b"vault:v2:")
    assert len(got.header) == 65 + len(got.wrapped) + 45 + len(got.name) + len(got.media_type)


@pytest.mark.parametrize("size", SIZES)
def test_reads_what_came_from_a_pipe(sealstream, tmp_path, size):
    wrapper, data = wrapper_of(sealstream, tmp_path), os.urandom(size)
    out, _ = sealstream.run("file", "protect", "-k", "pii", "--chunk-size", 1024, "--name", "n", input=data)
    got = Container(wrapper, out)
    assert got.read() == data
    assert (got.name, got.mtime, got.size) == (b"n", NO_TIME, size if size < 1024 else UNKNOWN)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_sealstream_reads_what_others_wrote(sealstream, tmp_path, size, known):
    wrapper, data = wrapper_of(sealstream, tmp_path), os.urandom(size)
    path = tmp_path / "x.seal"
    path.write_bytes(write(wrapper, data, b"../a\xff", b"text/plain", 1024, size if known else UNKNOWN, 1_500_000_000_123_456_789))
    assert sealstream.run("file", "reveal", "-k", "pii", "-o", "-", path)[0] == data
    sealstream.run("file", "reveal", "-k", "pii", path)
    assert (tmp_path / "x").read_bytes() == data
    assert (tmp_path / "x").stat().st_mtime_ns == 1_500_000_000_123_456_789
    for start in range(0, size + 1, 509):
        out, _ = sealstream.run("file", "reveal", "-k", "pii", "--range", f"{start}:1200", path)
        assert out == data[start:start + 1200]


def test_sealstream_refuses_what_others_got_wrong(sealstream, tmp_path):
    wrapper = wrapper_of(sealstream, tmp_path)
    path = tmp_path / "x.seal"
    good = write(wrapper, bytes(3000), chunk_size=1024, size=UNKNOWN)
    wrong = {
        "a smaller size": write(wrapper, bytes(3000), chunk_size=1024, size=2999),
        "a larger size": write(wrapper, bytes(3000), chunk_size=1024, size=3001),
        "an end after the end": good + b"\0",
        "no end": good[:-(3000 - 2048 + 16)],
        "no chunk": good[:-(3000 + 48)],
        "chunks of 1023 bytes": write(wrapper, bytes(3000), chunk_size=1023),
        "a media type with a line feed": write(wrapper, b"", media_type=b"text/\nplain"),
    }
    for what, data in wrong.items():
        path.write_bytes(data)
        _, said = sealstream.run("file", "reveal", "-k", "pii", path, exit_code=65)
        assert said.count("\n") == 1 and not (tmp_path / "x").exists(), what
    path.write_bytes(good)
    sealstream.run("file", "reveal", "-k", "pii", path)


GOLDEN = {"chunks.csv": 3000, "empty": 0, "one.txt": 1, "exact.bin": 2048, "pipe": 2500}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_containers(name):
    golden = ROOT / "tests" / "compat"
    ring = Keyring(golden / "keyring-1" / "raw", master=(golden / "keyring-1" / "master").read_bytes())
    wrapper = Wrapper([version["material"] for version in ring.read("pii")["versions"]])
    got = Container(wrapper, (golden / "files-1" / f"{name}.seal").read_bytes())
    assert got.read() == bytes((i * 31 + i // 256) & 255 for i in range(GOLDEN[name]))
