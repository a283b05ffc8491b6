"""The cases as Python runs them: reading them, and comparing what came out. README.md has the format."""
import base64
import contextlib
import json
import pathlib
import re
from typing import NamedTuple, Union

import server

FOLDER = pathlib.Path(__file__).resolve().parent
FILES = sorted(FOLDER.glob("*.json"))


class Record(NamedTuple):
    """A value, a key or a header's value; with `carried` the record's header seal-key goes with it, with `whole` all of it."""

    value: Union[bytes, None]
    key_header: Union[bytes, None] = None
    key: Union[bytes, None] = None
    headers: tuple = ()  # of (name, value)


class Failure(NamedTuple):
    """Of a record, of a call, or of a start."""

    status: str
    code: str
    place: str


def groups():
    """All groups of all files: (name, file, group)."""
    for path in FILES:
        document = json.loads(path.read_text(encoding="utf-8"))
        for group in document["groups"]:
            yield f"{path.stem}: {group['name']}", document, group


class Servers:
    """The servers that files want, each started once, as a context that stops them."""

    def __init__(self):
        self._stack, self._found = contextlib.ExitStack(), {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def environment(self, document):
        """What a runner of this file's cases must have in its environment."""
        if document["about"] not in self._found:
            self._found[document["about"]] = self._stack.enter_context(server.serving(document))
        return self._found[document["about"]]


def policy_of(group, store):
    return "\n".join([*group["policy"], ""]).replace("{store}", str(store))


def data(given):
    if given is None:
        return None
    if isinstance(given, str):
        return given.encode()
    if "base64" in given:
        return base64.b64decode(given["base64"], validate=True)
    return b"".join(text.encode() * times for text, times in given["parts"])


def record(given):
    if isinstance(given, dict) and "headers" in given:
        return Record(data(given["value"]), None, data(given["key"]),
                      tuple((name, data(value)) for name, value in given["headers"]))
    if isinstance(given, dict) and "value" in given:
        return Record(data(given["value"]), data(given["key_header"]))
    return Record(data(given))


def inputs(case):
    return [record(each["in"]) for each in case["records"]]


def back(case):
    """The case as its results are revealed."""
    return case | {"topic": case.get("reveal_topic", case["topic"])}


def has_failed(given, failure):
    """Whether it is the failure that `given` describes."""
    return isinstance(failure, Failure) and all(getattr(failure, name) == wanted for name, wanted in given.items())


def like(wanted, got):
    if isinstance(wanted, dict) and "like" in wanted:
        return got is not None and re.fullmatch(wanted["like"], got.decode()) is not None
    return data(wanted) == got


def fits(wanted, got):
    if isinstance(got, Failure):
        return False
    if isinstance(wanted, dict) and "headers" in wanted:
        return (like(wanted["value"], got.value) and like(wanted["key"], got.key)
                and [name for name, _ in wanted["headers"]] == [name for name, _ in got.headers]
                and all(like(one, other) for (_, one), (_, other) in zip(wanted["headers"], got.headers)))
    if isinstance(wanted, dict) and "value" in wanted:
        return like(wanted["value"], got.value) and like(wanted["key_header"], got.key_header)
    return like(wanted, got.value)


def check(case, results, reveal):
    """`results`: a Record or Failure of each; `reveal` makes such of Records, as back(case) says."""
    wanted = case["records"]
    assert len(results) == len(wanted)
    for at, (each, got) in enumerate(zip(wanted, results)):
        where = f"{case['name']}, record {at}: {got}"
        if "error" in each:
            assert has_failed(each["error"], got), where
            continue
        assert isinstance(got, Record), where
        assert "out" not in each or fits(each["out"], got), where
        assert "same_as" not in each or got == results[each["same_as"]], where
        assert "differs_from" not in each or got != results[each["differs_from"]], where
    again = [at for at, each in enumerate(wanted) if "reveals_to" in each]
    if again:
        revealed = reveal([results[at] for at in again])
        assert len(revealed) == len(again)
        for at, got in zip(again, revealed):
            assert fits(wanted[at]["reveals_to"], got), f"{case['name']}, record {at}, revealed: {got}"
