"""What the tests of file transfers share: files to send, a sender or receiver at work with its memory watched, a comparison."""
import contextlib
import hashlib
import os
import random
import signal
import subprocess
import threading
import time

import foreign
from confluent_kafka.admin import AdminClient

MEMORY_MAX = 64 << 20
SHORT = ("-X", "session.timeout.ms=2000", "-X", "heartbeat.interval.ms=500")  # a killed member is missed soon; so is a slow one


def make_file(path, size, rng):
    with open(path, "wb") as file:
        for at in range(0, size, 1 << 20):
            file.write(rng.randbytes(min(1 << 20, size - at)))
    mtime = rng.randrange(10**9, 17 * 10**8) * 10**9 + 123456789
    os.utime(path, ns=(mtime, mtime))


def make_small(folder, n, rng, start=0):
    """Empty ones, ones of a byte, and ones around the size of a page."""
    folder.mkdir(exist_ok=True)
    for i in range(start, start + n):
        make_file(folder / f"small-{i:05}.bin", rng.choice((0, 1, 100, 4095, 4096, 4097, rng.randrange(20_000))), rng)


def digest(path):
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()


def listing(folder):
    """The visible files: what a user of the directory sees."""
    return sorted(name for name in os.listdir(folder) if not name.startswith(".")) if folder.is_dir() else []


def check_same(source, *targets):
    """Every file once and whole, and no other; modes 0600, times kept."""
    found = {}
    for target in targets:
        for name in listing(target):
            assert name not in found, f"{name} is there twice"
            found[name] = target / name
    wanted = listing(source)
    assert sorted(found) == wanted, f"missing {set(wanted) - set(found)}, too many {set(found) - set(wanted)}"
    for name in wanted:
        assert digest(source / name) == digest(found[name]), f"{name} is not what was sent"
        there, here = (source / name).stat(), found[name].stat()
        assert here.st_mode & 0o777 == 0o600 and here.st_mtime_ns == there.st_mtime_ns, name


def unfinished(folder):
    state = folder / ".sealstream"
    return sorted(name for name in os.listdir(state) if name.endswith(".part")) if state.is_dir() else []


