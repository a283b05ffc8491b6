"""The examples of a page of docs/: run in their order, with what they print compared with the comments behind it."""
import contextlib
import io
import pathlib
import re

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
PRINTED = re.compile(r"^\s*print\(.*\)  # (.*)$", re.M)


def blocks(page, language="python"):
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text(), re.M | re.S)


def run(code, names):
    """Runs one block in the namespace `names`; what stands behind a print must be printed, "…" being anything."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "example", "exec"), names)
    wanted = PRINTED.findall(code)
    printed = out.getvalue().splitlines()
    assert len(printed) == len(wanted), out.getvalue()
    for line, pattern in zip(printed, wanted):
        assert re.fullmatch(".*".join(map(re.escape, pattern.split("…"))), line), (line, pattern)
