#!/usr/bin/python3
"""HashiCorp Vault for tests, compiled once a machine: its release 1.13.0 (MPL-2.0) is served as a Go module.

Usage: tests/services/vault_build.py     prints where the program is, having built it when it was not there

It stays in $SEALSTREAM_TEST_CACHE/vault-1.13.0 (default ~/.cache/sealstream-tests). From nothing that takes ten minutes on two
cores, so `.ci/run` starts it early and at low priority; whoever needs the program meanwhile waits for the lock.

Any Go will do: one that is too old (Debian 12's is 1.19) fetches a newer one first, as a module, too.
"""
import fcntl
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

from kafka_node import die_with_parent

VERSION = "1.13.0"
GO = "1.26.8"  # what the recipe was tried with; older than 1.26 would not do

MAIN = """package main

import (
	"os"

	"github.com/hashicorp/vault/command"
)

func main() { os.Exit(command.Run(os.Args[1:])) }
"""
# `go install` refuses a module with `replace` lines. Those two are not in the module's archive: the ones that it names.
MODULE = f"""module vaultserver

go 1.26.0

require github.com/hashicorp/vault v{VERSION}

replace (
	github.com/hashicorp/vault/api => github.com/hashicorp/vault/api v1.9.0
	github.com/hashicorp/vault/sdk => github.com/hashicorp/vault/sdk v0.8.1
)
"""


class NoGo(Exception):
    """There is nothing here to compile it with."""


def cache_folder():
    default = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "sealstream-tests"
    return pathlib.Path(os.environ.get("SEALSTREAM_TEST_CACHE") or default)


def go_command():
    """The machine's Go, or, where that is too old, the one that it downloads: (path, environment)."""
    found = shutil.which("go")
    if found is None:
        raise NoGo("no `go` here to compile Vault with; dev/install-packages services")
    environment = os.environ | {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"}

    def say(*arguments):
        return subprocess.run([found, *arguments], env=environment | {"GOFLAGS": ""}, check=True, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, cwd="/").stdout

    version = re.search(r"go(\d+)\.(\d+)", say("version"))
    if tuple(map(int, version.groups())) >= tuple(map(int, GO.split(".")[:2])):
        return found, environment
    tools = f"golang.org/toolchain@v0.0.1-go{GO}.{say('env', 'GOOS').strip()}-{say('env', 'GOARCH').strip()}"
    root = pathlib.Path(json.loads(say("mod", "download", "-json", tools))["Dir"])
    for program in [*root.glob("bin/*"), *root.glob("pkg/tool/*/*")]:
        program.chmod(0o555)  # an archive of a module keeps no modes
    return root / "bin" / "go", environment | {"GOROOT": str(root)}


def build(folder):
    folder.mkdir(parents=True)
    (folder / "main.go").write_text(MAIN)
    (folder / "go.mod").write_text(MODULE)
    go, environment = go_command()
    subprocess.run([go, "build", "-ldflags=-s -w", "-o", "vault", "."], cwd=folder, env=environment, check=True,
                   stdin=subprocess.DEVNULL, stdout=sys.stderr, preexec_fn=die_with_parent)


def is_built(cache=None):
    return ((cache or cache_folder()) / f"vault-{VERSION}" / "vault").exists()


def program(cache=None):
    """The path of the program; builds it when it is not there. Two that ask at once build it once."""
    cache = cache or cache_folder()
    folder = cache / f"vault-{VERSION}"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / f"vault-{VERSION}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_built(cache):
            part = cache / f"vault-{VERSION}.part"
            for old in (part, folder):
                shutil.rmtree(old, ignore_errors=True)
            build(part)
            part.rename(folder)
    return folder / "vault"


if __name__ == "__main__":
    print(program())
