"""The program under test, as pytest runs it."""
import array
import contextlib
import fcntl
import os
import pathlib
import re
import subprocess
import sys
import termios
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


def wait_until(condition, seconds=120, pause=0.2):
    """The time is a guard against waiting for ever, not a promise: machines may be slow."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(pause)


def bytes_in(pipe):
    """That were written and not yet read, seen from either end."""
    held = array.array("i", [0])
    fcntl.ioctl(pipe.fileno(), termios.FIONREAD, held)
    return held[0]


def wait_until_read(process, data):
    """The program has it, so that a stop request finds it at work."""
    process.stdin.write(data)
    process.stdin.flush()
    wait_until(lambda: bytes_in(process.stdin) == 0, pause=0.01)


def wait_until_it_catches(process, number):
    """… that signal, so that it is a stop request from now on; or has ended."""
    def catches():
        with open(f"/proc/{process.pid}/status") as status:
            return int(re.search(r"^SigCgt:\s+([0-9a-f]+)", status.read(), re.M)[1], 16) >> (number - 1) & 1
    wait_until(lambda: process.poll() is not None or catches(), pause=0.01)


def wait_until_taken(process, number):
    """… that signal, which was sent: one that comes while another of its kind waits would be lost."""
    def waits():
        with open(f"/proc/{process.pid}/status") as status:
            return any(int(mask, 16) >> (number - 1) & 1 for mask in re.findall(r"^(?:Sig|Shd)Pnd:\s+([0-9a-f]+)", status.read(), re.M))
    wait_until(lambda: process.poll() is not None or not waits(), pause=0.01)


def tasks(pid):
    """What /proc tells of each thread of a process: {name: value}. One that ends meanwhile is left out."""
    for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            lines = status.read_text().splitlines()
            yield dict(line.split(":\t", 1) for line in lines if ":\t" in line)


PEAK = """import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_kib(program, *arguments):
    """A small process starts it: the peak of a process counts what it was forked from."""
    done = subprocess.run([sys.executable, "-S", "-c", PEAK, program.path, *map(str, arguments)], capture_output=True,
                          cwd=program.folder, env=program.environment | {"ASAN_OPTIONS": "quarantine_size_mb=1"})
    code, peak = done.stdout.split()
    assert code == b"0", done.stderr
    return int(peak)


class Program:
    """build/sealstream with an environment and a keyring of its own."""

    def __init__(self, folder):
        self.path = pathlib.Path(os.environ.get("SEALSTREAM", ROOT / "build" / "sealstream")).resolve()
        self.folder = folder
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(("SEALSTREAM_", "VAULT_", "BAO_")) or name == "SEALSTREAM_SANDBOX"}
        self.environment |= {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "share"),
                             "SEALSTREAM_KEYRING": str(folder / "keyring")}

    def start(self, *arguments, environment=None, **options):
        return subprocess.Popen([self.path, *map(str, arguments)], cwd=self.folder,
                                env=self.environment | (environment or {}), **options)

    def run(self, *arguments, input=None, exit_code=0, timeout=240, environment=None):
        """Returns (stdout, stderr); fails when it ends with another code; None: any will do."""
        done = subprocess.run([self.path, *map(str, arguments)], cwd=self.folder, input=input, capture_output=True,
                              env=self.environment | (environment or {}), timeout=timeout,
                              stdin=subprocess.DEVNULL if input is None else None)
        assert exit_code is None or done.returncode == exit_code, \
            f"{' '.join(map(str, arguments[:2]))}: exit {done.returncode}, not {exit_code}:\n{done.stderr.decode()}"
        return done.stdout, done.stderr.decode()
