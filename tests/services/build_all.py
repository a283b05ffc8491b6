#!/usr/bin/python3
"""Compiles ahead what these tests compile once a machine, one after the other: Vault, then Terraform and its providers."""
import terraform_build
import vault_build

if __name__ == "__main__":
    print(vault_build.program())
    print(terraform_build.programs())
