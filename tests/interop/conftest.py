"""interop: does a second implementation, written from docs/FORMAT.md alone, read and write the same values?"""
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "interop"), str(ROOT / "tests"), str(ROOT / "tests" / "vault")]
from program import Program


@pytest.fixture
def sealstream(tmp_path):
    return Program(tmp_path)
