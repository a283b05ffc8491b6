"""What every test of the package has; package_kit makes it.

By hand: PYTHONPATH=build/python pytest-3 tests/python
"""
from package_kit import clean_environment, engine, keyring, policy

__all__ = ["clean_environment", "engine", "keyring", "policy"]
