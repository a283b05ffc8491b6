"""The examples in README.md and docs/ do what they say: ```sh blocks after a line `<!-- run -->` are executed.

Each runs with bash -eu in an empty directory with the program on PATH; blocks of one file share it, in order.
"""
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SEALSTREAM", ROOT / "build" / "sealstream")).resolve().parent
BLOCK = re.compile(r"^<!-- run -->\n+```sh\n(.*?)^```", re.M | re.S)
FILES = {path.relative_to(ROOT).as_posix(): BLOCK.findall(path.read_text())
         for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]}


def test_the_readme_has_runnable_blocks():
    assert FILES["README.md"]


@pytest.mark.parametrize("name", [name for name, blocks in FILES.items() if blocks])
def test_blocks_run(name, tmp_path):
    environment = {"PATH": f"{BUILD}:{os.environ['PATH']}", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    environment |= {key: value for key, value in os.environ.items() if key.endswith("SAN_OPTIONS")}
    for block in FILES[name]:
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=tmp_path, env=environment, timeout=120,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 0, f"{name}:\n{block}\n{done.stdout}{done.stderr}"


def test_what_is_named_is_there():
    """Links to files of the tree, `make` targets and folders of src/ that the README names."""
    text = (ROOT / "README.md").read_text()
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / link).exists(), link
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make ([a-z-]+)", text, re.M):
        assert re.search(rf"^{target}:", makefile, re.M), target
    for folder in re.findall(r"^\d+\. `([a-z]+)/`", text, re.M):
        assert (ROOT / "src" / folder).is_dir(), folder
