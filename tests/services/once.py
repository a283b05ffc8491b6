"""What is fetched or made once a machine; it stays in $SEALSTREAM_TEST_CACHE (default ~/.cache/sealstream-tests)."""
import fcntl
import hashlib
import shutil
import subprocess
import sys
import tarfile

from kafka_node import die_with_parent
from vault_build import cache_folder


def run(*command, **options):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr, preexec_fn=die_with_parent, **options)


def once(cache, name, make):
    """The folder NAME of the cache, which make(folder) fills when it is not there. Two that ask at once make it once."""
    cache = cache or cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / name
    with open(cache / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            part = cache / f"{name}.part"
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            make(part)
            part.rename(folder)
    return folder


def npm_json(cache, name):
    """The folder with the JSON files of a package of npm."""
    def make(folder):
        run("npm", "pack", "--silent", name, cwd=folder)
        with tarfile.open(next(folder.glob("*.tgz"))) as package:
            package.extractall(folder, [m for m in package if m.name.endswith(".json")])

    return once(cache, name, make) / "package"


def mark(*what):
    return hashlib.sha256(repr(what).encode()).hexdigest()[:12]
