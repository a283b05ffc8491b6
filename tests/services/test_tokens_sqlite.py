"""Tokens in SQLite under many writers, kills, a rekey and a full disk: none is lost, none comes twice."""
import json
import pathlib
import re
import subprocess
import time

import pytest

from token_flow import POLICY, Writers, kill, wait_for_output

ADDRESS = "sqlite:tokens.db"


@pytest.fixture
def prepare(sealstream):
    """prepare(address): a policy with its tokens there."""
    def make(address):
        sealstream.run("key", "create", "pii")
        sealstream.environment |= {"SEALSTREAM_POLICY": "policy.yaml"}
        (sealstream.folder / "policy.yaml").write_text(POLICY.format(address=address))
        return sealstream
    return make


def protect(sealstream, records, topic="orders", **options):
    lines = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    out, errors = sealstream.run("protect", "-t", topic, input=lines, **options)
    return [json.loads(line) for line in out.splitlines()]


def reveal(sealstream, records, topic="orders", **options):
    lines = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    out, errors = sealstream.run("reveal", "-t", topic, input=lines, **options)
    return [json.loads(line) for line in out.splitlines()], errors


def test_killed_writers_lose_no_token(prepare):
    """kill -9 of half of them: each record that got out is revealed, and the rest gets the tokens that are there."""
    writers = Writers(prepare(ADDRESS))
    fresh = writers.make(4, 120_000, 0.3, seed=2)
    running = writers.start("protect", "", ".protected")
    outputs = [pathlib.Path(f"{part}.protected") for part in writers.parts]
    wait_for_output(outputs, 400_000, running)
    for process in running[:2]:
        kill(process)
    for process in running[2:]:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors.decode()
    for path in outputs[:2]:
        writers.whole_lines(path)
    before = writers.check(fresh, complete=False)
    writers.run("reveal", ".protected", ".revealed")
    writers.check_revealed()
    writers.run("protect", "", ".again")
    after = writers.check(fresh, ".again")
    assert all(after[value] == token for value, token in before.items())


def test_shaped_cards(prepare, sealstream):
    """Six digits are drawn anew; no two cards share a token, and what is too short fails."""
    prepare(ADDRESS)
    records = [{"card": f"4111{i:06d}11"} for i in range(3000)]
    out = protect(sealstream, records, "cards")
    assert len({record["card"] for record in out}) == 3000
    assert all(re.fullmatch(r"4111\d{6}11", after["card"]) and after["card"] != before["card"] for before, after in zip(records, out))
    assert reveal(sealstream, out, "cards")[0] == records
    assert protect(sealstream, [{"card": "411111"}], "cards", exit_code=1) == []


def test_rekey_under_load(prepare):
    """Four writers and readers go on while every row gets new keys; the rekey dies once and goes on, too."""
    sealstream = prepare(ADDRESS)
    writers = Writers(sealstream)
    writers.make(2, 60_000, 0.0, seed=5)
    writers.run("protect", "", ".early")
    writers.parts.clear()
    fresh = writers.make(4, 100_000, 0.5, seed=4)  # of the same values, and others
    running = writers.start("protect", "", ".protected")
    rekey = sealstream.start("store", "rekey", stderr=-1, stdout=-1)
    time.sleep(0.7)
    kill(rekey)
    _, errors = sealstream.run("store", "rekey", timeout=300)
    for process in running:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said.decode()
    writers.check(fresh)
    writers.run("reveal", ".protected", ".revealed")
    writers.check_revealed()
    sealstream.run("store", "rekey", timeout=300)
    writers.run("reveal", ".protected", ".revealed")
    writers.check_revealed()
    writers.run("protect", "", ".again")
    assert writers.check(fresh, ".again") == writers.check(fresh)


def test_a_full_disk_fails_closed(sealstream, prepare):
    """No room for a token: the record is not written; what was written is revealed."""
    prepare("sqlite:disk/tokens.db")
    disk = sealstream.folder / "disk"
    disk.mkdir()
    source, target = sealstream.folder / "plain", sealstream.folder / "protected"
    with open(source, "w") as file:
        file.writelines(f'{{"mail":"person{i}@example.org"}}\n' for i in range(60_000))
    script = (f'mount -t tmpfs -o size=4m tmpfs "{disk}" && "{sealstream.path}" protect --retry-for 1s -t orders "{source}" > "{target}"; '
              f'code=$?; cp "{disk}"/tokens.db* "{sealstream.folder}"; exit $code')
    done = subprocess.run(["unshare", "-Urm", "sh", "-c", script], cwd=sealstream.folder, env=sealstream.environment, capture_output=True,
                          timeout=300, check=False)
    errors = done.stderr.decode()
    assert done.returncode not in (0, 1), errors
    assert "full" in errors or "space" in errors, errors
    lines = [json.loads(line) for line in target.read_bytes().splitlines()]
    assert 0 < len(lines) < 60_000 and all(line["mail"].startswith("seal:t1:") for line in lines)
    (sealstream.folder / "policy.yaml").write_text(POLICY.format(address=ADDRESS))
    assert reveal(sealstream, lines)[0] == [{"mail": f"person{i}@example.org"} for i in range(len(lines))]
