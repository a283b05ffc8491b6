"""Columns of Apache Arrow, through the PyCapsule interface; no Arrow library is needed here."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, Union

from ._errors import SealError, make_error, text_of
from ._native import ffi, lib
from ._owned import owner_of


class ArrowArray(Protocol):
    """What gives its data as one array: pyarrow.Array, a Column."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...


class ArrowStream(Protocol):
    """What gives its data in chunks: pyarrow.ChunkedArray, polars.Series."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


ArrowData = Union[ArrowArray, ArrowStream]


class Column:
    """A finished column: pyarrow.array(column), polars.Series(column) and others take it without copying.

    It is of the type that was given, in one piece; views of strings or bytes become large_string and large_binary.
    """

    __slots__ = ("_owned", "_pointer")

    def __init__(self, pointer: Any) -> None:
        self._pointer, self._owned = pointer, owner_of(lib.native_column_own, pointer)

    def __arrow_c_schema__(self) -> object:
        return self._export(False)[0]

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        schema, array = self._export(True)
        return schema, array

    def _export(self, with_array: bool) -> list[object]:
        answer: list[object] = []
        if lib.native_column_export(self._pointer, with_array, ffi.cast("void *", id(answer))) != 0:
            raise MemoryError
        return answer

    def __len__(self) -> int:
        return int(lib.native_column_length(self._pointer))

    def __repr__(self) -> str:
        return f"<sealstream.Column of {len(self)} rows, {self.failed} failed>"

    @property
    def failed(self) -> int:
        """How many rows failed; they are null."""
        return int(lib.native_column_failures(self._pointer))

    def errors(self) -> Iterator[SealError]:
        """Why rows failed, each with its `index`, in their order."""
        index, status, code = ffi.new("int64_t *"), ffi.new("int *"), ffi.new("int *")
        place, text = ffi.new("const char **"), ffi.new("const char **")
        for nth in range(self.failed):
            lib.native_column_failure(self._pointer, nth, index, status, code, place, text)
            yield make_error(status[0], code[0], text_of(place[0]), text_of(text[0]), index[0])


def set_input(call: Any, data: Any) -> Any:
    """Names the data's capsules in a struct native_arrow; gives what must live until the call has ended."""
    if hasattr(data, "__arrow_c_array__"):
        capsules = data.__arrow_c_array__()
        call.schema, call.array = (ffi.cast("void *", id(capsule)) for capsule in capsules)
        return capsules
    if hasattr(data, "__arrow_c_stream__"):
        capsule = data.__arrow_c_stream__()
        call.stream = ffi.cast("void *", id(capsule))
        return capsule
    raise TypeError(f"give an Arrow array, a chunked one or a polars Series, not {type(data).__name__}")
