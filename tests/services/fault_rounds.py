"""Rounds of faults: two pumps copy numbered records while they, their brokers, their Vault and their connections are disturbed.

    feeder ──▶ source ──▶ pump, pump ──▶ target, dead letters ──▶ ExactlyOnce.java
                             │
                             Vault

A seed decides which fault comes when and whom it meets. Nothing waits for a time: the feeder keeps a fixed number of records ahead of
what the group has committed, a fault comes when a number of records is through, and ends when what it is to show has happened.
"""
import contextlib
import json
import pathlib
import random
import signal
import subprocess
import threading
import time

import foreign
import kafka_node
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

HERE = pathlib.Path(__file__).resolve().parent
PARTITIONS = 8
SESSION_MS = 6000
FENCED = 69  # how a pump ends that another one of its name has replaced
PATIENCE = 180  # seconds until something that must happen counts as not happening
BASE_MS = 1_700_000_000_000
MEANS = (200_000, 500_000, 2_000_000)  # bytes until a connection is cut; an answer of a broker is about as long as the first
SIX = ("kill", "zombie", "broker_clean", "broker_hard", "vault", "cut")
ALL = (*SIX, "kill_both", "replaced", "stop", "broker_frozen")
POLICY = """version: 1
keys: {{pii: "vault:transit/pii"}}
topics:
- match: "{source}"
  on_error: dead_letter
  dead_letter: {{topic: "{dead}", key: pii}}
  protect:
    $.Address: {{type: encrypt, key: pii}}
"""
CLEAN = {"missing": 0, "twice": 0, "reordered": 0, "moved": 0, "changed": 0, "unknown": 0, "wrongly_dead": 0, "open": 0, "source": 0}


def record(n):
    """What the feeder writes: most are purchases; some have no key, some no value, and some are no JSON and become dead letters."""
    value = json.dumps({"n": n, "Name": f"Customer {n}", "Address": f"{n} High Street", "total": n / 100}, separators=(",", ":"))
    if n % 97 == 5:
        value = None
    elif n % 1009 == 7:
        value = f"broken {n}"
    headers = [("n", str(n)), ("twice", b"a"), ("twice", b"b"), ("null", None)] if n % 13 == 0 else [("n", str(n))]
    return {"key": None if n % 11 == 3 else f"customer-{n % 1009}", "value": value, "headers": headers, "timestamp": BASE_MS + n}


class Feeder(threading.Thread):
    """Writes record(0), record(1) … up to `goal`, never more than `ahead` before what `group` has `done`."""

    def __init__(self, brokers, source, group, goal, ahead, rng):
        super().__init__(daemon=True)
        self.source, self.goal, self.ahead, self.rng = source, goal, ahead, rng
        self.sent = self.done = self.last = 0
        self.failure, self.ended = None, False
        self.producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True, "message.timeout.ms": 0, "linger.ms": 5,
                                  "socket.timeout.ms": 10_000, "on_delivery": self._delivered, "log_level": 0})
        # What is committed, without those offsets whose transaction is still open.
        self.watcher = Consumer({"bootstrap.servers": brokers, "group.id": group, "isolation.level": "read_uncommitted",
                                 "enable.auto.commit": False, "socket.timeout.ms": 10_000, "log_level": 0})

    def _delivered(self, error, _):
        if error is not None:
            self.failure = error

    def _look(self):
        """How many records of the source are done. Offsets count them: nothing else is in there."""
        with contextlib.suppress(KafkaException):
            found = self.watcher.committed([TopicPartition(self.source, p) for p in range(PARTITIONS)], timeout=5)
            done = sum(max(0, at.offset) for at in found if at.error is None)
            if done > self.done:
                self.done, self.last = done, time.monotonic()

    def run(self):
        while not self.ended and self.failure is None:
            while self.sent < min(self.goal, self.done + self.ahead):
                self.producer.produce(self.source, partition=self.rng.randrange(PARTITIONS), **record(self.sent))
                self.sent += 1
            self.producer.poll(0.05)
            self._look()
        self.producer.flush(30)
        self.watcher.close()

    def end(self):
        self.ended = True
        self.join()


class Pump:
    """One at work; what it says is in `log`."""

    def __init__(self, trial, name):
        self.name = name
        trial.started += 1
        self.log = trial.sealstream.folder / f"pump-{trial.started}-{name}.log"
        with open(self.log, "wb") as log:
            self.process = trial.sealstream.start(*trial.arguments(name), environment=trial.vault.environment(),
                                                  stdin=subprocess.DEVNULL, stderr=log, preexec_fn=kafka_node.die_with_parent)

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def said(self):
        return self.log.read_text(errors="replace")


