"""The cases, run by the program: records are envelopes of kcat -J, or lines where a case says so.

By hand: SEALSTREAM=build/sealstream pytest-3 tests/conformance/test_program.py
"""
import json
import pathlib
import re
import subprocess
import sys

import pytest
import suite

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import Program

GROUPS = list(suite.groups())
PLACE = re.compile(r"stdin:(\d+)(?: \([^)]*/-1/\d+\))?(?:: (.*))?")
KEY_HEADER = "seal-key"


@pytest.fixture(scope="module")
def rings(tmp_path_factory):
    """The program with the keyring of each set of keys, made once."""
    made = {}

    def ring_of(keys):
        if str(keys) not in made:
            folder = tmp_path_factory.mktemp("ring")
            made[str(keys)] = program = Program(folder)
            for name, key in keys.items():
                flags = ["--" + flag for flag in ("derived", "convergent") if key.get(flag)]
                for material in key["versions"]:
                    (folder / "material").write_bytes(bytes.fromhex(material))
                    program.run("key", "import", name, "--type", key["type"], *flags, "--material", "material")
                if "min_decryption_version" in key:
                    program.run("key", "config", name, "--min-decryption-version", key["min_decryption_version"])
        return made[str(keys)]

    return ring_of


def failures(said):
    """{number of the record, or 0 for the run: Failure}"""
    found = {}
    for line in said.splitlines():
        told = json.loads(line)
        if told["level"] == "error":
            at = PLACE.fullmatch(told["place"])
            failure = suite.Failure(told["class"], told["code"], (at[2] or "") if at else told["place"])
            assert found.setdefault(int(at[1]) if at else 0, failure) is failure, said
    return found


def text_of(value):
    return None if value is None else value.decode()


def bytes_of(text):
    return None if text is None else text.encode()


def envelope(case, record):
    """A record with the part that the case is about, and nothing else; or all of it."""
    part, text = case.get("part", "value"), text_of(record.value)
    if case.get("whole"):
        headers = [each for name, value in record.headers for each in (name, text_of(value))]
        return json.dumps({"topic": case["topic"], "key": text_of(record.key), "payload": text, "headers": headers}).encode()
    made = {"topic": case["topic"], "payload": None}
    if part == "value":
        made["payload"] = text
    elif part == "key":
        made["key"] = text
    else:
        made["headers"] = [part.removeprefix("header:"), text]
    if record.key_header is not None:
        made["headers"] = [KEY_HEADER, record.key_header.decode()]
    return json.dumps(made).encode()


def part_of(case, line):
    """The reverse."""
    made, part = json.loads(line), case.get("part", "value")
    if case.get("whole"):
        names, values = made.get("headers", [])[::2], map(bytes_of, made.get("headers", [])[1::2])
        return suite.Record(bytes_of(made["payload"]), None, bytes_of(made["key"]), tuple(zip(names, values)))
    headers = dict(zip(made.get("headers", [])[::2], made.get("headers", [])[1::2]))
    text = made["payload"] if part == "value" else made["key"] if part == "key" else headers[part.removeprefix("header:")]
    header = headers.get(KEY_HEADER)
    return suite.Record(bytes_of(text), bytes_of(header))


def run(program, policy, case, direction, records):
    """A Record or Failure of each; a Failure alone when the run fails."""
    lines = case.get("lines", False)
    options = [] if lines else ["-J"]
    if "max_record_bytes" in case:
        options += ["--max-record-bytes", case["max_record_bytes"]]
    given = [record.value if lines else envelope(case, record) for record in records]
    assert not any(b"\n" in line for line in given), "lines would not tell these records apart"
    out, said = program.run(direction, "-p", policy, "-t", case["topic"], *options, "--log-format", "json",
                            input=b"".join(line + b"\n" for line in given), exit_code=None)
    failed = failures(said)
    if 0 in failed:
        assert out == b"" and len(failed) == 1
        return failed[0]
    made = iter(out.split(b"\n")[:-1])
    results = [failed[at] if at in failed else suite.Record(next(made)) if lines else part_of(case, next(made))
               for at in range(1, len(records) + 1)]
    assert next(made, None) is None, "more records than came"
    return results


@pytest.fixture(scope="module")
def servers():
    with suite.Servers() as started:
        yield started


@pytest.mark.parametrize("name, document, group", GROUPS, ids=[name for name, _, _ in GROUPS])
def test_group(name, document, group, rings, servers, tmp_path):
    program, policy = rings(document["keys"]), tmp_path / "policy.yaml"
    program.environment |= servers.environment(document)
    policy.write_text(suite.policy_of(group, tmp_path / "store.db"), encoding="utf-8")
    if "fails" in group:
        topic = next(line for line in group["policy"] if "match:" in line).split("match:")[1].strip()
        got = run(program, policy, {"topic": topic}, "protect", [suite.Record(None)])
        assert isinstance(got, suite.Failure), got
        got = got._replace(place=got.place.removeprefix(f"{tmp_path}/"))
        assert suite.has_failed(group["fails"], got), got
        return
    for case in group["cases"]:
        if case.get("library"):
            continue
        got = run(program, policy, case, case["direction"], suite.inputs(case))
        if "fails" in case:
            assert suite.has_failed(case["fails"], got), got
            continue
        assert isinstance(got, list), got
        back = suite.back(case)
        suite.check(case, got, lambda records, back=back: run(program, policy, back, "reveal", records))


def words(schema):
    """(word, one of its values, or None) of all that may stand in a policy; no free text."""
    if isinstance(schema, dict):
        for word, value in schema.get("properties", {}).items():
            yield from [(word, None), *((word, each) for each in (value if isinstance(value, dict) else {}).get("enum", []))]
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else []:
        yield from words(inner)


def test_every_word_of_a_policy_occurs(rings):
    """Each method, option and choice; but for `tests:`, which `policy test` runs."""
    schema = json.loads(rings({}).run("policy", "schema")[0])
    texts = "\n".join(line for _, _, group in GROUPS if "fails" not in group for line in group["policy"])
    known = set(words(schema))
    missing = [(word, value) for word, value in known if not re.search(
        rf"\b{word}\b['\"]?:" if value is None else rf"\b{word}: ['\"]?{re.escape(str(value))}\b", texts)]
    assert ("type", "transform") in known and ("tweak_bytes", None) in known
    assert sorted(word for word, _ in missing) == ["error", "in", "out", "round_trip", "tests"], missing


def test_every_type_of_key_occurs(rings):
    found = {key["type"] for _, document, _ in GROUPS for key in document["keys"].values()}
    told = " ".join(rings({}).run("key", "create", "--help")[0].decode().split())
    assert set(re.search(r"\(one of ([^;)]*)", told)[1].split(", ")) == found


def test_files_are_what_generate_makes(tmp_path):
    """Whoever changes a case changes both."""
    subprocess.run([sys.executable, suite.FOLDER / "generate", tmp_path], check=True)
    assert {path.name: path.read_text() for path in tmp_path.glob("*.json")} == \
        {path.name: path.read_text() for path in suite.FILES}
