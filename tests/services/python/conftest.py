"""python: does the package work with the libraries that its users have? build/python is what `make` builds."""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "build" / "python"), str(ROOT / "tests" / "python")]
from package_kit import engine, keyring, policy

__all__ = ["engine", "keyring", "policy"]
