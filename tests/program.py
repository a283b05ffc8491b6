"""The program under test, as pytest runs it."""
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]


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

    def run(self, *arguments, input=None, exit_code=0, timeout=120, environment=None):
        """Returns (stdout, stderr); fails when it ends with another code; None: any will do."""
        done = subprocess.run([self.path, *map(str, arguments)], cwd=self.folder, input=input, capture_output=True,
                              env=self.environment | (environment or {}), timeout=timeout,
                              stdin=subprocess.DEVNULL if input is None else None)
        assert exit_code is None or done.returncode == exit_code, \
            f"{' '.join(map(str, arguments[:2]))}: exit {done.returncode}, not {exit_code}:\n{done.stderr.decode()}"
        return done.stdout, done.stderr.decode()
