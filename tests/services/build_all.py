#!/usr/bin/python3
"""Compiles and fetches ahead what these tests need once a machine, one after the other: Vault, Terraform and its providers,
stand-ins of streaming services."""
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent / "platforms"))
import installs
import terraform_build
import vault_build

if __name__ == "__main__":
    print(vault_build.program())
    print(terraform_build.programs())
    print(*installs.programs())
