"""The engine: a batch of records in, a batch out. It owns one engine of C for each call that is under way."""
from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, Callable, Literal, NoReturn, Union, overload

from ._arrow import ArrowData, Column, set_input
from ._errors import SealError, make_error, raise_error, text_of, usage_error
from ._keyring import Keyring, KeyringOptions, PathLike
from ._native import ffi, lib
from ._policy import Policy, Topic
from ._records import (
    Failure,
    Record,
    RulesOf,
    is_value,
    key_header,
    places_of,
    put_keys_back,
    records_of,
    rules_of_letters,
    rules_to_letters,
    to_letter,
    two_key_headers,
    with_key_header,
)
from ._series import map_series

IDLE_MAX = 32  # engines of C that are kept for the next calls
TIMEOUT_MAX, RECORD_BYTES_MAX = 10 ** 9, 2 ** 63 - 1

Value = Union[bytes, str, bytearray, memoryview, None]

class _Pool:
    """Engines of C with one plan, of one process. They are freed when the pool is, after the last call has ended."""

    __slots__ = ("_idle", "_policy", "_taken", "pid")

    def __init__(self, policy: Policy, options: Any) -> None:
        self._idle: list[Any] = []  # appending and popping is one step for all threads
        self.pid = 0
        self._policy = policy._owned  # it, and not its object, must live longer
        out, err = ffi.new("struct seal_engine **"), ffi.new("struct seal_err *")
        if lib.seal_engine_new(policy._pointer, options, out, err) != lib.SEAL_OK:
            raise_error(err)
        self._taken, self.pid = out[0], os.getpid()  # never at work: what others are cloned from

    def take(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            pass
        out, err = ffi.new("struct seal_engine **"), ffi.new("struct seal_err *")
        if lib.seal_engine_clone(self._taken, out, err) != lib.SEAL_OK:
            raise_error(err)
        return out[0]

    def give(self, engine: Any) -> None:
        if len(self._idle) < IDLE_MAX:
            self._idle.append(engine)
        else:
            lib.seal_engine_free(engine)

    def __del__(self, getpid: Callable[[], int] = os.getpid) -> None:  # when Python ends, modules are empty by now
        if self.pid != getpid():  # a child of fork(): locks in there may be held by nobody
            return
        self.pid = 0  # another's __del__ may still call: it gets engines anew
        for engine in (*self._idle, self._taken):
            lib.seal_engine_free(engine)


class Engine:
    """A policy with its keys opened, for any number of threads; `with` closes it.

    keyring: where local keys live, as a Keyring or its directory; None: the default one. timeout: seconds until a key
    server must have answered; it may take as long again for each part of a batch. max_record_bytes: of a value, before
    and after; 0: 16 MiB. A child of fork() opens the keys anew at its first call.
    """

    __slots__ = ("_options", "_policy", "_pool")

    def __init__(self, policy: Policy, *, keyring: Keyring | str | PathLike | None = None, timeout: float = 30.0,
                 max_record_bytes: int = 0) -> None:
        self._pool: _Pool | None = None
        if not isinstance(policy, Policy):
            raise TypeError(f"give a Policy, as Policy.from_file makes it, not {type(policy).__name__}")
        self._policy = policy
        self._options = _Options(keyring, timeout, max_record_bytes)
        self._pool = _Pool(policy, self._options.pointer)

    @property
    def policy(self) -> Policy:
        return self._policy

    def close(self) -> None:
        """Wipes and frees keys and memory, when calls that are under way have ended."""
        self._pool = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<sealstream.Engine of {self._policy!r}{' closed' if self._pool is None else ''}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an Engine holds open keys and cannot be pickled or copied; make one in each process")

    @overload
    def protect(self, topic: str | Topic, records: Iterable[str], *,
                on_error: Literal["raise"] = "raise") -> list[str]: ...
    @overload
    def protect(self, topic: str | Topic, records: Iterable[bytes], *,
                on_error: Literal["raise"] = "raise") -> list[bytes]: ...
    @overload
    def protect(self, topic: str | Topic, records: Iterable[Value], *,
                on_error: Literal["raise"] = "raise") -> list[Any]: ...
    @overload
    def protect(self, topic: str | Topic, records: Iterable[Value], *, on_error: Literal["return"]) -> list[Any]: ...

    def protect(self, topic: str | Topic, records: Iterable[Value], *, on_error: str = "raise") -> list[Any]:
        """Protects records by the rules of `topic`: bytes give bytes, str gives str, None (a tombstone) stays None.

        The first record that fails is raised, and nothing is returned; on_error="return" returns the exceptions in the
        places of the records that failed. The call itself fails when no record can be told good from bad.
        """
        return self._values(lib.NATIVE_PROTECT, topic, records, on_error)

    @overload
    def reveal(self, topic: str | Topic, records: Iterable[str], *,
               on_error: Literal["raise"] = "raise") -> list[str]: ...
    @overload
    def reveal(self, topic: str | Topic, records: Iterable[bytes], *,
               on_error: Literal["raise"] = "raise") -> list[bytes]: ...
    @overload
    def reveal(self, topic: str | Topic, records: Iterable[Value], *,
               on_error: Literal["raise"] = "raise") -> list[Any]: ...
    @overload
    def reveal(self, topic: str | Topic, records: Iterable[Value], *, on_error: Literal["return"]) -> list[Any]: ...

    def reveal(self, topic: str | Topic, records: Iterable[Value], *, on_error: str = "raise") -> list[Any]:
        """Reveals records; else as protect. What one-way methods made stays as it is."""
        return self._values(lib.NATIVE_REVEAL, topic, records, on_error)

    def dead_letter(self, topic: str | Topic, records: Iterable[Value], *, on_error: str = "raise") -> list[Any]:
        """Encrypts whole values that failed, for Topic.dead_letter; UsageError when the topic has none. Its own rules
        reveal them. Records whose keys or headers have rules go through dead_letter_records."""
        return self._values(lib.NATIVE_DEAD_LETTER, topic, records, on_error)

    def protect_records(self, topic: str | Topic, records: Iterable[Record], *, on_error: str = "raise") -> list[Any]:
        """Values, keys and headers of Kafka records, each by its rules; what must travel in a header (`carry: header`)
        is put there. A record is protected whole or not at all."""
        return self._records(lib.NATIVE_PROTECT, topic, records, on_error)

    def reveal_records(self, topic: str | Topic, records: Iterable[Record], *, on_error: str = "raise") -> list[Any]:
        """The other way round. A dead letter becomes the record that failed: its key is put back."""
        return self._records(lib.NATIVE_REVEAL, topic, records, on_error)

    def dead_letter_records(self, topic: str | Topic, records: Iterable[Record], *,
                            on_error: str = "raise") -> list[Any]:
        """Records that failed, as letters for Topic.dead_letter: values encrypted whole, headers and keys where the
        topic has rules for them; such a key goes into RECORD_KEY_HEADER. Where a record was, and why it failed, is the
        caller's to add. reveal_records with the letters' topic opens them."""
        _check_on_error(on_error)
        found = self._topic(topic)
        batch = [to_letter(found, record) for record in records_of(records)]
        headers, failures = self._headers(lib.NATIVE_DEAD_LETTER, rules_to_letters(found), batch)
        values, _, failed = self._run(lib.NATIVE_DEAD_LETTER, found, tuple(record.value for record in batch))
        made = [Record(value, record.key, own) for value, record, own in zip(values, batch, headers)]
        return _outcomes(made, failures + failed, on_error)

    def protect_arrow(self, topic: str | Topic, data: ArrowData, *, on_error: str = "raise") -> Column:
        """Protects a column of strings or bytes, which is read where it lies; nulls stay null.

        The first row that fails is raised, and nothing is returned; on_error="null" makes such rows null, and
        Column.errors() says which and why.
        """
        return self._column(lib.NATIVE_PROTECT, topic, data, on_error)

    def reveal_arrow(self, topic: str | Topic, data: ArrowData, *, on_error: str = "raise") -> Column:
        """Reveals a column; else as protect_arrow."""
        return self._column(lib.NATIVE_REVEAL, topic, data, on_error)

    def dead_letter_arrow(self, topic: str | Topic, data: ArrowData, *, on_error: str = "raise") -> Column:
        """A column as dead_letter makes it."""
        return self._column(lib.NATIVE_DEAD_LETTER, topic, data, on_error)

    def protect_series(self, topic: str | Topic, series: Any, *, errors: list[SealError] | None = None) -> Any:
        """Protects a polars or pandas Series of strings or bytes; gives one with the same name, index and type.

        The first value that fails is raised, and nothing is returned; with a list `errors`, failed values are missing
        in the result, and why is appended to the list, with the value's position as `index`.
        """
        return map_series(self.protect, self.protect_arrow, topic, series, errors)

    def reveal_series(self, topic: str | Topic, series: Any, *, errors: list[SealError] | None = None) -> Any:
        """Reveals a Series; else as protect_series."""
        return map_series(self.reveal, self.reveal_arrow, topic, series, errors)

    def _topic(self, topic: str | Topic) -> Topic:
        if isinstance(topic, str):
            return self._policy.topic(topic)
        if not isinstance(topic, Topic):
            raise TypeError(f"give a topic's name or a Topic, not {type(topic).__name__}")
        return topic

    def _here(self) -> _Pool:
        """The engines of this process."""
        pool = self._pool
        if pool is None:
            raise usage_error("the engine is closed")
        if pool.pid != os.getpid():
            pool = self._pool = _Pool(self._policy, self._options.pointer)
        return pool

    def _column(self, what: int, topic: str | Topic, data: ArrowData, on_error: str) -> Column:
        _check_on_error(on_error, "null")
        call = ffi.new("struct native_arrow *")
        call.topic, call.what, call.keep_failed = self._topic(topic)._pointer, what, on_error == "null"
        kept = set_input(call, data)
        rc = self._work(lib.native_arrow_run, call)
        del kept
        if rc == lib.NATIVE_WRONG_TYPE:
            raise TypeError(text_of(call.err.text))
        _check_outcome(rc, call)
        return Column(call.column)

    def _work(self, function: Any, call: Any) -> int:
        """Calls C with an engine that nobody else has."""
        pool: _Pool | None = self._here()
        assert pool is not None
        call.engine = engine = pool.take()
        try:
            return int(function(call))
        finally:
            pool.give(engine)
            pool = None  # an exception's frames must not keep a closed pool

    def _values(self, what: int, topic: str | Topic, records: Iterable[Value], on_error: str) -> list[Any]:
        _check_on_error(on_error)
        values, _, failures = self._run(what, self._topic(topic), _batch(records))
        return _outcomes(values, failures, on_error)

    def _run(self, what: int, topic: Topic, batch: tuple[Any, ...],
             headers: tuple[Any, ...] | None = None) -> tuple[list[Any], list[Any], list[Failure]]:
        """Values, headers and failures as native.c gives them."""
        answer: list[Any] = []
        call = ffi.new("struct native_call *")
        call.topic, call.what = topic._pointer, what
        call.records, call.answer = ffi.cast("void *", id(batch)), ffi.cast("void *", id(answer))
        if headers is not None:
            call.headers = ffi.cast("void *", id(headers))
        rc = self._work(lib.native_run, call)
        if rc == lib.NATIVE_WRONG_TYPE:
            wrong = batch if headers is None or not is_value(batch[call.at]) else headers
            raise TypeError(f"record {call.at}: give bytes, str or None, not {type(wrong[call.at]).__name__}")
        _check_outcome(rc, call)
        values, new_headers, failures = answer
        return values, new_headers, failures

    def _records(self, what: int, topic: str | Topic, records: Iterable[Record], on_error: str) -> list[Any]:
        """Each part in a batch of its own; a record fails with the first of its parts that does."""
        _check_on_error(on_error)
        found = self._topic(topic)
        batch = records_of(records)
        letters = rules_of_letters(found) if what == lib.NATIVE_REVEAL else None
        keys: Sequence[Any] = [record.key for record in batch]
        failures: list[Failure] = []
        if found.key is not None:
            keys, _, failures = self._run(what, found.key, tuple(keys))
        headers, failed = self._headers(what, letters or found.header, batch, letters is not None)
        values, key_headers, more = self._run(what, found, tuple(record.value for record in batch),
                                              tuple(key_header(record.headers) for record in batch))
        failures += failed + more + two_key_headers(found, batch)
        made = [Record(value, key, with_key_header(own, header))
                for value, key, own, header in zip(values, keys, headers, key_headers)]
        if letters is not None:
            made, failed = put_keys_back(made, batch)
            failures += failed
        return _outcomes(made, failures, on_error)

    def _headers(self, what: int, rules_of: RulesOf, batch: list[Record],
                 claims: bool = False) -> tuple[list[list[Any]], list[Failure]]:
        """Each record's headers, those of one name in one batch, by its rules; failures. `claims`: see places_of."""
        made: list[list[Any]] = [list(record.headers) for record in batch]
        failures: list[Failure] = []
        for name, places in places_of(batch, claims).items():
            rules = rules_of(name)
            if rules is None:
                continue
            values, _, failed = self._run(what, rules, tuple(made[at][nth][1] for at, nth in places))
            for (at, nth), value in zip(places, values):
                made[at][nth] = (name, value)
            failures += [(places[index][0], status, code, f"header:{name}", text)
                         for index, status, code, _, text in failed]
        return made, failures


class _Options:
    """C's struct seal_engine_options, and what it points to."""

    __slots__ = ("_keyring", "pointer")

    def __init__(self, keyring: Keyring | str | PathLike | None, timeout: float, max_record_bytes: int) -> None:
        if not 0 < timeout <= TIMEOUT_MAX or not 0 <= max_record_bytes <= RECORD_BYTES_MAX:
            raise usage_error("'timeout' must be above 0 seconds, 'max_record_bytes' at least 0, and neither endless")
        self._keyring = keyring._options if isinstance(keyring, Keyring) else KeyringOptions(keyring)
        self.pointer = ffi.new("struct seal_engine_options *")
        self.pointer.size = ffi.sizeof("struct seal_engine_options")
        self.pointer.max_record_bytes = max_record_bytes
        self.pointer.timeout_ms = max(1, int(timeout * 1000))
        self.pointer.keyring = self._keyring.pointer


def _check_outcome(rc: int, call: Any) -> None:
    if rc == lib.NATIVE_NO_MEMORY:
        raise MemoryError
    if rc != lib.SEAL_OK:
        raise_error(call.err, call.at if rc == lib.NATIVE_FAILED_RECORD else None)


def _batch(records: Iterable[Value]) -> tuple[Any, ...]:
    if isinstance(records, (str, bytes, bytearray, memoryview)):
        raise TypeError(f"give a list of records, not one {type(records).__name__}")
    return tuple(records)


def _check_on_error(on_error: str, other: str = "return") -> None:
    if on_error not in ("raise", other):
        raise usage_error(f"on_error must be 'raise' or '{other}', not {on_error!r}")


def _error(failure: Failure) -> SealError:
    index, status, code, place, text = failure
    return make_error(status, code, place, text, index)


def _outcomes(results: list[Any], failures: list[Failure], on_error: str) -> list[Any]:
    """The results, each failure in its record's place, or the first one raised; the first of one record counts."""
    failures = sorted(failures, key=itemgetter(0))  # keeps the order of one record's
    for failure in failures if on_error == "return" else failures[:1]:
        if on_error == "raise":
            raise _error(failure)
        if not isinstance(results[failure[0]], SealError):
            results[failure[0]] = _error(failure)
    return results
