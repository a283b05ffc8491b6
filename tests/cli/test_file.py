"""file protect and file reveal: names, modes, times, pipes, parts, and what is left behind when something goes wrong."""
import json
import os
import pty
import resource
import signal
import stat
import subprocess
import time

import pytest

from program import peak_kib

CSV = b"id;name\n1;Ada\n" * 1000


@pytest.fixture
def files(program):
    program.run("-q", "key", "create", "pii")
    program.environment["SEALSTREAM_KEY"] = "local:pii"
    (program.folder / "report.csv").write_bytes(CSV)
    os.utime(program.folder / "report.csv", ns=(0, 1_577_934_245_123_456_789))
    return program


def listing(program):
    return sorted(path.name for path in program.folder.iterdir() if path.name != "keyring")


def test_there_and_back(files):
    os.chmod(files.folder / "report.csv", 0o644)
    out, said = files.run("file", "protect", "report.csv")
    assert (out, said) == (b"", "")
    sealed = files.folder / "report.csv.seal"
    assert stat.S_IMODE(sealed.stat().st_mode) == 0o600
    assert CSV[:14] not in sealed.read_bytes() and b"report.csv" not in sealed.read_bytes()
    (files.folder / "report.csv").unlink()
    out, said = files.run("file", "reveal", "report.csv.seal")
    assert (out, said) == (b"", "")
    back = files.folder / "report.csv"
    assert back.read_bytes() == CSV and stat.S_IMODE(back.stat().st_mode) == 0o600
    assert back.stat().st_mtime_ns == 1_577_934_245_123_456_789
    assert listing(files) == ["report.csv", "report.csv.seal"]


def test_two_protections_differ(files):
    first, second = (files.run("file", "protect", "-o", "-", "report.csv")[0] for _ in range(2))
    assert len(first) == len(second) and first[400:] != second[400:]


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 3 * 2**20 + 1])
def test_pipes(files, size):
    data = os.urandom(size)
    sealed, _ = files.run("file", "protect", "--chunk-size", "1KiB", input=data)
    assert files.run("file", "reveal", input=sealed)[0] == data
    assert files.run("file", "reveal", "-o", "-", "-", input=sealed)[0] == data


def test_standard_input_that_is_a_file(files):
    files.run("file", "protect", "report.csv")
    with open(files.folder / "report.csv.seal", "rb") as sealed:
        done = files.start("file", "reveal", "--range", "14:14", stdin=sealed, stdout=subprocess.PIPE)
        assert done.communicate(timeout=120)[0] == CSV[14:28] and done.returncode == 0


def test_nothing_is_overwritten_unasked(files):
    (files.folder / "report.csv.seal").write_bytes(b"mine")
    _, said = files.run("file", "protect", "report.csv", exit_code=73)
    assert "--force" in said and (files.folder / "report.csv.seal").read_bytes() == b"mine"
    files.run("file", "protect", "--force", "report.csv")
    _, said = files.run("file", "reveal", "report.csv.seal", exit_code=73)
    assert "--force" in said
    (files.folder / "report.csv").write_bytes(b"old")
    files.run("file", "reveal", "--force", "report.csv.seal")
    assert (files.folder / "report.csv").read_bytes() == CSV
    assert listing(files) == ["report.csv", "report.csv.seal"]


def test_a_link_in_the_way_is_replaced_not_followed(files):
    (files.folder / "target").write_bytes(b"keep me")
    (files.folder / "report.csv.seal").symlink_to("target")
    files.run("file", "protect", "--force", "report.csv")
    assert (files.folder / "target").read_bytes() == b"keep me"
    assert not (files.folder / "report.csv.seal").is_symlink()


@pytest.mark.parametrize("part,want", [("0:5", CSV[:5]), ("10000:", CSV[10000:]), ("3000:1", CSV[3000:3001]),
                                       ("1000:5000", CSV[1000:6000]), ("14000:9", b""), ("0:0", b"")])
def test_parts(files, part, want):
    files.run("file", "protect", "--chunk-size", "1024", "report.csv")
    assert files.run("file", "reveal", "--range", part, "report.csv.seal")[0] == want
    files.run("file", "reveal", "--range", part, "-o", "part", "report.csv.seal")
    assert (files.folder / "part").read_bytes() == want


def test_a_part_reads_little(files):
    big = files.folder / "big"
    big.write_bytes(os.urandom(4 << 20))
    files.run("file", "protect", "--chunk-size", "4096", "big")
    sealed = files.folder / "big.seal"
    data = bytearray(sealed.read_bytes())
    for at in range(400, len(data), 4112):
        if not len(data) // 2 - 9000 < at < len(data) // 2 + 9000:
            data[at] ^= 1
    sealed.write_bytes(data)
    want = big.read_bytes()[2 << 20:][:100]
    assert files.run("file", "reveal", "--range", f"{2 << 20}:100", "big.seal")[0] == want
    files.run("file", "reveal", "-o", "whole", "big.seal", exit_code=65)


