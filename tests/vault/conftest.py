"""What every test against the double has: the double, and the program pointed at it.

By hand: SEALSTREAM=build/sealstream pytest tests/vault
"""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from double import Double  # noqa: E402
from transport import make_certificates  # noqa: E402


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def vault(certificates):
    """An OpenBao over TLS with the mount `transit`."""
    with Double(tls=certificates) as double:
        yield double


@pytest.fixture
def shop(tmp_path, vault):
    from shop import Shop
    return Shop(tmp_path, vault)


@pytest.fixture
def impatient(tmp_path, vault):
    """One try, and no waiting for a server that is away."""
    from shop import IMPATIENT, Shop
    return Shop(tmp_path, vault, **IMPATIENT)
