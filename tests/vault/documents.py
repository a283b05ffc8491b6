"""The blocks of README.md and docs/VAULT.md that are marked `<!-- run: vault -->`, and the policies of docs/VAULT.md.

Blocks of one file run in order, in one directory, with the program, `vault` and `bao` on PATH and a fresh server in the environment.
"""
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^<!-- run: vault -->\n+```sh\n(.*?)^```", re.M | re.S)
POLICY = re.compile(r"^<!-- policy: ([\w-]+) -->\n+```hcl\n(.*?)^```", re.M | re.S)
FILES = ("README.md", "docs/VAULT.md")


def blocks(name):
    return BLOCK.findall((ROOT / name).read_text())


def policies():
    """{name: HCL text} of docs/VAULT.md."""
    return dict(POLICY.findall((ROOT / "docs/VAULT.md").read_text()))


def run_blocks(name, folder, program, tools, environment):
    """Runs them with `tools`, a directory that has vault and bao."""
    environment = {"PATH": f"{pathlib.Path(program).resolve().parent}:{tools}:{os.environ['PATH']}", "HOME": str(folder),
                   "LANG": "C.UTF-8"} | environment
    environment |= {key: value for key, value in os.environ.items() if key.endswith("SAN_OPTIONS")}
    for block in blocks(name):
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=folder, env=environment, timeout=120,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{name}:\n{block}\n{done.stdout}{done.stderr}"
