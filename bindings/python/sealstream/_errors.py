"""One exception class for each class of failure. None of them ever holds a value or a key."""
from __future__ import annotations

from typing import Any, NoReturn

from ._native import ffi, lib


class SealError(Exception):
    """What the library could not do. Branch on the class; `code` is finer, text and place are for people.

    `status` and `code` are names of the library's tables ("data", "tampered"). `place` is where: a field's path, or
    file:line:column of a policy; it may be "". `index` is the record's, in its batch; None when the whole call failed.
    """

    def __init__(self, text: str, *, status: str = "fatal", code: str = "internal", place: str = "",
                 index: int | None = None) -> None:
        super().__init__(text)
        self.text, self.status, self.code, self.place, self.index = text, status, code, place, index

    def __str__(self) -> str:
        where = [f"record {self.index}"] if self.index is not None else []
        if self.place:
            where.append(self.place)
        return f"{', '.join(where)}: {self.text}" if where else self.text

    def __reduce__(self) -> tuple[Any, ...]:
        state = {"status": self.status, "code": self.code, "place": self.place, "index": self.index}
        return type(self), (self.text,), state


class RetryError(SealError):
    """Nothing is wrong with the request; later may work: a service is away, a lock is held."""


class DataError(SealError):
    """This record or input is bad and always will be."""


class DeniedError(SealError):
    """Not allowed: credentials, permissions, a key's own limits."""


class UsageError(SealError):
    """The caller, the policy or the configuration is wrong."""


class FatalError(SealError):
    """Cannot go on: memory, disk, internal."""


_CLASSES: dict[int, type[SealError]] = {
    lib.SEAL_RETRY: RetryError,
    lib.SEAL_DATA: DataError,
    lib.SEAL_DENIED: DeniedError,
    lib.SEAL_USAGE: UsageError,
    lib.SEAL_FATAL: FatalError,
}


def text_of(pointer: Any) -> str:
    """A C string that is there."""
    return str(ffi.string(pointer).decode("utf-8", "replace"))


def make_error(status: int, code: int, place: str, text: str, index: int | None = None) -> SealError:
    return _CLASSES.get(status, FatalError)(text, status=text_of(lib.seal_status_name(status)),
                                            code=text_of(lib.seal_code_name(code)), place=place, index=index)


def raise_error(err: Any, index: int | None = None) -> NoReturn:
    """Raises what a filled struct seal_err says."""
    raise make_error(err.status, err.code, text_of(err.place), text_of(err.text), index)


def usage_error(text: str) -> UsageError:
    return UsageError(text, status="usage", code="usage")
