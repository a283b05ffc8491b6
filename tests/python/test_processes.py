"""Threads, and processes: forked while others are at work, spawned, closed under way."""
import multiprocessing
import os
import subprocess
import sys
import threading

import pytest
import sealstream
from package_kit import POLICY, PURCHASE

ROUNDS, BATCH, THREADS = 40, 50, 6


def work(engine, name):
    """Nonces of what was protected; fails where one thread sees another's records."""
    seen = set()
    for turn in range(ROUNDS):
        records = [f'{{"Address":"{name} {turn} {n}"}}' for n in range(BATCH)]
        sealed = engine.protect("purchases", records)
        assert engine.reveal("purchases", sealed) == records
        seen |= {line.split("vault:v1:")[1][:16] for line in sealed}
    return seen


def in_threads(engine, count=THREADS):
    found, failed = [], []

    def run(name):
        try:
            found.append(work(engine, name))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    nonces = set().union(*found)
    assert len(nonces) == count * ROUNDS * BATCH
    return nonces


def test_threads_share_an_engine(engine):
    in_threads(engine)


def test_threads_share_a_keyring(keyring):
    """Each rotation makes a version of its own."""
    versions, failed = [], []

    def run():
        try:
            for _ in range(5):
                versions.append(keyring.rotate("pii"))
                assert keyring.keys() == ["cards", "join", "pii"] and keyring.info("pii").latest_version > 1
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and sorted(versions) == list(range(2, 2 + 5 * THREADS))


def test_close_while_others_work(policy, keyring):
    """Calls that are under way end well; later ones are refused."""
    engine = sealstream.Engine(policy, keyring=keyring)
    begun, outcomes = threading.Barrier(THREADS + 1), []

    def run():
        begun.wait()
        try:
            while True:
                assert engine.reveal("purchases", engine.protect("purchases", [PURCHASE] * 20)) == [PURCHASE] * 20
        except sealstream.UsageError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    begun.wait()
    engine.close()
    for thread in threads:
        thread.join()
    assert outcomes == ["the engine is closed"] * THREADS


def child(engine, keyring, queue, name):
    before = keyring.keys()
    queue.put((before, work(engine, name), work(engine, name)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_fork_while_threads_work(engine, keyring):
    """Children make keys and engines of their own, whatever the parent's threads held; no nonce is used twice."""
    context = multiprocessing.get_context("fork")
    stop = threading.Event()
    kept = []

    def busy():
        while not stop.is_set():
            kept.append(work(engine, "parent"))

    threads = [threading.Thread(target=busy) for _ in range(2)]
    for thread in threads:
        thread.start()
    queue = context.Queue()
    children = [context.Process(target=child, args=(engine, keyring, queue, f"child {n}")) for n in range(4)]
    for process in children:
        process.start()
    answers = [queue.get(timeout=120) for _ in children]
    stop.set()
    for thread in threads:
        thread.join()
    for process in children:
        process.join()
        assert process.exitcode == 0
    sets = [nonces for _, *found in answers for nonces in found] + kept
    assert {tuple(names) for names, *_ in answers} == {("cards", "join", "pii")}
    assert len(set().union(*sets)) == sum(map(len, sets))
    assert len(in_threads(engine, 2)) > 0


def test_a_child_that_never_uses_it_ends(engine):
    process = multiprocessing.get_context("fork").Process(target=engine.close)
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert engine.reveal("purchases", engine.protect("purchases", [PURCHASE])) == [PURCHASE]


def opened_elsewhere(engine, keyring, sealed, queue):
    os.chdir("/")
    queue.put((keyring.keys(), engine.reveal("purchases", sealed)))


def test_a_child_in_another_directory(policy, keyring, monkeypatch):
    """As services are that leave their terminal."""
    monkeypatch.chdir(os.path.dirname(keyring.path))
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with sealstream.Keyring("keyring") as near, sealstream.Engine(policy, keyring="keyring") as engine:
        sealed = engine.protect("purchases", [PURCHASE])
        process = context.Process(target=opened_elsewhere, args=(engine, near, sealed, queue))
        process.start()
        process.join(60)
        assert process.exitcode == 0 and queue.get(timeout=60) == (["cards", "join", "pii"], [PURCHASE])


AT_THE_END = f"""import io, sys, sealstream
keyring = sealstream.Keyring(sys.argv[1])
io.kept = [keyring, sealstream.Engine(sealstream.Policy.from_text({POLICY!r}), keyring=keyring)]
del keyring
"""


def test_what_is_open_when_python_ends(keyring):
    """Ends in silence, although modules are gone by then."""
    done = subprocess.run([sys.executable, "-c", AT_THE_END, keyring.path], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


IN_A_CYCLE = '''import gc, sys, sealstream
from arrow_arrays import Given, rows_of
from package_kit import POLICY, PURCHASE

class Holder:
    def __init__(self, late):
        self.me = self
        if not late:
            self.fill()

    def fill(self):
        policy = sealstream.Policy.from_text(POLICY)
        self.topic, self.keyring = policy.topic("purchases"), sealstream.Keyring(sys.argv[1])
        self.engine = sealstream.Engine(policy, keyring=self.keyring)
        self.column = self.engine.protect_arrow(self.topic, Given("u", [PURCHASE.encode()]))

    def __del__(self):
        sealed = [*self.engine.protect(self.topic, [PURCHASE]), *rows_of(self.column)[1]]
        records = self.engine.reveal(self.topic, sealed)
        print(len(self.keyring.keys()), records == [PURCHASE, PURCHASE.encode()])

def made(late):
    holder = Holder(late)
    if late:
        holder.fill()
        again = Holder.__new__(Holder)  # is ended after those that it holds
        again.__dict__.update(holder.__dict__, me=again, other=holder)
for turn in range(6):
    made(turn % 2)
    gc.collect()
'''


def test_garbage_in_any_order(keyring):
    """Whoever of a cycle ends last can still use the others; freed memory is spoiled, so that using it is noticed."""
    environment = os.environ | {"MALLOC_PERTURB_": "165", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", IN_A_CYCLE, keyring.path], capture_output=True, text=True, timeout=60,
                          env=environment)
    assert (done.returncode, done.stderr) == (0, "") and set(done.stdout.split("\n")) == {"3 True", ""}


def spawned(directory, sealed, queue):
    with sealstream.Engine(sealstream.Policy.from_text(POLICY), keyring=directory) as engine:
        queue.put((os.getpid(), engine.reveal("purchases", sealed)))


def test_spawned_processes_make_their_own(engine, keyring):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=spawned, args=(keyring.path, engine.protect("purchases", [PURCHASE]), queue))
    process.start()
    pid, opened = queue.get(timeout=120)
    process.join()
    assert pid != os.getpid() and opened == [PURCHASE]
    with pytest.raises(TypeError, match="cannot be pickled"):
        context.Process(target=work, args=(engine, "x")).start()
