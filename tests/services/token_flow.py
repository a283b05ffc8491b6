"""Tokens of many writers: what they write, and what must hold of it whatever was killed meanwhile."""
import json
import random
import signal
import subprocess
import time

POLICY = """version: 1
namespace: shop
keys: {{pii: local:pii}}
stores: {{main: "{address}"}}
methods:
  mail: {{type: token, key: pii, convergent: true, bind: {{domain: mail}}}}
  card: {{type: token, key: pii, shape: keep, keep: {{first: 4, last: 2}}, convergent: true, bind: {{domain: card}}}}
topics:
- match: orders
  protect: {{$.mail: mail}}
- match: cards
  protect: {{$.card: card}}
"""


class Writers:
    """`protect` in processes of their own, each with its part of the records; all parts draw from the same values."""

    def __init__(self, sealstream, topic="orders"):
        self.sealstream, self.topic, self.folder = sealstream, topic, sealstream.folder
        self.parts = []

    def make(self, writers, records, repeats, seed):
        """`records` in all, of which the part `repeats` has a value that another one has, too: mostly another writer's."""
        rng = random.Random(seed)
        fresh = int(records * (1 - repeats))
        values = list(range(fresh)) + [rng.randrange(fresh) for _ in range(records - fresh)]
        rng.shuffle(values)
        for number in range(writers):
            part = values[number::writers]
            path = self.folder / f"part{number}"
            with open(path, "w") as file:
                file.writelines(f'{{"id":{i},"mail":"person{value}@example.org"}}\n' for i, value in enumerate(part))
            self.parts.append(path)
        return fresh

    def command(self, name, path, out):
        return self.sealstream.start(name, "-p", "policy.yaml", "-t", self.topic, path, stdout=open(out, "wb"), stderr=subprocess.PIPE)

    def run(self, name, suffix_in, suffix_out, exit_codes=(0,)):
        """All parts at once."""
        running = self.start(name, suffix_in, suffix_out)
        for process in running:
            _, errors = process.communicate(timeout=600)
            assert process.returncode in exit_codes, errors.decode()[-2000:]

    def start(self, name, suffix_in, suffix_out):
        return [self.command(name, f"{part}{suffix_in}", f"{part}{suffix_out}") for part in self.parts]

    def whole_lines(self, path):
        """What a killed writer has written: a record without its end was never sent."""
        text = path.read_bytes()
        text = text[:text.rfind(b"\n") + 1]
        path.write_bytes(text)
        return text.count(b"\n")

    def check(self, fresh, suffix=".protected", complete=True):
        """One token a value, one value a token, over all parts."""
        token_of, value_of = {}, {}
        for part in self.parts:
            with open(part) as plain, open(f"{part}{suffix}") as protected:
                for before, after in zip(plain, protected):
                    value, token = json.loads(before)["mail"], json.loads(after)["mail"]
                    assert token.startswith("seal:t1:") and len(token) == 30
                    assert token_of.setdefault(value, token) == token, f"{value} has two tokens"
                    assert value_of.setdefault(token, value) == value, f"{token} stands for two values"
        assert not complete or len(token_of) == fresh
        return token_of

    def check_revealed(self, suffix_out=".revealed", suffix_in=".protected"):
        """As many lines as were protected, each as it was."""
        for part in self.parts:
            with open(part, "rb") as plain, open(f"{part}{suffix_out}", "rb") as revealed, open(f"{part}{suffix_in}", "rb") as protected:
                lines = 0
                for before, after, _ in zip(plain, revealed, protected, strict=False):
                    assert before == after
                    lines += 1
                assert protected.readline() == b"" and revealed.readline() == b"", f"{part}: after line {lines} they differ in length"


def wait_for_output(paths, size, processes, seconds=300):
    deadline = time.monotonic() + seconds
    while True:
        alive = any(process.poll() is None for process in processes)  # first: they may write the rest and end meanwhile
        if sum(path.stat().st_size for path in paths if path.exists()) >= size:
            return
        assert time.monotonic() < deadline and alive, "the writers end, or stand still"
        time.sleep(0.02)


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
