"""debian: what `make deb` builds satisfies lintian, installs on a Debian that has nothing else, works, and goes without a trace."""
import os
import shutil
import subprocess

import pytest

from program import ROOT

HERE = ROOT / "tests" / "services"


def run(command, **how):
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, **how)
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stdout[-6000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """The folder with the packages; lintian has had its say."""
    folder = tmp_path_factory.mktemp("deb")
    run([ROOT / "dev" / "make-deb", folder], env=os.environ | {"DEB_BUILD_OPTIONS": f"nocheck parallel={os.cpu_count()}"})
    for symbols in folder.glob("*-dbgsym_*.deb"):
        symbols.unlink()
    return folder


def compile_example(packages, folder, out):
    """With nothing but the library's two packages, as pkg-config tells."""
    for package in packages.glob("libsealstream*.deb"):
        run(["dpkg-deb", "-x", package, folder])
    described, = folder.glob("usr/lib/*/pkgconfig")
    flags = run(["pkg-config", "--cflags", "--libs", "sealstream"],
                env=os.environ | {"PKG_CONFIG_PATH": str(described), "PKG_CONFIG_SYSROOT_DIR": str(folder)}).split()
    run(["gcc", "-o", out, *folder.glob("usr/share/doc/libsealstream-dev/examples/protect.c"), *flags])


def test_packages(packages):
    assert {path.name.split("_")[0] for path in packages.glob("*.deb")} == {
        "sealstream", "sealstream-service", "libsealstream0", "libsealstream-dev"}


def test_build_depends():
    """debian/control wants what dev/packages says the build needs, but for what every build of a package has."""
    wanted = {line.split()[1].split("@")[0] for line in (ROOT / "dev" / "packages").read_text().splitlines()
              if line.startswith("build ")} - {"gcc", "libc6-dev", "ninja-build"}
    source = (ROOT / "debian" / "control").read_text().split("\n\n")[0]
    has = {line.split()[0].rstrip(",") for line in source.split("Build-Depends:")[1].split("Standards")[0].strip().splitlines()}
    assert has - {"debhelper-compat"} == wanted


def test_version():
    """meson.build, debian/changelog and the program speak of one version."""
    said = run(["dpkg-parsechangelog", "-l", ROOT / "debian" / "changelog", "-S", "Version"]).strip()
    assert f"version: '{said}'" in (ROOT / "meson.build").read_text()


def test_install_and_purge(packages, tmp_path):
    """In a minimal Debian of its own; deb_inside does it there."""
    deb = tmp_path / "deb"
    shutil.copytree(packages, deb)
    compile_example(packages, tmp_path / "extracted", deb / "example-protect")
    shutil.copy(ROOT / "tests" / "abi" / "run-example", deb)
    shutil.copy(HERE / "deb_inside", deb)
    for path in (tmp_path, *tmp_path.parents):  # mmdebstrap may read them as another user
        if path.name.startswith("pytest-"):
            path.chmod(0o755)
    said = run(["mmdebstrap", "--variant=minbase", "--include=procps,systemd", "--aptopt=APT::Install-Recommends false", "--skip=cleanup/apt",
                f"--customize-hook=copy-in {deb} /", '--customize-hook=chroot "$1" /deb/deb_inside',
                "bookworm", "/dev/null"])
    assert [line[3:] for line in said.splitlines() if line.startswith("ok ")] == [
        "install", "service", "use", "demo", "pages", "library", "again", "purge"], said[-6000:]
