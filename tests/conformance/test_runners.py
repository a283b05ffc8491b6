"""The suite can fail: each expectation is spoiled in turn, and the runner of the C API and what the others share notice."""
import copy
import os
import subprocess

import pytest
import suite

RUNNER = os.environ.get("CONFORMANCE", suite.FOLDER.parents[1] / "build" / "tests" / "conformance" / "conformance")
POLICY = ["version: 1", "keys: {pii: 'local:pii'}", "topics:", "- match: t", "  on_error: drop",
          "  protect: {$.a: {type: encrypt, key: pii}, $.r: {type: redact}}"]
KEYS = {"pii": {"type": "aes256-gcm96", "versions": ["00" * 32]}}
RECORDS = [{"in": '{"r":1}', "out": '{"r":"[redacted]"}', "reveals_to": '{"r":"[redacted]"}'},
           {"in": '{"a":1}', "out": {"like": '[{]"a":"json[+]vault:v1:[^"]+"[}]'}, "reveals_to": '{"a":1}',
            "differs_from": 0},
           {"in": '{"r":2}', "same_as": 0}, {"in": None, "out": None},
           {"in": "{", "error": {"status": "data", "code": "syntax", "place": "byte 1"}}]
CASE = {"name": "c", "topic": "t", "reveal_topic": "t", "direction": "protect", "on_error": "drop", "records": RECORDS}
REFUSED = {"name": "r", "policy": ["version: 2", "topics: [{match: t, protect: {$.a: {type: redact}}}]"],
           "fails": {"status": "usage", "code": "config", "place": "policy.yaml:1:10"}}
DOCUMENT = {"keys": KEYS, "groups": [{"name": "g", "policy": POLICY, "cases": [CASE]}, REFUSED]}
CASE_AT = ("groups", 0, "cases", 0)
SPOILED = [(*CASE_AT, "records", *path) for path in (
    (0, "out"), (0, "in"), (0, "reveals_to"), (1, "out", "like"), (1, "out"), (1, "reveals_to"), (3, "in"), (3, "out"),
    (4, "in"), (4, "error", "status"), (4, "error", "code"), (4, "error", "place"))]
SPOILED += [(*CASE_AT, "on_error"), (*CASE_AT, "topic"), (*CASE_AT, "reveal_topic"),
            ("groups", 1, "policy", 1), ("groups", 1, "fails", "status"),
            ("groups", 1, "fails", "code"), ("groups", 1, "fails", "place")]
OTHERS = [(1, "same_as"), (2, "differs_from")]  # of record 0


def runs(document, tmp_path):
    path = tmp_path / "cases.json"
    path.write_text(suite.json.dumps(document))
    return subprocess.run([RUNNER, path], capture_output=True, check=False, timeout=60)


def test_all_is_well(tmp_path):
    done = runs(DOCUMENT, tmp_path)
    assert done.returncode == 0 and b"6 records" in done.stdout, done.stderr


@pytest.mark.parametrize("path", SPOILED, ids=lambda path: ".".join(map(str, path)))
def test_an_expectation_that_is_not_met(path, tmp_path):
    document = copy.deepcopy(DOCUMENT)
    at = document
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = '{"r":"spoiled"}' if path[-1] != "in" else '{"x":1}'
    assert runs(document, tmp_path).returncode == 1


@pytest.mark.parametrize("index, member", OTHERS)
def test_others_of_the_batch(index, member, tmp_path):
    document = copy.deepcopy(DOCUMENT)
    document["groups"][0]["cases"][0]["records"][index][member] = 0
    assert runs(document, tmp_path).returncode == 1


def test_a_file_without_cases(tmp_path):
    assert runs(DOCUMENT | {"groups": []}, tmp_path).returncode == 1


RESULTS = [suite.Record(b'{"r":"[redacted]"}'), suite.Record(b'{"a":"json+vault:v1:x"}'),
           suite.Record(b'{"r":"[redacted]"}'),
           suite.Record(None), suite.Failure("data", "syntax", "byte 1")]
REVEALED = [suite.Record(b'{"r":"[redacted]"}'), suite.Record(b'{"a":1}')]


def test_what_the_runners_in_python_share():
    suite.check(CASE, RESULTS, lambda _: REVEALED)
    others = [suite.Record(b"x"), suite.Record(b""), suite.Failure("data", "type", "byte 1"),
              suite.Failure("usage", "syntax", "byte 1"), suite.Failure("data", "syntax", "")]
    for at in range(len(RESULTS)):
        for other in others:
            with pytest.raises(AssertionError):
                suite.check(CASE, [*RESULTS[:at], other, *RESULTS[at + 1:]], lambda _: REVEALED)
    with pytest.raises(AssertionError):
        suite.check(CASE, RESULTS[:-1], lambda _: REVEALED)
    for wrong in (REVEALED[::-1], REVEALED[:1], [REVEALED[0], suite.Failure("data", "tampered", "")]):
        with pytest.raises(AssertionError):
            suite.check(CASE, RESULTS, lambda _, wrong=wrong: wrong)


@pytest.mark.parametrize("record, got", [
    ({"out": {"value": "x", "key_header": {"like": "k+"}}}, suite.Record(b"x")),
    ({"out": {"value": "x", "key_header": None}}, suite.Record(b"x", b"k")), ({"same_as": 1}, suite.Record(b"x")),
    ({"differs_from": 1}, suite.Record(b"y")), ({"out": None}, suite.Record(b"")), ({"out": ""}, suite.Record(None))])
def test_headers_and_others(record, got):
    with pytest.raises(AssertionError):
        suite.check({"name": "c", "records": [record, {}]}, [got, suite.Record(b"y")], None)
