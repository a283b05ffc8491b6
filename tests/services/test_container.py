"""deploy/container: does the image hold what the program needs, and nothing that an intruder could use?

There is no container engine here: the file is read line by line, and the root that its last stage copies is made of build/sealstream
and entered with chroot.
"""
import fnmatch
import json
import os
import pathlib
import re
import shlex
import subprocess

import pytest

from program import ROOT

FOLDER = ROOT / "deploy" / "container"
USER = 65532
AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]


def instructions():
    """[(NAME, [word])] of the Containerfile."""
    text = re.sub(r"\\\n\s*", "", (FOLDER / "Containerfile").read_text())
    lines = [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, json.loads(rest) if rest.startswith("[") else shlex.split(rest)) for name, rest in lines]


def ignored(path):
    patterns = (FOLDER / "Containerfile.dockerignore").read_text().split()
    parts = pathlib.PurePath(path).parts
    heads = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
    return any(fnmatch.fnmatch(head, pattern) or fnmatch.fnmatch(f"x/{head}", pattern.replace("**/", "*/"))
               for head in heads for pattern in patterns)


def test_copies_what_is_there():
    stages = [words[2] for name, words in instructions() if name == "FROM" and len(words) == 3]
    for name, words in instructions():
        if name != "COPY":
            continue
        options = dict(word[2:].split("=") for word in words if word.startswith("--"))
        source = [word for word in words if not word.startswith("--")][0]
        if "from" in options:
            assert options["from"] in stages
        else:
            assert (ROOT / source).exists() and not ignored(source), source


def test_context_has_what_git_has():
    """But for git itself and CI nothing that is of the tree is left out of it, and nothing that a build has made is in."""
    tracked = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True, check=True).stdout.split("\n")
    assert {path for path in tracked if path and ignored(path) and not path.startswith(".ci/")} <= {".gitignore"}
    assert all(ignored(path) for path in (".git/config", "build/sealstream", "build-asan/x", "deploy/terraform/vault/.terraform/x",
                                          "tests/services/__pycache__/x.pyc"))


def test_packages_exist():
    for name, words in instructions():
        if name == "RUN" and "install" in words:
            for command in " ".join(words).split("&&"):
                named = [word for word in command.split() if not word.startswith(("-", "../", "./"))]
                if named[:2] == ["apt-get", "install"]:
                    assert all(subprocess.run(["apt-cache", "show", package], capture_output=True).returncode == 0
                               for package in named[2:]), named


def test_last_stage():
    """From nothing, as a user without rights, with a program that is there."""
    found = instructions()
    last = max(n for n, (name, _) in enumerate(found) if name == "FROM")
    final = dict((name, words) for name, words in found[last:])
    assert found[last][1] == ["scratch"] and "RUN" not in final and "ADD" not in dict(found)
    assert final["USER"] == [f"{USER}:{USER}"]
    assert final["ENTRYPOINT"] == ["/usr/bin/sealstream"]


@pytest.fixture(scope="module")
def image(tmp_path_factory, program):
    root = tmp_path_factory.mktemp("image") / "root"
    subprocess.run([FOLDER / "make-root", program.path, root], check=True)
    subprocess.run([*AS_ROOT, "chown", f"{USER}:{USER}", root / "var/lib/sealstream"], check=True)  # as COPY --chown does
    for path in root.parents:
        if path.name.startswith("pytest-"):
            path.chmod(0o755)
    return root


def inside(image, *arguments):
    """Its standard output."""
    done = subprocess.run([*AS_ROOT, "/usr/bin/env", "-i", "HOME=/var/lib/sealstream", "/usr/sbin/chroot", f"--userspec={USER}:{USER}",
                           image, "/usr/bin/sealstream", *arguments], text=True, capture_output=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_image_works(image):
    assert inside(image, "version").startswith("sealstream ")
    assert "Checked: all 3 files arrived whole" in inside(image, "demo")


def test_image_has_nothing_else(image):
    programs = {str(path.relative_to(image)) for path in image.rglob("*")
                if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o111 and ".so" not in path.name}
    assert programs == {"usr/bin/sealstream"}
    libraries = subprocess.run(["ldd", image / "usr" / "bin" / "sealstream"], capture_output=True, text=True, check=True).stdout
    names = {os.path.basename(word) for word in libraries.split() if word.startswith("/")} | {"libgcc_s.so.1"}
    assert {path.name for path in image.rglob("*.so*")} == names
    writable = {str(path.relative_to(image)) for path in image.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o022}
    assert writable == {"tmp"}
    assert not [path for path in image.rglob("*") if path.is_file() and path.stat().st_mode & 0o6000]


def test_image_tells_scanners(image):
    """Every package that something was taken from: its state and its licence."""
    status = {path.name for path in (image / "var/lib/dpkg/status.d").iterdir()}
    assert {"libc6", "librdkafka1", "libssl3", "libcurl4", "ca-certificates"} <= status
    for name in status:
        assert f"Package: {name}\n" in (image / "var/lib/dpkg/status.d" / name).read_text()
        assert (image / "usr/share/doc" / name / "copyright").read_text()


def test_image_trusts_public_authorities(image):
    """Where OpenSSL looks, and where libcurl does."""
    authorities = os.readlink(image / "usr/lib/ssl/cert.pem")
    assert authorities == "/etc/ssl/certs/ca-certificates.crt"
    assert "BEGIN CERTIFICATE" in (image / authorities[1:]).read_text()