class Trial:
    """Two pumps from `source` to `target`, both new. `faults`: the names of methods below, in order."""

    def __init__(self, cluster, vault, sealstream, seed, records, faults, more=(), ahead=4000):
        self.cluster, self.vault, self.sealstream, self.seed, self.more = cluster, vault, sealstream, seed, more
        self.rng, self.records, self.faults = random.Random(seed), records, faults
        self.source, self.target, self.dead = (f"{name}-{seed}-{time.monotonic_ns()}" for name in ("source", "target", "dead"))
        for name in (self.source, self.target, self.dead):
            cluster.create_topic(name, PARTITIONS)
        (sealstream.folder / "policy.yaml").write_text(POLICY.format(source=self.source, dead=self.dead))
        self.named = {name: self.rng.random() < 0.5 for name in ("left", "right")}
        self.feeder = Feeder(cluster.brokers, self.source, self.source, records, ahead, random.Random(seed))
        self.admin = AdminClient({"bootstrap.servers": cluster.brokers, "log_level": 0})
        self.started, self.restarts, self.pumps, self.vault_is_away = 0, 0, {}, False
        self.share_end = records
        self.rows = []  # (fault, seconds until all that was written before and during it was through, restarts meanwhile)

    def arguments(self, name):
        member = ("--member", name) if self.named[name] else ()
        return ("pump", "-b", self.cluster.faulty, "--from", self.source, "--to", self.target, "-G", self.source, "-p", "policy.yaml",
                "--keep-partition", "--connect-timeout", "60s", "-X", f"session.timeout.ms={SESSION_MS}", "-X", "reconnect.backoff.max.ms=1000",
                "-X", "socket.timeout.ms=10000", *member, *self.more)

    # what a fault does: each returns when the disturbance is over, but for `_through`

    def kill(self):
        name = self._any()
        self.pumps[name].kill()
        self.pumps[name] = Pump(self, name)

    def kill_both(self):
        for pump in self.pumps.values():
            pump.kill()
        self.pumps = {name: Pump(self, name) for name in self.pumps}

    def stop(self):
        """SIGTERM: what was read is written and committed."""
        name = self._any()
        self._end(self.pumps.pop(name))
        self.pumps[name] = Pump(self, name)

    def zombie(self):
        """Frozen until another has done its work, then it goes on where it was."""
        pump = self.pumps[self._any()]
        with self._freezing(pump.process):
            self._through()

    def replaced(self):
        """Frozen; another of its name takes its place. When it wakes it must find that out, and end."""
        name = self._any()
        self.named[name] = True
        self._settled()
        before = self._members()
        self.pumps.pop(name).kill()
        self.pumps[name] = Pump(self, name)
        self.wait_until(lambda: any(id.startswith(f"{name}-") for id in self._members() - before), f"pump {name} is a member")
        self._settled()
        old = self.pumps[name]  # the one that was just started may have ended and been started again
        with self._freezing(old.process):
            self.pumps[name] = Pump(self, name)
            self._through()
        self.wait_until(lambda: old.process.poll() is not None, f"pump {name} that was replaced has ended")
        assert old.process.returncode > 0, self._told(f"pump {name} that was replaced ended with {old.process.returncode}", old)

    def broker_clean(self):
        broker = self._any_broker()
        self.cluster.stop_broker(broker)
        self._through()
        self.cluster.start(broker)

    def broker_hard(self):
        broker = self._any_broker()
        self.cluster.kill(broker)
        self.cluster.start(broker)

    def broker_frozen(self):
        """Until the others have taken its partitions over."""
        broker = self._any_broker()
        with self._freezing(self.cluster.processes[broker]):
            self._through()
        self.cluster.wait_until_whole()

    def vault_away(self):
        self._settled()  # one that starts without its Vault ends
        waits = self._waits()
        self.vault_is_away = True  # who ends meanwhile is started again when it is back
        self.vault.kill()
        self._more()
        self.wait_until(lambda: self._waits() > waits, "a pump waits for Vault")
        self.vault.start()
        self.vault_is_away = False
        if self.rng.random() < 0.5:
            self.vault.rotate("pii")

    def cut(self):
        """Connections end at random bytes while the rest of the round is copied."""
        with self.cutting():
            self._through()

    @contextlib.contextmanager
    def cutting(self):
        mean = self.rng.choice(MEANS)
        for proxy in self.cluster.proxies.values():
            proxy.cut(mean, self.rng.random())
        try:
            yield
        finally:
            for proxy in self.cluster.proxies.values():
                proxy.heal()

    # the machinery

    def _any(self):
        return self.rng.choice(sorted(self.pumps))

    def _any_broker(self):
        return self.rng.choice(sorted(self.cluster.processes))

    @contextlib.contextmanager
    def _freezing(self, process):
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def _more(self):
        """The last third of a round's records comes only after its fault, which so has something to disturb."""
        self.feeder.goal = self.share_end

    def _through(self):
        """Until all of this round has been copied, what came after the fault included."""
        self._more()
        self.wait_until(lambda: self.feeder.done >= self.share_end, f"{self.share_end} records are through")

    def _members(self):
        """The ids in the group, which brokers begin with the name of a member that has one; none while members come and go."""
        return {member.id for member in foreign.members(self.admin, self.source)}

    def _settled(self):
        """Until the group has these members and no other. One that has died counts until its session ends."""
        self.wait_until(lambda: len(self._members()) == len(self.pumps), "the group has the pumps that there are")

    def _waits(self):
        return sum(pump.said().count("waiting, and trying again") for pump in self.pumps.values())

    def _end(self, pump):
        pump.signal(signal.SIGTERM)
        self.wait_until(lambda: pump.process.poll() is not None, f"pump {pump.name} has ended after SIGTERM")
        assert pump.process.returncode == 128 + signal.SIGTERM or self._is_fenced(pump), self._told(
            f"pump {pump.name} ended with {pump.process.returncode} after SIGTERM", pump)

    def _told(self, what, *pumps):
        tails = "".join(f"-- {pump.log}\n{pump.said()[-3000:]}\n" for pump in pumps or self.pumps.values())
        return f"seed {self.seed}: {what}; {self.feeder.done} of {self.feeder.sent} records are through; rounds: {self.rows}\n{tails}"

    def wait_until(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            for name, pump in self.pumps.items():
                if pump.process.poll() is not None and not self.vault_is_away:
                    self._restart(name, pump)
            assert self.feeder.failure is None, f"the feeder failed: {self.feeder.failure}"
            assert time.monotonic() < deadline, self._told(f"{PATIENCE} s, and not yet: {what}")
            time.sleep(0.02)

    def _is_fenced(self, pump):
        return self.named[pump.name] and pump.process.returncode == FENCED and "fenced" in pump.said()

    def _restart(self, name, pump):
        """Group and brokers can take a named member for its own predecessor. It ends then, and who supervises it starts it again."""
        assert self._is_fenced(pump), self._told(f"pump {name} ended with {pump.process.returncode}", pump)
        self.restarts += 1
        self.pumps[name] = Pump(self, name)

    def round(self, n, name):
        """Somewhere in the first half of its share of the records; two thirds of them when the group has come to rest."""
        share = self.records / len(self.faults)
        at = int((n + 0.4 * self.rng.random()) * share)
        self.feeder.goal, self.share_end = int((n + 0.7) * share), int((n + 1) * share)
        if self.rng.random() < 0.67:
            self._settled()
        self.wait_until(lambda: self.feeder.done >= at, f"round {n} begins after {at} records")
        began, restarts = time.monotonic(), self.restarts
        getattr(self, "vault_away" if name == "vault" else name)()
        self._through()
        self.rows.append((name, round(self.feeder.last - began, 1), self.restarts - restarts))

    def run(self):
        """All rounds, and what the checker found."""
        with self.running():
            for n, name in enumerate(self.faults):
                self.round(n, name)
        return self.check()

    @contextlib.contextmanager
    def running(self):
        """Feeder and pumps at work; in the end all is through, and they end cleanly."""
        self.feeder.start()
        self.pumps = {name: Pump(self, name) for name in self.named}
        try:
            yield
            self.wait_until(lambda: self.feeder.done >= self.feeder.goal, "all records are through")
            while self.pumps:
                self._end(self.pumps.popitem()[1])
        finally:
            for pump in self.pumps.values():
                pump.kill()
            self.feeder.end()

    def check(self):
        keys = self.vault.call("GET", "transit/export/encryption-key/pii")["keys"]
        return check(self.cluster.jars, self.sealstream.folder, self.cluster.brokers, self.source, self.target, self.dead, keys)


def check(jars, folder, brokers, source, target, dead, keys):
    """What ExactlyOnce.java found. keys: {version: base64}"""
    (folder / "keys.txt").write_text("".join(f"{version} {key}\n" for version, key in keys.items()))
    (folder / "log4j2.properties").write_text(kafka_node.LOGGING)
    done = subprocess.run(kafka_node.java(jars, HERE / "ExactlyOnce.java", brokers, source, target, dead, "keys.txt", heap="1500m"),
                          cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def assert_exactly_once(found, records, what):
    faults = {name: found[name] for name in CLEAN}
    assert faults == CLEAN, f"{what}: {faults}\n" + "\n".join(found["first"])
    assert found["records"] == found["target"] + found["dead"] == records and found["dead"] == sum(
        n % 1009 == 7 and n % 97 != 5 for n in range(records)), f"{what}: {found}"
