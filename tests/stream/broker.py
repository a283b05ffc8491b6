"""The embedded broker as a process, and the program run against it."""
import json
import os
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import tasks, wait_until, wait_until_it_catches, wait_until_read  # noqa: E402, F401

BUILD = pathlib.Path(os.environ.get("SEALSTREAM_BUILD", "build"))
PROGRAM = BUILD / "sealstream"
DELIVERY = {"SEALSTREAM_DELIVERY": "at-least-once"}  # the embedded broker loses what transactions commit
# The embedded broker rebalances after a session, not before. A member that is stopped for nearly as long is none any more; and where
# the broker is stopped before it gives out partitions it drops those who wait for them without a word: they ask again after the last.
FAST_GROUP = ["-X", "session.timeout.ms=6000", "-X", "heartbeat.interval.ms=500", "-X", "max.poll.interval.ms=20000"]

POLICY = """
version: 1
namespace: shop
keys:
  pii: local:pii
  cards: local:cards
methods:
  secret: {{type: encrypt, key: pii}}
  card: {{type: fpe, key: cards, alphabet: digits, keep: {{first: 4, last: 4}}}}
topics:
  - match: purchases
    {on_error}
    protect:
      $.Address: secret
      $.credit_card: card
"""


class Broker:
    """tests/stream/mock_broker: see its head for the commands."""

    def __init__(self):
        self.process = subprocess.Popen([BUILD / "tests/stream/mock_broker"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = self.process.stdout.readline().strip()

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ok\n", command

    def committed(self, group, topic, partitions):
        """The sum of the group's offsets."""
        self.process.stdin.write(f"committed {group} {topic} {partitions}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=120)


class Program:
    """sealstream with a keyring and a policy of its own."""

    def __init__(self, directory, broker):
        self.directory = directory
        self.broker = broker
        self.env = {**os.environ, "SEALSTREAM_KEYRING": str(directory / "keyring"), "NO_COLOR": "1", **DELIVERY}
        self.policy()
        self.run("key", "create", "pii")
        self.run("key", "create", "cards", "--type", "ff1")

    def policy(self, on_error=""):
        (self.directory / "policy.yaml").write_text(POLICY.format(on_error=on_error))
        return self.directory / "policy.yaml"

    def start(self, *args, **kwargs):
        return subprocess.Popen([PROGRAM, *args], env=self.env, cwd=self.directory, text=True,
                                **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | kwargs)

    def run(self, *args, code=0, stdin=None, timeout=240):
        done = subprocess.run([PROGRAM, *args], env=self.env, cwd=self.directory, text=True, capture_output=True,
                              input=stdin, timeout=timeout)
        assert code is None or done.returncode == code, f"{args}: {done.returncode}: {done.stderr}"
        return done

    def kafka(self, command, *args, **kwargs):
        return self.run(command, "-b", self.broker.address, *args, **kwargs)

    def produce_plain(self, topic, lines, *args):
        return self.kafka("produce", "-t", topic, "--plain", *args, stdin="".join(line + "\n" for line in lines))

    def envelopes(self, topic, *args, **kwargs):
        """What the topic holds, as dictionaries in order of partition and offset."""
        done = self.kafka("consume", "-t", topic, "-e", "-J", *args, **kwargs)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        return sorted(found, key=lambda e: (e["partition"], e["offset"]))

    def pump_args(self, *args):
        return ["pump", "-b", self.broker.address, "--from", "purchases", "--to", "purchases_encrypted", "-p",
                "policy.yaml", *FAST_GROUP, *args]

    def pump(self, *args, **kwargs):
        return self.run(*self.pump_args(*args), **kwargs)


def purchase(number, card="4111-1111-1111-1111"):
    return json.dumps({"n": number, "Address": f"{number} High St", "credit_card": card})


def put(path, content):
    """A file that comes as a whole: a run that watches its directory must not find it empty."""
    beside = path.parent.with_name(path.name + ".new")
    beside.write_bytes(content)
    beside.rename(path)


def stop(process, number=signal.SIGTERM):
    if number in (signal.SIGTERM, signal.SIGINT):
        wait_until_it_catches(process, number)
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err
