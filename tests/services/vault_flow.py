"""What the tests of Vault share: policies whose address is under a Transit key, ways to log in, and a pump to disturb."""
import contextlib
import os
import signal
import subprocess
import threading
import time

import flow
import foreign
from confluent_kafka import Consumer

POLICY = """version: 1
namespace: tests
keys: {{pii: "vault:{mount}/{key}", cards: "local:cards"}}
topics:
- match: "*"
  {dead_letters}
  protect:
    $.Address: {{type: encrypt, key: pii{options}}}
    $.credit_card: {{type: fpe, key: cards, alphabet: digits}}
"""


def prepare(sealstream, vault, mount, key="pii", options="", dead_letters=""):
    """Keys where there are none, and policy.yaml."""
    if key not in vault.keys(mount):
        vault.key(key, mount)
    sealstream.run("key", "create", "cards", "--type", "ff1")
    write_policy(sealstream, mount, key, options, dead_letters)


def write_policy(sealstream, mount, key="pii", options="", dead_letters=""):
    (sealstream.folder / "policy.yaml").write_text(
        POLICY.format(mount=mount, key=key, options=options, dead_letters=dead_letters))


def rules(mount, *operations, key="pii"):
    """The least that is needed to do these: encrypt, decrypt, rewrap …"""
    return {f"{mount}/keys/{key}": ["read"]} | {f"{mount}/{operation}/{key}": ["update"] for operation in operations}


def by_approle(vault, sealstream, name, *policies, ttl="1h", max_ttl="24h"):
    """The environment of a program that logs in as an AppRole of these policies."""
    role, secret = vault.approle(name, *policies, ttl=ttl, max_ttl=max_ttl)
    path = sealstream.folder / f"{name}.secret"
    path.write_text(secret)
    path.chmod(0o600)
    return vault.environment("") | {"SEALSTREAM_VAULT_AUTH": "approle", "SEALSTREAM_VAULT_ROLE": role,
                                    "SEALSTREAM_VAULT_SECRET_FILE": str(path)}


class Pump:
    """A pump at work in the background: disturb it, then wait for its end."""

    def __init__(self, sealstream, arguments, brokers, target, environment):
        self.brokers, self.target = brokers, target
        self.process = sealstream.start(*arguments, environment=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.watcher = Consumer({"bootstrap.servers": brokers, "group.id": "watcher"})
        self.errors = b""
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        while block := os.read(self.process.stderr.fileno(), 65536):
            self.errors += block

    def written(self):
        return sum(foreign.ends(self.watcher, self.target).values())

    def wait_until_written(self, count):
        self._wait_until(lambda: self.written() >= count, f"{count} records are written")

    def waits(self):
        """How often it has begun to."""
        return self.errors.count(b"waiting, and trying again")

    def wait_until_it_waits(self, waits):
        """… more often than so many times."""
        self._wait_until(lambda: self.waits() > waits, "the pump waits")

    def _wait_until(self, condition, what):
        """The pump is at work all the time: its source has not all that it is to copy."""
        deadline = time.monotonic() + 300
        while not condition():
            assert self.process.poll() is None, f"the pump ended with {self.process.returncode}, and not yet: {what}\n{self.said()}"
            assert time.monotonic() < deadline, f"300 s, and not yet: {what}\n{self.said()}"
            time.sleep(0.01)
        assert self.process.poll() is None, f"the pump ended with {self.process.returncode}\n{self.said()}"

    def end(self, exit_code=0, timeout=300):
        """What it said."""
        assert self.process.wait(timeout) == exit_code, self.said()
        return self.said()

    def said(self):
        if self.process.poll() is not None:
            self.reader.join()
        return self.errors.decode()

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.reader.join()
        self.watcher.close()


@contextlib.contextmanager
def pump(sealstream, brokers, source, target, environment, *more, count=None):
    """Of what is in `source` now; or of so many records, some of which may come later."""
    end = ("-e",) if count is None else ("-c", count)
    running = Pump(sealstream, flow.pump(brokers, source, target, "--keep-partition", *more, end=end), brokers, target, environment)
    try:
        yield running
    finally:
        running.close()


def check_all(sealstream, brokers, lines, protected, revealed, environment, repeats=False):
    """Every record is there, sealed, in its order, and comes back as it was; once, unless the pump itself was killed."""
    seen = flow.read_numbered(brokers, protected, lambda message, number: flow.check_protected(message, lines[number]))
    assert len(seen) == len(lines), f"{len(lines) - len(seen)} records are missing"
    assert repeats or set(seen.values()) == {1}
    sealstream.run(*flow.pump(brokers, protected, revealed, "--keep-partition", "--reveal"), environment=environment)
    newest, order = set(), {}

    def each(message, number):
        assert message.value() == lines[number], f"record {number} came back changed"
        if number not in newest:
            newest.add(number)
            assert order.get(message.partition(), -1) < number, "records changed their order"
            order[message.partition()] = number

    assert len(flow.read_numbered(brokers, revealed, each)) == len(lines)
