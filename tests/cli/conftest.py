"""What every test of the program has: a clean environment and a way to run it.

By hand: SEALSTREAM=build/sealstream pytest tests/cli
"""
import os
import pathlib
import subprocess

import pytest

from shop import Program, Shop

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = pathlib.Path(os.environ.get("SEALSTREAM", ROOT / "build" / "sealstream")).resolve()


@pytest.fixture
def home(tmp_path):
    """An empty directory that is the program's whole world: HOME, data, temporary files."""
    for name in ("data", "tmp"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def run(home):
    """run("policy", "lint", "p.yaml", input=b"…") in `home`; gives returncode, stdout and stderr as text."""
    env = {name: value for name, value in os.environ.items()
           if not name.startswith(("SEALSTREAM", "VAULT_", "XDG_")) or name == "SEALSTREAM_SANDBOX"}
    env |= {"HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "TMPDIR": str(home / "tmp"), "LC_ALL": "C.UTF-8"}

    def run_program(*words, input=b"", env_more=None, timeout=240):
        done = subprocess.run([str(PROGRAM), *map(str, words)], input=input, capture_output=True, cwd=home,
                              env=env | (env_more or {}), timeout=timeout, check=False)
        done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
        return done

    return run_program


@pytest.fixture
def program(tmp_path):
    return Program(tmp_path)


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


@pytest.fixture
def other_shop(tmp_path):
    """The same names, but keys of its own."""
    folder = tmp_path / "other"
    folder.mkdir()
    return Shop(folder)
