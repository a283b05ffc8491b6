"""docs/WALKTHROUGH.md does what it says, in one shell: on the embedded broker and the double of Vault; tests/services runs it on real ones."""
import os
import pathlib
import re
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[0] / "stream")]
from broker import Broker  # noqa: E402
from documents import ROOT, WALKTHROUGH, run_walkthrough  # noqa: E402
from double import ApiError, Double  # noqa: E402

PROGRAM = pathlib.Path(os.environ.get("SEALSTREAM", ROOT / "build" / "sealstream")).resolve()
TOPICS = {"purchases", "purchases_encrypted", "purchases_large_encrypted"}


@pytest.fixture
def broker():
    broker = Broker()
    yield broker
    broker.stop()


def write_tools(folder):
    """What the walkthrough types: `vault`, and `kafka-topics.sh`, of which the embedded broker needs nothing: it makes what is asked for."""
    folder.mkdir()
    for name, command in {"vault": f"exec {sys.executable} {HERE}/server_cli.py", "kafka-topics.sh": f"echo >>{folder.parent}/topics"}.items():
        (folder / name).write_text(f'#!/bin/sh\n{command} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


def test_walkthrough(tmp_path, broker, certificates):
    tools = write_tools(tmp_path / "tools")
    folder = tmp_path / "work"
    folder.mkdir()
    with Double(tls=certificates, mounts=()) as double:
        fast = {"SEALSTREAM_COMMAND_PROPERTY": "session.timeout.ms=6000",
                "SEALSTREAM_DELIVERY": "at-least-once"}  # the embedded broker rebalances after that, not before
        out = run_walkthrough(folder, PROGRAM, tools, double.environment() | fast, broker.address, real=False)
        with pytest.raises(ApiError, match="404"):
            double.api("GET", "transit/keys?list=true")  # none is left
    assert "all 20 are back, byte for byte" in out
    made = (tmp_path / "topics").read_text().split("\n")
    assert {re.search(r"--topic (\S+)", line)[1] for line in made if line} == TOPICS


def test_every_command_is_there():
    """What the table of scripts names."""
    table = WALKTHROUGH.read_text().split("## What you need")[0]
    for command in re.findall(r"`sealstream ([a-z]+(?: (?:send|receive|create))?)", table):
        subprocess.run([PROGRAM, *command.split(), "--help"], check=True, capture_output=True)
