"""What needs neither policy nor key: the version, and what a protected value says about itself."""
from __future__ import annotations

from typing import NamedTuple

from ._errors import text_of
from ._native import ffi, lib
from ._text import data_of


def version() -> str:
    """The library's version."""
    return text_of(lib.seal_version())


class Inspection(NamedTuple):
    """What a protected value says about itself."""

    method: str
    key_version: int | None  # None: the form does not tell
    json: bool  # its plaintext is a JSON value, not a string


def inspect(text: bytes | str) -> Inspection | None:
    """What the text of a JSON string, or a whole payload, says about itself; None when it names no method."""
    data = data_of(text, "a value")
    found = ffi.new("struct seal_inspection *")
    found.size = ffi.sizeof("struct seal_inspection")
    view = ffi.new("struct seal_bytes *", {"ptr": ffi.from_buffer("uint8_t[]", data), "len": len(data)})
    if not lib.seal_inspect(view[0], found):
        return None
    return Inspection(text_of(found.method), found.key_version or None, bool(found.json))
