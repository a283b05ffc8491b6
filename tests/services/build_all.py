#!/usr/bin/python3
"""Compiles and fetches ahead what these tests need once a machine, one after the other: Vault, Terraform and its providers,
stand-ins of streaming services, the virtual environment of ./run, Spark."""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE / "platforms"))
import installs
import terraform_build
import vault_build
from once import run

if __name__ == "__main__":
    print(vault_build.program())
    print(terraform_build.programs())
    print(*installs.programs())
    run(HERE / "run", "--python", HERE / "spark" / "spark_installs.py")
