"""Do protected values have the sizes that the table in docs/FORMAT.md says?"""
import json
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "FORMAT.md").read_text()
HEADING = re.compile(r"^\| \| ([0-9 |]+) \| each record besides \|$", re.M)
METHODS = {
    "`encrypt`": "{type: encrypt, key: k}",
    "`envelope`, `carry: value`": "{type: envelope, key: k}",
    "`envelope`, `carry: header`": "{type: envelope, key: k, carry: header}",
    "`envelope`, `key: {per: …}`": "{type: envelope, key: {name: k, per: $.id}}",
    "`encrypt`, payload": "{type: encrypt, key: k}",
    "`envelope`, payload": "{type: envelope, key: k}",
    "`envelope`, payload, `carry: bytes`": "{type: envelope, key: k, carry: bytes}",
}


def table():
    """{row: sizes}, and the lengths of plaintexts."""
    found = HEADING.search(TEXT)
    lengths = [int(n) for n in found[1].split("|")]
    rows = {}
    for line in TEXT[found.end():].splitlines()[2:]:
        if not line.startswith("|"):
            break
        name, *sizes = [cell.strip() for cell in line.strip("|").split(" | ")]
        rows[name] = [int(size) for size in sizes]
    return lengths, rows


LENGTHS, ROWS = table()


def test_table_is_whole():
    assert LENGTHS == [0, 16, 100, 1000] and list(ROWS) == list(METHODS)
    assert all(len(sizes) == len(LENGTHS) + 1 for sizes in ROWS.values())


@pytest.mark.parametrize("name", METHODS)
def test_sizes(name, sealstream, tmp_path):
    payload, per = "payload" in name, "per:" in METHODS[name]
    path = "$" if payload else "$.a"
    store = f'stores: {{main: "sqlite:{tmp_path}/keys.db"}}\n' if per else ""
    (tmp_path / "policy.yaml").write_text(
        f'version: 1\nkeys: {{k: "local:k"}}\n{store}topics:\n- match: t\n  format: {"bytes" if payload else "json"}\n'
        f"  protect: {{{path}: {METHODS[name]}}}\n")
    sealstream.run("key", "create", "k")
    for length, size in zip(LENGTHS, ROWS[name]):
        plain = "x" * length
        value = plain if payload else json.dumps({"id": 7, "a": plain} if per else {"a": plain}, separators=(",", ":"))
        line = json.dumps({"payload": value}).encode() + b"\n"
        if "carry: bytes" in METHODS[name]:  # no JSON holds them, and an empty line is no record
            out, _ = sealstream.run("protect", "-p", "policy.yaml", input=(plain or "x").encode() + b"\n")
            assert len(out) - 1 == size + (length == 0)
            continue
        out, _ = sealstream.run("protect", "-J", "-p", "policy.yaml", input=line)
        made = json.loads(out)
        headers = sum(map(len, made.get("headers", [])))
        got = made["payload"] if payload else json.dumps(json.loads(made["payload"])["a"])
        assert (len(got), headers) == (size, ROWS[name][-1])
