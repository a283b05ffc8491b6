"""Text on its way to C, where a NUL ends it; no exception of Python's that would hold it."""
from __future__ import annotations

import os
from typing import Any

from ._errors import usage_error


def c_text(text: str, what: str) -> bytes:
    """Half a surrogate pair goes through: C refuses it where it matters."""
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a str, not {type(text).__name__}")
    return _whole(text.encode("utf-8", "surrogatepass"), what)


def c_path(path: str | os.PathLike[str], what: str) -> bytes:
    return _whole(os.fsencode(path), what)


def data_of(text: str | bytes, what: str) -> bytes:
    """The bytes of text that C takes with its length."""
    if isinstance(text, str):
        return text.encode("utf-8", "surrogatepass")
    if isinstance(text, (bytes, bytearray, memoryview)):
        return bytes(text)
    raise TypeError(f"{what} must be a str or bytes, not {type(text).__name__}")


def shown(text: str) -> str:
    """For messages: what can always be printed."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def _whole(data: bytes, what: Any) -> bytes:
    if b"\0" in data:
        raise usage_error(f"{what} cannot hold a NUL")
    return data
