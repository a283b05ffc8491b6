"""How an error comes from a Python worker to the driver, through Java, which hands on nothing but text.

    worker: SealError ──▶ WorkerError, whose text ends with MARK and its members as JSON
    driver: somewhere in a long Java stack MARK is found ──▶ the same SealError again
"""
from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import NoReturn

from .. import _errors
from .._errors import SealError

MARK = "\nsealstream-error: "  # no line of an error's text begins so
_CLASSES = {name: getattr(_errors, name)
            for name in ("RetryError", "DataError", "DeniedError", "UsageError", "FatalError")}


class WorkerError(RuntimeError):
    """What a worker raises; users see the SealError that error_of makes of it."""


def raise_to_driver(error: SealError) -> NoReturn:
    """`from None`, so that the driver reads one traceback and not three."""
    members = {"class": type(error).__name__, "text": error.text, "status": error.status, "code": error.code,
               "place": error.place, "index": error.index}
    told = " ".join(str(error).splitlines())
    raise WorkerError(f"{told}{MARK}{json.dumps(members)}") from None


def error_of(exception: BaseException | None) -> SealError | None:
    """The SealError for which a query failed, given what Spark raised or what StreamingQuery.exception() gave; None
    when it was something else."""
    while exception is not None:
        if isinstance(exception, SealError):
            return exception
        text = str(exception)
        if (at := text.find(MARK)) >= 0:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                members = json.JSONDecoder().raw_decode(text, at + len(MARK))[0]
                return _CLASSES[members.pop("class")](members.pop("text"), **members)  # type: ignore[no-any-return]
        exception = exception.__cause__ or exception.__context__
    return None


@contextlib.contextmanager
def errors() -> Iterator[None]:
    """Inside, a query that fails for a SealError raises that, and not Spark's exception with its Java stack."""
    try:
        yield
    except Exception as exception:
        found = error_of(exception)
        if found is None or found is exception:
            raise
        raise found from None
