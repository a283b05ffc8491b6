"""bench/RESULTS.md: sections, each written by one program; what others wrote stays."""
import os
import pathlib
import re

PATH = pathlib.Path(__file__).resolve().parent / "RESULTS.md"
HEAD = "# Measured\n\nWritten by `--write` of `bench/run-peers`, `bench/run-files`, `bench/run-scan`, `bench/run-tokens`, `bench/run-vault`, `bench/run-kafka`, `bench/run-pump`, `bench/run-scale`, `bench/run-platforms`, `bench/run-python` and `bench/run-spark`; `make bench` prints the same without writing.\n"


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    return f"{model}, {os.cpu_count()} CPUs, Linux {'.'.join(os.uname().release.split('.')[:2])}"


def write_section(title, text):
    """Puts `text` under "## TITLE" in place of what stands there, or at the end."""
    old = PATH.read_text() if PATH.exists() else ""
    sections = dict(re.findall(r"^## (.*)\n((?:(?!## ).*\n?)*)", old, re.M))
    sections[title] = f"\n{text.strip()}\n\n"
    PATH.write_text(HEAD + "".join(f"\n## {name}\n\n{body.strip()}\n" for name, body in sections.items()))
