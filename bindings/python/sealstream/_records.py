"""Kafka records whole: what becomes of their keys and headers, and of those of dead letters.

    record  key   value             headers
    letter  None  value, encrypted  headers, those with rules encrypted; seal-record-key: the key, encrypted

Where keys have no rules a letter has the record's.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Callable, NamedTuple, Optional, Union

from ._native import ffi, lib
from ._policy import Topic
from ._text import data_of

KEY_HEADER = "seal-key"
"""The record header that carries wrapped data keys of `type: envelope` with `carry: header`."""
RECORD_KEY_HEADER = "seal-record-key"
"""The header of a dead letter that holds the record's encrypted key, where keys have rules."""

Headers = Sequence[tuple[str, Union[bytes, None]]]
Failure = tuple[int, int, int, str, str]  # index, status, code, place, text
RulesOf = Callable[[str], Optional[Topic]]


class Record(NamedTuple):
    """A Kafka record, as far as a policy can protect it."""

    value: bytes | str | None
    key: bytes | str | None = None
    headers: Headers = ()


def records_of(records: Iterable[Any]) -> list[Record]:
    """What the caller gave, looked at; no headers may be None, as clients have it."""
    made = []
    for at, given in enumerate(records):
        if not isinstance(given, tuple) or not 1 <= len(given) <= 3:
            raise TypeError(f"record {at}: give a sealstream.Record, not {type(given).__name__}")
        record = Record(*given)
        made.append(record._replace(headers=[_header(at, header) for header in record.headers or ()]))
    return made


def is_value(item: object) -> bool:
    return item is None or isinstance(item, (bytes, str, bytearray, memoryview))


def _header(at: int, given: Any) -> tuple[str, Any]:
    pair = isinstance(given, (tuple, list)) and len(given) == 2
    if not pair or not isinstance(given[0], str) or not is_value(given[1]):
        raise TypeError(f"record {at}: a header is (name, value), of str and bytes, str or None")
    return (given[0], given[1])


def count(headers: Headers, name: str) -> int:
    return sum(1 for known, _ in headers if known == name)


def key_header(headers: Headers) -> bytes | None:
    return next((value for name, value in headers if name == KEY_HEADER), None)


def with_key_header(headers: Headers, value: bytes | None) -> list[tuple[str, bytes | None]]:
    """KEY_HEADER as the engine says it must be: changed, new or gone; the others stay as they are, in their order. One
    without a value is none to the engine, and stays, too."""
    if value is None and key_header(headers) is None:
        return list(headers)
    at = next((nth for nth, (name, _) in enumerate(headers) if name == KEY_HEADER), len(headers))
    return [*headers[:at], *([] if value is None else [(KEY_HEADER, value)]), *headers[at + 1:]]


def two_key_headers(topic: Topic, batch: list[Record]) -> list[Failure]:
    """Two would leave open which one counts, where one does."""
    found = [at for at, record in enumerate(batch) if count(record.headers, KEY_HEADER) > 1]
    if not found or not any(rule.type == "envelope" for rule in topic.rules):
        return []
    return [_bad_headers(at, f"the record has the header {KEY_HEADER} more than once") for at in found]


def places_of(batch: list[Record], claims: bool) -> dict[str, list[tuple[int, int]]]:
    """Where the headers of each name are: (record, which of its headers); with `claims`: those that look protected."""
    found: dict[str, list[tuple[int, int]]] = {}
    for at, record in enumerate(batch):
        for nth, (name, value) in enumerate(record.headers):
            if not claims or _looks_protected(value):
                found.setdefault(name, []).append((at, nth))
    return found


def rules_of_letters(topic: Topic) -> RulesOf | None:
    """By which rules headers of dead letters are revealed: those of their topic; None: it has no letters."""
    sources = topic.dead_letters_of

    def rules_of(name: str) -> Topic | None:
        known = name == RECORD_KEY_HEADER or any(source.header(name) is not None for source in sources)
        return topic if known else None

    return rules_of if sources else None


def rules_to_letters(topic: Topic) -> RulesOf:
    """Which headers of a record that failed are encrypted; the key is among them by now."""
    has_key = topic.key is not None

    def rules_of(name: str) -> Topic | None:
        return topic if (name == RECORD_KEY_HEADER and has_key) or topic.header(name) is not None else None

    return rules_of


def to_letter(topic: Topic, record: Record) -> Record:
    """The key where a letter has it; a header that would pass for it is left out."""
    if topic.key is None:
        return record
    headers = [header for header in record.headers if header[0] != RECORD_KEY_HEADER]
    key = data_of(record.key, "a key") if isinstance(record.key, str) else record.key
    return Record(record.value, None, headers if key is None else [*headers, (RECORD_KEY_HEADER, key)])


def put_keys_back(batch: list[Record], given: list[Record]) -> tuple[list[Record], list[Failure]]:
    """The keys of revealed letters from where these have them; `given`: as they came, which tells who has one."""
    made, failures = [], []
    for at, (record, was) in enumerate(zip(batch, given)):
        holds = [nth for nth, (name, value) in enumerate(was.headers)
                 if name == RECORD_KEY_HEADER and _looks_protected(value)]
        if len(holds) > 1 or (holds and record.key is not None):
            failures.append(_bad_headers(at, f"the dead letter has a key and the header {RECORD_KEY_HEADER} as well, "
                                             "or that one twice"))
        elif holds:
            nth = [at for at, (name, _) in enumerate(record.headers) if name == RECORD_KEY_HEADER][
                count(was.headers[:holds[0]], RECORD_KEY_HEADER)]
            record = Record(record.value, record.headers[nth][1], [*record.headers[:nth], *record.headers[nth + 1:]])
        made.append(record)
    return made, failures


def _bad_headers(index: int, text: str) -> Failure:
    return (index, lib.SEAL_DATA, lib.SEAL_E_SYNTAX, "", text)


def _looks_protected(value: Any) -> bool:
    if value is None:
        return False
    view = ffi.from_buffer("uint8_t[]", data_of(value, "a header"))
    return bool(lib.seal_looks_protected(ffi.new("struct seal_bytes *", {"ptr": view, "len": len(view)})[0]))
