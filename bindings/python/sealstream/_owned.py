"""Things of C that are freed when the last object that uses them has gone.

The garbage collector ends the objects of a cycle in any order, those of ffi.gc and those with __del__, and each may
still use the others then. A capsule has no such end: it is there until nobody has it any more.
"""
from __future__ import annotations

from typing import Any, Callable

from ._native import ffi


def owner_of(own: Callable[..., int], pointer: Any) -> object:
    """A capsule that frees it; `own` is C's function for its kind."""
    answer: list[object] = []
    if own(pointer, ffi.cast("void *", id(answer))) != 0:
        raise MemoryError
    return answer[0]