@pytest.mark.parametrize("words", ["1", "1:2:3", "-1:5", ":", "a:b", "1KiB:2", "99999999999999999999:1", "0x1:2"])
def test_bad_parts(files, words):
    files.run("file", "protect", "report.csv")
    _, said = files.run("file", "reveal", f"--range={words}", "report.csv.seal", exit_code=64)
    assert "OFFSET:LENGTH" in said


def test_bad_input(files):
    files.run("file", "protect", "report.csv")
    good = (files.folder / "report.csv.seal").read_bytes()
    for words, exit_code, part in [
            (("file", "protect", "none"), 66, "cannot open none"),
            (("file", "protect", "."), 66, "is a directory"),
            (("file", "protect", "-o", "no/such/place", "report.csv"), 73, "no/such/place"),
            (("file", "protect", "-o", "/dev/null", "report.csv"), 73, "no regular file"),
            (("file", "protect", "--key", "local:nope", "report.csv"), 78, "nope"),
            (("file", "protect", "--key", "other:x", "report.csv"), 64, "local, vault"),
            (("file", "protect", "--key", "local:../x", "report.csv"), 64, "not a key name"),
            (("file", "protect", "--chunk-size", "1000", "report.csv"), 64, "chunk-size"),
            (("file", "protect", "--chunk-size", "17MiB", "report.csv"), 64, "chunk-size"),
            (("file", "protect", "--media-type", "a\nb", "-o", "x", "report.csv"), 64, "media type"),
            (("file", "protect", "--name", "n" * 4097, "-o", "x", "report.csv"), 64, "name"),
            (("file", "reveal", "report.csv"), 64, "say with -o"),
            (("file", "reveal", "-o", "x", "report.csv"), 65, "no sealstream container"),
            (("file", "reveal", ".seal"), 64, "say with -o"),
            (("file", "reveal", "a", "b"), 64, "at most 1"),
            (("file", "reveal", "--range", "14001:", "report.csv.seal"), 64, "beyond the end")]:
        _, said = files.run(*words, exit_code=exit_code)
        assert part in said and said.count("\n") == 1, words
    files.run("-q", "key", "create", "cards", "--type", "ff1")
    assert "cannot wrap" in files.run("file", "protect", "-k", "cards", "-o", "x", "report.csv", exit_code=78)[1]
    files.run("-q", "key", "create", "other")
    assert files.run("file", "reveal", "-k", "other", "-o", "x", "report.csv.seal", exit_code=65)[1].count("\n") == 1
    del files.environment["SEALSTREAM_KEY"]
    assert "--key is needed" in files.run("file", "reveal", "report.csv.seal", exit_code=64)[1]
    assert listing(files) == ["report.csv", "report.csv.seal"]
    assert (files.folder / "report.csv.seal").read_bytes() == good


def test_an_unreadable_file(files):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (files.folder / "report.csv").chmod(0)
    files.run("file", "protect", "report.csv", exit_code=77)


def test_damage_leaves_nothing(files):
    files.run("file", "protect", "--chunk-size", "1024", "report.csv")
    (files.folder / "report.csv").unlink()
    sealed = files.folder / "report.csv.seal"
    good = sealed.read_bytes()
    for data in (good[:-1], good + b"\0", good[:5000], good[:-7] + bytes([good[-7] ^ 1]) + good[-6:], good[:20], b""):
        sealed.write_bytes(data)
        _, said = files.run("file", "reveal", "report.csv.seal", exit_code=65)
        assert "report.csv.seal" in said and said.count("\n") == 1
        assert listing(files) == ["report.csv.seal"]


def test_a_pipe_hears_that_it_is_not_all(files):
    files.run("file", "protect", "--chunk-size", "1024", "report.csv")
    good = (files.folder / "report.csv.seal").read_bytes()
    for data in (good[:5000], good[:-1], good[:-700] + bytes(700)):
        out, said = files.run("file", "reveal", input=data, exit_code=65)
        assert len(out) >= 3 * 1024 and len(out) % 1024 == 0 and CSV.startswith(out)
        assert f"what was written is not the whole file ({len(out)} bytes of it)" in said


@pytest.mark.parametrize("words", [("protect", "-"), ("reveal", "-"), ("reveal", "--range", "0:9", "report.csv.seal")])
def test_a_terminal_must_be_asked_for(files, words):
    files.run("file", "protect", "report.csv")
    sealed = (files.folder / "report.csv.seal").read_bytes()
    master, slave = pty.openpty()
    done = files.start("file", *words, stdin=subprocess.PIPE, stdout=slave, stderr=subprocess.PIPE)
    said = done.communicate(sealed, timeout=120)[1].decode()
    assert done.returncode == 64 and "-o -" in said
    if words[0] == "reveal":
        done = files.start("file", words[0], "-o", "-", *words[1:], stdin=subprocess.PIPE, stdout=slave)
        done.stdin.write(sealed)
        done.stdin.close()
        assert os.read(master, 7) == b"id;name"
        done.kill()
        done.wait()
    os.close(slave)
    os.close(master)


