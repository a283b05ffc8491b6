"""The blocks of README.md and docs/VAULT.md that are marked `<!-- run: vault -->`, the policies of docs/VAULT.md, and docs/WALKTHROUGH.md.

Blocks of one file run in order, in one directory, with the program, `vault` and `bao` on PATH and a fresh server in the environment. Those of the
walkthrough (`<!-- run: walkthrough -->`; with `, real` only where the services are real) run in one shell, which has a cluster, too.
"""
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^<!-- run: vault -->\n+```sh\n(.*?)^```", re.M | re.S)
POLICY = re.compile(r"^<!-- policy: ([\w-]+) -->\n+```hcl\n(.*?)^```", re.M | re.S)
WALKTHROUGH = ROOT / "docs/WALKTHROUGH.md"
WALKTHROUGH_BLOCK = re.compile(r"^<!-- run: walkthrough(, real)? -->\n+```sh\n(.*?)^```", re.M | re.S)
FILE = re.compile(r"^<!-- file: (\S+) -->\n+```\w*\n(.*?)^```", re.M | re.S)
FILES = ("README.md", "docs/VAULT.md")


def blocks(name):
    return BLOCK.findall((ROOT / name).read_text())


def run_walkthrough(folder, program, tools, environment, brokers, real):
    """As a reader would, with `tools` that has kafka-topics.sh, too. Returns what it printed."""
    text = WALKTHROUGH.read_text().replace("localhost:9092", brokers)
    for name, content in FILE.findall(text):
        (folder / name).write_text(content)
    script = "\n".join(block for only_real, block in WALKTHROUGH_BLOCK.findall(text) if real or not only_real)
    done = subprocess.run(["bash", "-euxo", "pipefail", "-c", script], cwd=folder, env=search_path(folder, program, tools) | environment,
                          timeout=600, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def policies():
    """{name: HCL text} of docs/VAULT.md."""
    return dict(POLICY.findall((ROOT / "docs/VAULT.md").read_text()))


def search_path(folder, program, tools):
    """An environment that has the program and `tools`, and nothing of the user's."""
    found = {"PATH": f"{pathlib.Path(program).resolve().parent}:{tools}:{os.environ['PATH']}", "HOME": str(folder), "LANG": "C.UTF-8"}
    return found | {key: value for key, value in os.environ.items() if key.endswith("SAN_OPTIONS") or key == "SEALSTREAM_SANDBOX"}


def run_blocks(name, folder, program, tools, environment):
    """Runs them with `tools`, a directory that has vault and bao."""
    environment = search_path(folder, program, tools) | environment
    for block in blocks(name):
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=folder, env=environment, timeout=400,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{name}:\n{block}\n{done.stdout}{done.stderr}"
