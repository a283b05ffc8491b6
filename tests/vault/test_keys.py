"""The `key` commands on Transit, against the double: as OpenBao, as Vault, and when it does what it should not."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from double import Double  # noqa: E402
from key_cases import *  # noqa: E402, F401, F403
from key_cases import TYPES, Place  # noqa: E402
from program import Program  # noqa: E402


def place_at(double, folder):
    def api(method, path, body):
        answer = double.api(method, path, body)
        return answer and answer["data"]

    types = (*TYPES, "xchacha20-poly1305") if double.core.product == "openbao" else TYPES
    return Place(Program(folder), "transit", double.environment(), api, types)


@pytest.fixture(params=["openbao", "vault"])
def place(request, certificates, tmp_path):
    with Double(request.param, tls=certificates) as double:
        yield place_at(double, tmp_path)