def test_a_full_disk(files):
    files.run("file", "protect", "report.csv")

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    (files.folder / "report.csv").unlink()
    done = files.start("file", "reveal", "report.csv.seal", stderr=subprocess.PIPE, preexec_fn=limit)
    assert b"report.csv" in done.communicate(timeout=120)[1] and done.returncode == 74
    assert listing(files) == ["report.csv.seal"]


def test_a_reader_that_goes(files):
    data = os.urandom(8 << 20)
    done = files.start("file", "protect", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    done.stdout.close()
    try:
        done.stdin.write(data)
        done.stdin.close()
    except BrokenPipeError:
        pass
    assert done.wait(120) == 141 and done.stderr.read() == b""


def test_a_stop_leaves_nothing(files):
    done = files.start("file", "protect", "-o", "out.seal", stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    done.stdin.write(os.urandom(2 << 20))
    done.stdin.flush()
    until = time.monotonic() + 120
    while not any(name.endswith(".tmp") for name in listing(files)) and time.monotonic() < until:
        time.sleep(0.01)
    assert listing(files)[0].startswith(".out.seal.")
    done.send_signal(signal.SIGTERM)
    assert done.wait(120) == 143 and done.stderr.read() == b""
    assert listing(files) == ["report.csv"]


def test_killed(files):
    """What the manual says is left, and nothing else; a next run is not in its way."""
    child = files.start("file", "protect", "-o", "out.seal", stdin=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not (left := list(files.folder.glob(".out.seal.*"))) and time.monotonic() < deadline:
        time.sleep(0.01)
    child.kill()
    child.communicate()
    assert [path.name for path in left] == [f".out.seal.{child.pid}.0.tmp"] and not (files.folder / "out.seal").exists()
    files.run("file", "protect", "-o", "out.seal", input=b"x")
    assert left[0].exists()


def test_memory_does_not_grow(files):
    if os.environ.get("SANITIZED"):
        pytest.skip("sanitizers have their own memory")
    peaks = []
    for mebibytes in (8, 256):
        with open(files.folder / "big", "wb") as big:
            big.truncate(mebibytes << 20)
        for words in (("protect", "--force", "big"), ("reveal", "--force", "big.seal")):
            peaks.append(peak_kib(files, "file", *words))
    assert max(peaks) <= 32 * 1024
    assert max(peaks[2:]) < max(peaks[:2]) + 4096, peaks


def test_old_versions_of_the_key_serve(files):
    files.run("file", "protect", "report.csv")
    files.run("-q", "key", "rotate", "pii")
    assert files.run("file", "reveal", "-o", "-", "report.csv.seal")[0] == CSV
    files.run("-q", "key", "config", "pii", "--min-decryption-version", "2")
    _, said = files.run("file", "reveal", "-o", "-", "report.csv.seal", exit_code=65)
    assert "version" in said


def test_a_derived_key(files):
    files.run("-q", "key", "create", "mine", "--derived")
    files.run("file", "protect", "-k", "local:mine", "report.csv")
    assert files.run("file", "reveal", "-k", "local:mine", "-o", "-", "report.csv.seal")[0] == CSV


def test_inspect_needs_no_key(files):
    files.run("-q", "key", "rotate", "pii")
    files.run("file", "protect", "report.csv")
    sealed = files.folder / "report.csv.seal"
    files.environment["SEALSTREAM_KEYRING"] = str(files.folder / "none")
    told = json.loads(files.run("inspect", "--json", "report.csv.seal")[0])
    assert told["schema"] == "sealstream.inspect.file/1" and told["file"] == "report.csv.seal"
    assert (told["version"], told["key_version"], told["wrapped_key_bytes"]) == (1, 2, 89)
    assert told["header_bytes"] + told["chunks_bytes"] == sealed.stat().st_size
    assert told["chunks_bytes"] == len(CSV) + 16
    assert told["id"] == sealed.read_bytes()[9:25].hex()
    out = files.run("inspect", "report.csv.seal")[0].decode()
    assert out.startswith("report.csv.seal: container version 1, key version 2, id ") and out.count("\n") == 1
    with open(sealed, "rb") as stdin:
        done = files.start("inspect", stdin=stdin, stdout=subprocess.PIPE)
        assert b"container version 1" in done.communicate(timeout=120)[0]
    sealed.write_bytes(sealed.read_bytes()[:50])
    assert "report.csv.seal: the container is cut" in files.run("inspect", "report.csv.seal", exit_code=65)[1]
