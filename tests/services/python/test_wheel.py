"""The wheel as a stranger gets it: in an empty environment, with nothing of this tree or the system's libraries."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest
from package_kit import POLICY, PURCHASE

ROOT = pathlib.Path(__file__).resolve().parents[3]
ROUND_TRIP = f"""
import re, sys, sealstream
with sealstream.Keyring(sys.argv[1], create=True) as keyring:
    keyring.create_key("pii")
    keyring.create_key("cards", "ff1")
    keyring.create_key("join", derived=True, convergent=True)
    with sealstream.Engine(sealstream.Policy.from_text({POLICY!r}), keyring=keyring) as engine:
        sealed = engine.protect("purchases", [{PURCHASE!r}])
        assert "vault:v1:" in sealed[0] and engine.reveal("purchases", sealed) == [{PURCHASE!r}]
print(sealstream.__version__, sealstream.__file__)
print(*sorted(set(re.findall(r"/\\S*/lib(?:sealstream|crypto|curl|yaml)\\S*", open("/proc/self/maps").read()))))
"""
TYPED = """
from sealstream import DataError, Engine, Keyring, Policy, Record, SealError
from sealstream.kafka import SealSerializer, serializer
policy: Policy = Policy.from_text("")
with Engine(policy, keyring=Keyring("x")) as engine:
    reveal_type(engine.protect("t", [b""]))
    reveal_type(engine.reveal("t", [""]))
    reveal_type(engine.protect("t", [b""], on_error="return"))
    reveal_type(SealSerializer(engine)(b""))
    engine.protect("t", 3)
"""


def run(*words, **options):
    """In an environment that names nothing of ours."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": os.environ["HOME"], "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, env=environment, timeout=600, **options)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def wheel():
    code, out, error = run(ROOT / "bindings" / "python" / "make-wheel")
    assert code == 0, error
    return pathlib.Path(out.strip())


def pythons():
    """Debian's, and what else there is from 3.9 on, in the path and of pyenv: one of each version."""
    paths = [shutil.which(f"python3.{minor}") for minor in range(9, 20)]
    paths += sorted(pathlib.Path.home().glob(".pyenv/versions/3.*/bin/python3"))
    found = {}
    for path in ("/usr/bin/python3", *filter(None, paths)):
        code, version, _ = run(path, "-c", "import sys; print(*sys.version_info[:2])")
        if code == 0 and tuple(map(int, version.split())) >= (3, 9):
            found.setdefault(version, str(path))
    return list(found.values())


def install(python, wheel, folder):
    """The Python of a virtual environment that has the wheel and what it asks for."""
    assert run(python, "-m", "venv", folder)[0] == 0
    code, _, error = run(folder / "bin" / "pip", "install", "-q", wheel)
    assert code == 0, error
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    return install("/usr/bin/python3", wheel, tmp_path_factory.mktemp("empty") / "venv")


def test_name_and_contents(wheel):
    version = re.search(r"version: '([0-9.]+)'", (ROOT / "meson.build").read_text())[1]
    assert re.fullmatch(rf"sealstream-{re.escape(version)}-cp39-abi3-manylinux_2_\d+_\w+\.whl", wheel.name)
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
        metadata = opened.read(f"sealstream-{version}.dist-info/METADATA").decode()
    assert "sealstream/py.typed" in names and not any("__pycache__" in name for name in names)
    own = {str(path.relative_to(ROOT / part))
           for part in ("bindings/python", "bindings/spark") for path in (ROOT / part / "sealstream").rglob("*.py")}
    assert own <= set(names)
    assert {*re.findall(r"Provides-Extra: (\w+)", metadata)} == {"arrow", "kafka", "spark"}
    assert re.findall(r"^Requires-Dist: (\S+)$", metadata, re.M) == ["cffi>=1.15"]


def test_licences(wheel):
    """Ours, and that of each bundled library as its package here has it, with the texts that it refers to."""
    with zipfile.ZipFile(wheel) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    texts = {name.split("/licenses/")[1]: text.decode() for name, text in files.items() if "/licenses/" in name}
    bundled = {name.split("/")[1] for name in files if re.match(r"sealstream\.libs/lib(?!sealstream-)", name)}
    metadata = next(text.decode() for name, text in files.items() if name.endswith(".dist-info/METADATA"))
    told = re.findall(r"^License-File: (\S+)$", metadata, re.M)
    assert texts["LICENSE"] == (ROOT / "LICENSE").read_text()
    index = dict(line.split(" ", 1) for line in texts["bundled.txt"].splitlines())
    assert set(index) == bundled and len(bundled) > 10 and set(told) == set(texts)
    for library, owner in index.items():
        package, version = owner.split()
        text = texts[f"{package}/copyright"]
        assert version[0].isdigit()
        assert text == pathlib.Path("/usr/share/doc", package, "copyright").read_text(), library
        referred = {name.rstrip(".") for name in re.findall(r"/usr/share/common-licenses/([A-Z][A-Za-z0-9.-]+)", text)}
        assert all(len(texts[f"common-licenses/{name}"]) > 1000 for name in referred), library
    crypto = next(owner.split()[0] for library, owner in index.items() if library.startswith("libcrypto-"))
    assert "Apache License" in texts[f"{crypto}/copyright"]


def test_every_python_from_3_9_on(wheel):
    """The extension uses nothing but the stable interface of 3.9."""
    code, out, error = run(sys.executable, "-m", "abi3audit", "--strict", "--verbose", wheel)
    assert code == 0 and "1 extensions scanned; 0 ABI version mismatches and 0 ABI violations" in " ".join(
        (out + error).split()), out + error


@pytest.mark.parametrize("python", pythons())
def test_it_stands_alone(python, wheel, tmp_path):
    installed = install(python, wheel, tmp_path / "venv")
    code, out, error = run(installed, "-c", ROUND_TRIP, tmp_path / "keyring", cwd=tmp_path)
    assert code == 0, error
    where, libraries = out.splitlines()
    folder = str(installed.parents[1])
    assert folder in where and len(libraries.split()) == 4
    assert all(library.startswith(f"{folder}/lib/") for library in libraries.split())


def test_types(installed, tmp_path):
    """mypy --strict sees the package's types, and nothing to complain of in the package."""
    (tmp_path / "user.py").write_text(TYPED)
    mypy = (sys.executable, "-m", "mypy", "--strict", "--python-executable", installed)
    code, out, _ = run(*mypy, tmp_path / "user.py", cwd=tmp_path)
    assert re.findall(r'Revealed type is "(.*)"', out) == [
        "list[bytes]", "list[str]", "list[Any]", "bytes | None"], out
    assert code == 1 and "user.py:10: error: No overload variant" in out and out.count(": error: ") == 1, out
    config = ROOT / "bindings" / "python" / "pyproject.toml"
    code, out, _ = run(sys.executable, "-m", "mypy", "--config-file", config, ROOT / "build/python/sealstream",
                       cwd=tmp_path)
    assert code == 0, out


def test_style():
    config = ROOT / "bindings" / "python" / "pyproject.toml"
    folders = [ROOT / name for name in ("bindings/python", "bindings/spark", "tests/python", "tests/services/python",
                                        "tests/services/spark")]
    code, out, error = run(sys.executable, "-m", "ruff", "check", "--no-cache", "--config", config, *folders)
    assert code == 0, out + error
