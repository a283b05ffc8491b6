"""The examples of docs/PYTHON.md that need nothing else do what it says; tests/services runs all of them."""
import re

from doc_examples import blocks, run

OTHERS = re.compile(r"^(import|from) (confluent_kafka|pandas|polars|pyarrow)|sealstream.kafka", re.M)


def test_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, count = {}, 0
    for code in blocks("PYTHON.md"):
        if not OTHERS.search(code):
            run(code, names)
            count += 1
    assert count == 3


def test_a_second_run(tmp_path, monkeypatch):
    """Whoever pastes the first example into a file runs it again."""
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        run(blocks("PYTHON.md")[0], {})


def test_the_first_thing_is_to_be_pasted():
    page = blocks("PYTHON.md", "sh")
    assert len(page) == 1 and page[0].startswith("make wheel")
    assert blocks("PYTHON.md")[0].startswith("import sealstream")
