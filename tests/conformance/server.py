#!/usr/bin/env python3
"""Vault's double, as a file of cases wants it; nothing where it wants none.

Usage: server.py FILE RUNNER      runs RUNNER FILE where VAULT_ADDR and VAULT_TOKEN name it
"""
import contextlib
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "vault"))
from double import Double


def transformation(vault, name, given):
    """Written as an administrator does it; its key and tweak, which a server draws, are then as given."""
    engine, body = vault.engine("transform"), dict(given)
    key, tweak, kind = body.pop("key", ""), body.pop("tweak", ""), body.pop("type")
    engine.algorithm = body.pop("algorithm", "ff3-1")
    vault.api("POST", f"transform/transformations/{kind}/{name}", body | {"allowed_roles": ["*"]})
    if key:
        made = engine.transformations[name]
        made.key, made.internal_tweak = bytes.fromhex(key), bytes.fromhex(tweak)


@contextlib.contextmanager
def serving(document):
    """The variables with which the server of this file is found."""
    wanted = document.get("transform")
    if wanted is None:
        yield {}
        return
    with Double("vault-enterprise", mounts=("transform",)) as vault:
        for name, alphabet in wanted["alphabets"].items():
            vault.api("POST", f"transform/alphabet/{name}", {"alphabet": alphabet})
        for name, template in wanted["templates"].items():
            vault.api("POST", f"transform/template/{name}", template)
        for name, given in wanted["transformations"].items():
            transformation(vault, name, given)
        for name, names in wanted["roles"].items():
            vault.api("POST", f"transform/role/{name}", {"transformations": names})
        yield {name: str(value) for name, value in vault.environment().items()}


if __name__ == "__main__":
    with serving(json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))) as found:
        sys.exit(subprocess.run([sys.argv[2], sys.argv[1]], env={**os.environ, **found}, check=False).returncode)
