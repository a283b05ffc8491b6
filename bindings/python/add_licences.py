#!/usr/bin/env python3
"""Puts our licence into a wheel, and those of the libraries that it bundles, as Debian's packages here tell them.

Usage: add_licences.py UNPACKED-WHEEL LIBRARY

UNPACKED-WHEEL is what `wheel unpack` made of the wheel that auditwheel has repaired, LIBRARY the libsealstream that the
bundled ones were found from. Into dist-info/licenses go our LICENSE, PACKAGE/copyright of each package that owns one of
them, the texts of /usr/share/common-licenses that these refer to, and bundled.txt: a line a library, with its package
and version.
"""
import pathlib
import re
import subprocess
import sys

OURS = pathlib.Path(__file__).resolve().parents[2] / "LICENSE"
DOCS = pathlib.Path("/usr/share/doc")
COMMON = pathlib.Path("/usr/share/common-licenses")
HASH = re.compile(r"-[0-9a-f]{8}(?=\.)")  # which auditwheel puts into names


def output(*words):
    return subprocess.run([*map(str, words)], check=True, capture_output=True, text=True).stdout


def needed(library):
    """{file name: path} of all libraries that this one needs, and those need."""
    paths = [pathlib.Path(path).resolve() for path in re.findall(r"=> (/\S+)", output("ldd", library))]
    return {path.name: path for path in paths}


def package_of(path):
    """(package, version) that a library's file is from."""
    for known in (path, pathlib.Path("/", *path.parts[2:])):  # /usr/lib, which packages may call /lib
        found = subprocess.run(["dpkg-query", "--search", str(known)], capture_output=True, text=True)
        if found.returncode == 0:
            package = found.stdout.split(": ")[0]
            return package.split(":")[0], output("dpkg-query", "--show", "--showformat=${Version}", package)
    sys.exit(f"no Debian package owns {path}, so its licence is not known")


def copyrights(wheel, library):
    """{path below licenses/: text}"""
    paths, made, index = needed(library), {}, []
    for bundled in sorted(path.name for path in (wheel / "sealstream.libs").iterdir()):
        if bundled.startswith("libsealstream-"):
            continue
        package, version = package_of(paths[HASH.sub("", bundled, count=1)])
        text = (DOCS / package / "copyright").read_text(encoding="utf-8", errors="replace")
        made[f"{package}/copyright"] = text
        index.append(f"{bundled} {package} {version}")
        for name in re.findall(rf"{COMMON}/([\w.+-]*\w)", text):
            made[f"common-licenses/{name}"] = (COMMON / name).read_text(encoding="utf-8", errors="replace")
    return made | {"bundled.txt": "\n".join(index) + "\n"}


def main():
    wheel, library = map(pathlib.Path, sys.argv[1:])
    info = next(wheel.glob("*.dist-info"))
    texts = copyrights(wheel, library) | {"LICENSE": OURS.read_text()}
    for name, text in texts.items():
        target = info / "licenses" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    metadata = info / "METADATA"
    lines = "".join(f"License-File: {name}\n" for name in sorted(texts))
    head, body = metadata.read_text().split("\n\n", 1)
    metadata.write_text(f"{head}\n{lines}\n{body}")


if __name__ == "__main__":
    main()