class Running:
    """`sealstream file send` or `receive` in the background; its largest memory is known at any time, also after a kill."""

    def __init__(self, process, side):
        self.process, self.side, self.memory, self.errors = process, side, 0, b""
        self.threads = [threading.Thread(target=self._watch), threading.Thread(target=self._read)]
        for thread in self.threads:
            thread.start()

    def _watch(self):
        while self.process.returncode is None:
            with contextlib.suppress(OSError, ProcessLookupError):
                with open(f"/proc/{self.process.pid}/status") as status:
                    for line in status:
                        if line.startswith("VmHWM"):
                            self.memory = max(self.memory, int(line.split()[1]) * 1024)
            time.sleep(0.02)

    def _read(self):
        while block := os.read(self.process.stderr.fileno(), 65536):
            self.errors += block

    def said(self):
        return self.errors.decode(errors="replace")

    def alive(self):
        return self.process.poll() is None

    def kill(self):
        self.process.kill()
        self._end()

    def stop(self):
        """A clean stop; what it said."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        assert self._end(180) in (0, 143), self.said()
        return self.said()

    def wait(self, exit_code=0, timeout=300):
        assert self._end(timeout) == exit_code, self.said()
        return self.said()

    def _end(self, timeout=60):
        self.process.wait(timeout)
        for thread in self.threads:
            thread.join()
        return self.process.returncode

    def close(self):
        if self.alive():
            self.process.kill()
        self._end()


class Transfers:
    """One topic, one key; senders and receivers of it, all of which are gone at the end."""

    def __init__(self, sealstream, brokers, topic, key, environment=None):
        self.sealstream, self.brokers, self.topic, self.key = sealstream, brokers, topic, key
        self.environment, self.all, self.session = environment, [], ()

    @property
    def group(self):
        return f"{self.topic}-receivers"

    def shared_by(self, members):
        """The group has come to rest, and each of its members has partitions (their topics are counted in bytes 2 to 5)."""
        found = foreign.members(AdminClient({"bootstrap.servers": self.brokers}), self.group)
        return len(found) == members and all(int.from_bytes(member.assignment[2:6], "big") > 0 for member in found)

    def arguments(self, *more):
        return ("-b", self.brokers, "-t", self.topic, "--key", self.key, *more)

    def _start(self, *arguments, wrapper=()):
        if wrapper:
            process = subprocess.Popen([*wrapper, self.sealstream.path, *map(str, arguments)], cwd=self.sealstream.folder,
                                       env=self.sealstream.environment | (self.environment or {}),
                                       stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        else:
            process = self.sealstream.start(*arguments, environment=self.environment, stdin=subprocess.DEVNULL,
                                            stderr=subprocess.PIPE)
        self.all.append(Running(process, arguments[1]))
        return self.all[-1]

    def send(self, source, *more):
        return self._start("file", "send", *self.arguments("--from", source, "--once", *more))

    def receive(self, target, *more, wrapper=()):
        return self._start("file", "receive", *self.arguments("--to", target, "--group", self.group, *self.session, *more),
                           wrapper=wrapper)

    def run(self, *arguments, **options):
        return self.sealstream.run("file", *arguments, environment=self.environment, **options)

    def wait_for(self, condition, what, timeout=300):
        """Until it holds; whoever says something at the end of that time is quoted."""
        deadline = time.monotonic() + timeout
        while not condition():
            said = "\n".join(f"{r.side}: {'at work' if r.alive() else r.process.returncode}: {r.said()[-1500:]}" for r in self.all)
            assert time.monotonic() < deadline, f"{what}: not within {timeout} s\n{said}"
            time.sleep(0.05)

    def wait_until_there(self, source, *targets, timeout=300):
        """All files have arrived; at one of the targets each."""
        self.wait_for(lambda: set(listing(source)) <= {name for t in targets for name in listing(t)}, "all files there", timeout)

    def memory(self):
        return max(running.memory for running in self.all)

    def close(self):
        for running in self.all:
            running.close()


def survive_kills(transfers, source, target, rng, kills, add):
    """
    Sends all of `source` to `target` while one side or the other is killed at random; add(round) puts more files there while
    there are kills left. Returns how often each side was killed at work.
    """
    done, rounds = {"sender": 0, "receiver": 0}, 0
    transfers.session = SHORT
    sender = receiver = None

    def arrived():
        return set(listing(source)) <= set(listing(target))

    deadline = time.monotonic() + 300 + 30 * kills
    while True:
        assert time.monotonic() < deadline, f"not all has arrived: {set(listing(source)) - set(listing(target))}"
        if receiver is None or not receiver.alive():
            assert receiver is None or receiver.process.returncode == -signal.SIGKILL, receiver.errors.decode()
            receiver = transfers.receive(target)
        if sender is None or sender.process.returncode == -signal.SIGKILL:
            sender = transfers.send(source)
        if sum(done.values()) == kills:
            if arrived() and not sender.alive():
                break
            time.sleep(0.1)
            continue
        time.sleep(rng.uniform(0.05, 0.8))
        side = rng.choice(("sender", "receiver"))
        if abs(done["sender"] - done["receiver"]) >= 2:  # neither comes off lightly
            side = min(done, key=done.get)
        if side == "sender" and sender.alive():
            sender.kill()
            done[side] += 1
        elif side == "receiver" and not arrived():
            receiver.kill()
            done[side] += 1
        elif not sender.alive() and arrived():
            sender.wait()
            rounds += 1
            add(rounds)
            sender = transfers.send(source)
    sender.wait()
    receiver.stop()
    return done


def seeded(seed=None):
    """A generator of random numbers whose seed is printed, so that a failure can be had again (SEED=n)."""
    seed = seed or int(os.environ.get("SEED", 0)) or random.SystemRandom().randrange(1, 10**6)
    print(f"SEED={seed}")
    return random.Random(seed)
