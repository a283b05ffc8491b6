"""PostgreSQL for tests: Debian's, one server on 127.0.0.1, stopped by its process id. Users log in with SCRAM.

    owner     made the server; password PASSWORD
"""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from kafka_node import die_with_parent
from ports import free_ports

PASSWORD = "o'wner: secret"


class PostgresqlNode:
    def __init__(self):
        self.programs = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        self.user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sealstream-pg-"))  # a root's own folders are closed to it
        (self.folder / "password").write_text(PASSWORD)
        if self.user:
            for path in (self.folder, self.folder / "password"):
                shutil.chown(path, "postgres", "postgres")
        subprocess.run([self.programs / "initdb", "-D", "data", "-A", "scram-sha-256", "-U", "owner", "--pwfile=password", "-E", "UTF8",
                        "--locale=C.UTF-8"], cwd=self.folder, check=True, capture_output=True, **self.user)
        self.port = free_ports(1)[0]
        self.process = None
        self.start()

    def start(self):
        with open(self.folder / "log", "a") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", "data", "-p", str(self.port), "-c", "listen_addresses=127.0.0.1",
                 "-c", f"unix_socket_directories={self.folder}"], cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, preexec_fn=die_with_parent, **self.user)
        deadline = time.monotonic() + 180
        while self.sql("SELECT 1", check=False).returncode != 0:
            assert time.monotonic() < deadline and self.process.poll() is None, self.log()
            time.sleep(0.1)

    def sql(self, text, database="postgres", user="owner", password=PASSWORD, check=True):
        """What psql says to each statement, rows as text."""
        return subprocess.run([self.programs / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port),
                               "-U", user, "-d", database, "-c", text], env=os.environ | {"PGPASSWORD": password},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=check)

    def address(self, database, user="owner"):
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def log(self):
        return (self.folder / "log").read_text()

    def freeze(self, stop=True):
        """All its processes stand still, or go on."""
        for pid in [self.process.pid, *self.children()]:
            self.send(pid, signal.SIGSTOP if stop else signal.SIGCONT)

    @staticmethod
    def send(pid, how):
        with contextlib.suppress(ProcessLookupError):  # a backend that has just ended
            os.kill(pid, how)

    def children(self):
        path = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def stop(self, how=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(120)

    def kill(self):
        """All its processes at once, without a word to anybody."""
        children = self.children()
        self.stop(signal.SIGKILL)
        for pid in children:
            self.send(pid, signal.SIGKILL)

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
