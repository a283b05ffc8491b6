"""
The long form of test_exactly_once.py, for `make soak`: a million records and thirty rounds for each of a hundred seeds, and ten minutes
of connections that are cut at random bytes. SEED=n is one seed, SEEDS=n the first n; RECORDS=n and ROUNDS=n make them shorter.
RELIABILITY=docs/RELIABILITY.md puts what was measured into the table there.
"""
import collections
import os
import pathlib
import random
import statistics
import time

import pytest
from fault_rounds import ALL, CLEAN, Trial, assert_exactly_once

RECORDS, ROUNDS = int(os.environ.get("RECORDS", 1_000_000)), int(os.environ.get("ROUNDS", 30))
SEEDS = [int(os.environ["SEED"])] if "SEED" in os.environ else range(1, int(os.environ.get("SEEDS", 100)) + 1)
CUT_SECONDS = int(os.environ.get("CUT_SECONDS", 600))
BEGIN, END = "<!-- measured -->\n", "<!-- end -->\n"
WHAT = {
    "kill": "`kill -9` of one pump, another starts",
    "kill_both": "`kill -9` of both pumps at once, others start",
    "stop": "SIGTERM of one pump, another starts",
    "zombie": "a pump is frozen (SIGSTOP) until another has done its work, then wakes",
    "replaced": "a pump is frozen, one of the same `--member` takes its place, then it wakes",
    "broker_clean": "a broker is stopped cleanly, and comes back",
    "broker_hard": "`kill -9` of a broker, it comes back at once",
    "broker_frozen": "a broker is frozen until the others have taken over, then wakes",
    "vault": "`kill -9` of Vault; it comes back when the pumps wait for it; half of the time with a rotated key",
    "cut": "all connections to the brokers end at random bytes, again and again",
}


class Results:
    """What all trials of this run gave."""

    def __init__(self):
        self.seconds, self.faults, self.trials, self.records = collections.defaultdict(list), collections.Counter(), 0, 0
        self.fenced, self.restarts = collections.Counter(), 0  # of named members that no test had replaced: by fault, and in all

    def add(self, trial, found):
        self.trials += 1
        self.records += found["records"]
        self.faults.update({name: found[name] for name in CLEAN})
        self.restarts += trial.restarts
        for name, seconds, restarts in trial.rows:
            self.seconds[name].append(seconds)
            self.fenced[name] += restarts

    def table(self):
        lines = ["| fault | times | all is through again after, median | longest | ended with 69 |", "| --- | ---: | ---: | ---: | ---: |"]
        for name, what in WHAT.items():
            if times := self.seconds[name]:
                lines.append(f"| {what} | {len(times)} | {statistics.median(times):.1f} s | {max(times):.1f} s | {self.fenced[name]} |")
        lost, twice, late = (self.faults[name] for name in ("missing", "twice", "reordered"))
        return "\n".join([
            *lines, "", f"{self.trials} trials, {self.records:,} records in all: {lost} lost, {twice} twice, {late} out of order, "
            f"{sum(self.faults.values()) - lost - twice - late} wrong otherwise. {self.restarts} times a pump with `--member` that no "
            "test had replaced ended with 69, and was started again. Two pumps, three brokers and Vault share a machine with "
            f"{os.cpu_count()} CPUs.", ""])

    def write(self, path):
        text = path.read_text()
        head, rest = text.split(BEGIN)
        path.write_text(head + BEGIN + self.table() + END + rest.split(END)[1])


@pytest.fixture(scope="module")
def results():
    found = Results()
    yield found
    print(found.table())
    if os.environ.get("RELIABILITY"):
        found.write(pathlib.Path(os.environ["RELIABILITY"]))


@pytest.fixture
def keys(own_vault):
    own_vault.mount("transit")
    own_vault.key("pii", exportable=True)
    return own_vault


@pytest.mark.parametrize("seed", SEEDS)
def test_rounds(cluster, keys, sealstream, results, seed):
    rng = random.Random(seed)
    faults = [name for _ in range(-(-ROUNDS // len(ALL))) for name in rng.sample(ALL, len(ALL))][:ROUNDS]
    trial = Trial(cluster, keys, sealstream, seed, RECORDS, faults)
    found = trial.run()
    print(f"seed {seed}: {trial.rows}\n{found}")
    results.add(trial, found)
    assert_exactly_once(found, RECORDS, f"seed {seed}: {trial.rows}")


def test_connections_cut_for_ten_minutes(cluster, keys, sealstream, results):
    """Each few thousand records with another number of bytes, until the time is over."""
    trial = Trial(cluster, keys, sealstream, 0, 1 << 40, (), ahead=1000)
    with trial.running():
        began = time.monotonic()
        while time.monotonic() - began < CUT_SECONDS:
            before, since, restarts = trial.feeder.done, time.monotonic(), trial.restarts
            with trial.cutting():
                trial.wait_until(lambda: trial.feeder.done >= before + 5000, "records pass though connections are cut")
            trial.rows.append(("cut", round(time.monotonic() - since, 1), trial.restarts - restarts))
        trial.feeder.goal = trial.feeder.sent
    found = trial.check()
    print(f"{sum(proxy.cuts for proxy in cluster.proxies.values())} cuts: {found}")
    results.add(trial, found)
    assert_exactly_once(found, trial.feeder.sent, "cut connections")
