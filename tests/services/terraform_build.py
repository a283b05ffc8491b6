#!/usr/bin/python3
"""Terraform and its providers for tests, compiled once a machine from Go modules; all of them MPL-2.0.

Usage: tests/services/terraform_build.py     prints where they are, having built them when they were not there

    terraform                1.5.7, the last one under a free licence
    provider `vault`         3.3.1: the newest one that is served as a module, by the version that names its commit
    stand-in                 standin/main.go, in the place of `confluent` and `local`

They stay in $SEALSTREAM_TEST_CACHE/terraform-…; from nothing that takes four minutes on two cores. `terraform init` finds the
providers in the folder `mirror` and asks no registry.
"""
import fcntl
import hashlib
import pathlib
import shutil
import subprocess
import sys

from kafka_node import die_with_parent
from vault_build import cache_folder, go_command

TERRAFORM = "1.5.7"
VAULT = "3.3.1"
VAULT_MODULE = "github.com/hashicorp/terraform-provider-vault@v1.9.1-0.20220225202911-91f40a2aed19"
SDK = "github.com/hashicorp/terraform-plugin-sdk/v2 v2.10.0"
# Versions that the stand-in pretends to be: those whose description it is given.
STANDINS = {"confluentinc/confluent": "2.82.0", "hashicorp/local": "2.2.0"}

STANDIN = pathlib.Path(__file__).parent / "standin" / "main.go"
CONFIG = """disable_checkpoint = true
provider_installation {{
  filesystem_mirror {{
    path = "{mirror}"
  }}
}}
"""


def install(module, folder):
    go, environment = go_command()
    subprocess.run([go, "install", "-ldflags=-s -w", module], cwd="/", env=environment | {"GOBIN": str(folder)}, check=True,
                   stdin=subprocess.DEVNULL, stdout=sys.stderr, preexec_fn=die_with_parent)


def compile_standin(folder):
    go, environment = go_command()
    source = folder / "standin-source"
    source.mkdir()
    shutil.copy(STANDIN, source)
    (source / "go.mod").write_text(f"module standin\n\ngo 1.20\n\nrequire {SDK}\n")
    subprocess.run([go, "build", "-ldflags=-s -w", "-o", folder / "standin", "."], cwd=source, env=environment, check=True,
                   stdin=subprocess.DEVNULL, stdout=sys.stderr, preexec_fn=die_with_parent)


def place(program, mirror, source, version):
    """Puts a provider where Terraform looks for it."""
    go, environment = go_command()
    platform = subprocess.run([go, "env", "GOOS", "GOARCH"], env=environment, check=True, capture_output=True, text=True,
                              cwd="/", stdin=subprocess.DEVNULL).stdout.split()
    folder = mirror / "registry.terraform.io" / source / version / "_".join(platform)
    folder.mkdir(parents=True)
    shutil.copy(program, folder / f"terraform-provider-{source.split('/')[1]}_v{version}")


def build(folder):
    folder.mkdir(parents=True)
    install(f"github.com/hashicorp/terraform@v{TERRAFORM}", folder)
    install(VAULT_MODULE, folder)
    compile_standin(folder)
    place(folder / "terraform-provider-vault", folder / "mirror", "hashicorp/vault", VAULT)
    for source, version in STANDINS.items():
        place(folder / "standin", folder / "mirror", source, version)


def programs(cache=None):
    """The folder with `terraform` and `mirror`; builds them when they are not there. Two that ask at once build once."""
    cache = cache or cache_folder()
    mark = hashlib.sha256(STANDIN.read_bytes() + repr((VAULT_MODULE, SDK, STANDINS)).encode()).hexdigest()[:12]
    folder = cache / f"terraform-{TERRAFORM}-{mark}"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "terraform.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            part = cache / "terraform.part"
            shutil.rmtree(part, ignore_errors=True)
            build(part)
            part.rename(folder)
    return folder


class Terraform:
    """One module of deploy/terraform, copied to `folder`, where its state is."""

    def __init__(self, cache, module, folder, **environment):
        self.built = programs(cache)
        self.folder = folder / f"terraform-{module.name}"
        shutil.copytree(module, self.folder, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
        settings = folder / "terraformrc"
        settings.write_text(CONFIG.format(mirror=self.built / "mirror"))
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "TF_CLI_CONFIG_FILE": str(settings),
                            "TF_IN_AUTOMATION": "1"} | environment
        self.run("init", "-input=false")

    def run(self, *arguments, ok=(0,)):
        """The result of one command, which must end with one of these codes."""
        done = subprocess.run([self.built / "terraform", *arguments[:1], "-no-color", *arguments[1:]], cwd=self.folder,
                              env=self.environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
        assert done.returncode in ok, f"terraform {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done


if __name__ == "__main__":
    print(programs())
