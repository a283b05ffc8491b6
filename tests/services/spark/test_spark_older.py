"""The tests of columns and errors with PySpark 3.5, which run in an environment of their own (spark_installs.py)."""
import os
import pathlib
import re
import subprocess
import xml.etree.ElementTree

import pytest
import spark_installs

FILES = [pathlib.Path(__file__).with_name(f"test_spark_{name}.py") for name in ("columns", "errors")]
NAMES = [name for path in FILES for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """{name of a test: what became of it, for each of its parameters}"""
    report = tmp_path_factory.mktemp("older") / "results.xml"
    python = spark_installs.older_python()
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "SPARK", "PYTHON"))}
    words = [python, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--tb=short", f"--junit-xml={report}", *FILES]
    done = subprocess.run(words, capture_output=True, text=True, timeout=3000, cwd=FILES[0].parent, env=own)
    print(done.stdout[-8000:], done.stderr[-4000:])
    found = {}
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        found.setdefault(case.get("name").partition("[")[0], []).append(case)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_with_pyspark_3_5(results, name):
    assert results[name]
    bad = [case for case in results[name] if {"failure", "error", "skipped"} & {part.tag for part in case}]
    assert not bad, "".join(part.text or "" for case in bad for part in case)
