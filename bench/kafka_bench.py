"""What the measurements over real services share: a broker, a clean environment, a policy, and processes whose time counts."""
import contextlib
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "services")]
POLICY = """version: 1
namespace: bench
keys: {pii: "local:pii", cards: "local:cards"}
topics:
- match: "*"
  protect:
    $.Address: {type: encrypt, key: pii}
    $.credit_card: {type: fpe, key: cards, alphabet: digits}
"""


def prepare(program, run="tests/services/run", sign="SEALSTREAM_TEST_CACHE"):
    """Starts `program` anew in the environment of `run`, which has the foreign client and where downloads stay, and sets `sign`."""
    if sign not in os.environ:
        os.execv(ROOT / run, [run, "--python", program, *sys.argv[1:]])


def environment(folder):
    """Nothing of the caller's settings; its home is `folder`."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("VAULT_", "SEALSTREAM_"))} | {"HOME": str(folder)}


@contextlib.contextmanager
def kafka(folder):
    """A node of its own."""
    from kafka_node import KafkaNode
    (folder / "kafka").mkdir()
    node = KafkaNode(pathlib.Path(os.environ["SEALSTREAM_TEST_CACHE"]), folder / "kafka")
    try:
        yield node
    finally:
        node.stop()


def start(command, env, **options):
    return subprocess.Popen([str(c) for c in command], env=env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)


def finish(child):
    """Seconds of CPU; ends this program when the other one failed."""
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 143):
        raise SystemExit(f"{sys.argv[0]}: {child.args[0]} ended with {child.returncode}: {said.decode()}")
    return usage.ru_utime + usage.ru_stime


def measure(command, env):
    """(seconds of wall, seconds of CPU)"""
    began = time.monotonic()
    cpu = finish(start(command, env))
    return time.monotonic() - began, cpu


def make_policy(folder, env):
    """The file of POLICY, whose keys are there then."""
    for key in (["pii"], ["cards", "--type", "ff1"]):
        measure([ROOT / "build" / "sealstream", "key", "create", *key], env)
    (folder / "policy.yaml").write_text(POLICY)
    return folder / "policy.yaml"
