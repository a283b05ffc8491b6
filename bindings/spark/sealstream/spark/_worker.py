"""What runs in Spark's Python workers: one engine a process, and batches of Arrow through it.

A row whose topic is another goes through another call: rows are grouped by topic, converted, and put back in order.
Only a policy's text and names come here with the query. No exception that leaves holds a value.
"""
from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from .._engine import Engine
from .._errors import SealError, UsageError, usage_error
from .._policy import Policy, Topic
from .._records import Record
from ._errors import raise_to_driver

_HEADERS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))
_LETTER = pa.struct([("topic", pa.string()), ("key", pa.binary()), ("value", pa.binary()), ("headers", _HEADERS)])
_ERRORS = pa.struct([*((name, pa.string()) for name in ("status", "code", "place", "text")), ("dead_letter", _LETTER)])
# Kafka's source says with these where a record comes from.
_ORIGIN = {"topic": pa.string(), "partition": pa.int32(), "offset": pa.int64()}


class Keys(NamedTuple):
    """What an engine is made of; where keys are is for the worker's environment to say."""

    policy: str
    name: str
    keyring: str | None
    timeout: float
    max_record_bytes: int


class Job(NamedTuple):
    """What protect and reveal were asked for."""

    keys: Keys
    what: str
    column: str
    topic: str | None
    key: str | None
    headers: str | None
    failed: str
    error_column: str


@functools.lru_cache(maxsize=16)
def _engine(keys: Keys) -> Engine:
    policy = Policy.from_text(keys.policy, keys.name)
    return Engine(policy, keyring=keys.keyring, timeout=keys.timeout, max_record_bytes=keys.max_record_bytes)


def convert_batches(job: Job, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """For DataFrame.mapInArrow."""
    try:
        for batch in batches:
            if batch.num_rows:
                yield from _batch(job, _engine(job.keys), batch)
    except SealError as error:
        raise_to_driver(error)


def convert_column(keys: Keys, what: str, text: bool, failed: str, values: pa.Array, topics: pa.Array) -> pa.Array:
    """For SQL functions: strings or bytes, as the function was registered."""
    try:
        engine, made_of, values = _engine(keys), pa.string() if text else pa.binary(), _data(values)
        convert = engine.protect_arrow if what == "protect" else engine.reveal_arrow
        groups, parts = _groups(engine, topics), []
        for topic, rows in groups:
            with _numbered(rows):
                parts.append(pa.array(convert(topic, values if rows is None else values.take(rows), on_error=failed)))
        made = _in_order(pa.chunked_array(parts, values.type), groups)
        return _cast(made, made_of)
    except SealError as error:
        raise_to_driver(error)


def convert_series(keys: Keys, what: str, text: bool, failed: str, values: Any, topics: Any) -> Any:
    """The same for pandas, where PySpark has no functions of arrays."""
    try:
        column = pa.array(values, from_pandas=True)
        names = pa.array(topics, pa.string(), from_pandas=True)
    except pa.ArrowException:  # whose text has the value
        raise_to_driver(usage_error("give strings or bytes, and a topic"))
    return convert_column(keys, what, text, failed, column, names).to_pandas()


def _data(values: pa.Array) -> pa.Array:
    """What a function was given, if it can take that; SQL's bare NULL has a type of its own."""
    if values.type == pa.null():
        return values.cast(pa.binary())
    if not (_is_text(values.type) or pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type)):
        raise usage_error(f"give strings or bytes, not {values.type}: make JSON of it with to_json, or cast it")
    return values


def _cast(values: pa.Array, made_of: pa.DataType) -> pa.Array:
    if values.type == made_of:
        return values
    try:
        return values.cast(made_of)
    except pa.ArrowException:
        raise usage_error("the result is no UTF-8 text; use the function without _text") from None


def _groups(engine: Engine, topics: pa.Array) -> list[tuple[Topic, pa.Array | None]]:
    """Each topic with its rows' numbers; None: all of them."""
    names = pc.unique(topics).to_pylist()
    if None in names:
        raise usage_error("a row has no topic: its column 'topic' is null")
    if names and not _is_text(topics.type):
        raise usage_error(f"a topic is a string, not {topics.type}")
    if len(names) == 1:
        return [(engine.policy.topic(names[0]), None)]
    return [(engine.policy.topic(name), pc.indices_nonzero(pc.equal(topics, name))) for name in names]


@contextlib.contextmanager
def _numbered(rows: pa.Array | None) -> Iterator[None]:
    """An error of a group's row tells the row's number in the batch."""
    try:
        yield
    except SealError as error:
        if rows is not None and error.index is not None:
            error.index = rows[error.index].as_py()
        raise


def _in_order(made: Any, groups: list[tuple[Topic, pa.Array | None]]) -> Any:
    """A table or column in groups' order, with its rows where they were, in one piece."""
    made = made.combine_chunks()
    if len(groups) > 1:
        made = made.take(pc.sort_indices(pa.chunked_array([rows for _, rows in groups])))
    return made.combine_chunks() if isinstance(made, pa.ChunkedArray) else made


def _batch(job: Job, engine: Engine, batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    """The batch converted; more than one where it has become too large for one."""
    if job.topic is not None:
        return [_part(job, engine, engine.policy.topic(job.topic), batch)]
    groups, parts = _groups(engine, _column(batch, "topic")), []
    for topic, rows in groups:
        with _numbered(rows):
            parts.append(_part(job, engine, topic, batch if rows is None else batch.take(rows)))
    if len(parts) > 1:
        parts = _in_order(pa.Table.from_batches(parts), groups).to_batches()
    return parts


def _part(job: Job, engine: Engine, topic: Topic, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Rows of one topic."""
    if job.what == "protect":
        _check_parts(job, topic, batch)
    convert = _records if job.key is not None or job.headers is not None else _values
    return convert(job, engine, topic, batch)


def _check_parts(job: Job, topic: Topic, batch: pa.RecordBatch) -> None:
    """Where the policy has rules for keys or headers, a record leaves with the results of all, or not at all: columns
    named as those of Kafka's source must have been named to us then."""
    names = batch.schema.names
    if job.key is None:
        check_key(topic, names)
    if job.headers is None and "headers" in names and any(topic.header(name) for name in _header_names(batch)):
        raise _in_clear("headers", "headers")


def check_key(topic: Topic, names: list[str]) -> None:
    """Of columns with these names none is a key with rules."""
    if "key" in names and topic.key is not None:
        raise _in_clear("keys", "key")


def _in_clear(what: str, column: str) -> UsageError:
    return usage_error(f"the policy has rules for {what}, and there is a column '{column}': give {column}='{column}', "
                       "or drop or rename the column before")


def _header_names(batch: pa.RecordBatch) -> set[str]:
    """In Kafka's column; empty where it is of another kind."""
    column = _column(batch, "headers")
    if not pa.types.is_list(column.type) or not pa.types.is_struct(column.type.value_type):
        return set()
    names = column.flatten()
    names = names.field("key") if names.type.get_field_index("key") >= 0 else names.field(0)
    return {name for name in pc.unique(names).to_pylist() if isinstance(name, str)}


def _values(job: Job, engine: Engine, topic: Topic, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Values only: the column is read where it lies."""
    values = _column(batch, job.column)
    convert = engine.protect_arrow if job.what == "protect" else engine.reveal_arrow
    made = convert(topic, values, on_error="raise" if job.failed == "raise" else "null")
    return _with(job, engine, topic, batch, {job.column: pa.array(made)}, list(made.errors()))


def _records(job: Job, engine: Engine, topic: Topic, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Values, keys and headers; each record whole or not at all."""
    records = _rows(job, batch)
    convert = engine.protect_records if job.what == "protect" else engine.reveal_records
    made = convert(topic, records, on_error="raise" if job.failed == "raise" else "return")
    failures = [record for record in made if isinstance(record, SealError)]
    good: list[Record | None] = [None if isinstance(record, SealError) else record for record in made]
    results: dict[str, list[Any]] = {job.column: [record and record.value for record in good]}
    if job.headers is None and any(record is not None and record.headers for record in good):
        raise usage_error("the policy has 'carry: header': without the wrapped data keys, which stand in headers, "
                          "nothing could be revealed; give headers=, a column that may hold nulls")
    if job.key is not None:
        results[job.key] = [record and record.key for record in good]
    if job.headers is not None:
        had = _column(batch, job.headers).is_valid().to_pylist()  # null stays null where there are no headers
        results[job.headers] = [record and (_header_list(record) if record.headers or any_ else None)
                                for record, any_ in zip(good, had)]
    return _with(job, engine, topic, batch,
                 {name: pa.array(values, _column(batch, name).type) for name, values in results.items()}, failures)


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    return batch.column(batch.schema.get_field_index(name))


def _rows(job: Job, batch: pa.RecordBatch, as_bytes: bool = False) -> list[Record]:
    """Of the columns that the job names."""
    nothing = [None] * batch.num_rows
    values = _items(_column(batch, job.column), as_bytes)
    keys = nothing if job.key is None else _items(_column(batch, job.key), as_bytes)
    headers = nothing if job.headers is None else _column(batch, job.headers).to_pylist()
    return [Record(value, key, [(header["key"], header["value"]) for header in own or ()])
            for value, key, own in zip(values, keys, headers)]


def _items(column: pa.Array, as_bytes: bool) -> list[Any]:
    """Bytes or str. Strings of Spark may have bytes that are no UTF-8: those fail in the engine, each for itself."""
    items: list[Any] = column.cast(pa.binary()).to_pylist()
    if as_bytes or not _is_text(column.type):
        return items
    return [None if item is None else item.decode("utf-8", "surrogateescape") for item in items]


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _header_list(record: Record) -> list[dict[str, Any]]:
    return [{"key": name, "value": value} for name, value in record.headers]


def _with(job: Job, engine: Engine, topic: Topic, batch: pa.RecordBatch, changed: dict[str, pa.Array],
          failures: list[SealError]) -> pa.RecordBatch:
    """The batch with new columns, and the one that tells of failures if there shall be one."""
    names = list(batch.schema.names)
    arrays = [changed.get(name, column) for name, column in zip(names, batch.columns)]
    if job.failed == "column":
        names.append(job.error_column)
        arrays.append(_error_array(job, engine, topic, batch, failures))
    return pa.RecordBatch.from_arrays(arrays, names)


def _error_array(job: Job, engine: Engine, topic: Topic, batch: pa.RecordBatch, failures: list[SealError]) -> pa.Array:
    if not failures:
        return pa.nulls(batch.num_rows, _ERRORS)
    rows: list[dict[str, Any] | None] = [None] * batch.num_rows
    for error, letter in zip(failures, _letters(job, engine, topic, batch, failures)):
        assert error.index is not None
        rows[error.index] = {"status": error.status, "code": error.code, "place": error.place, "text": error.text,
                             "dead_letter": letter}
    return pa.array(rows, _ERRORS)


def _letters(job: Job, engine: Engine, topic: Topic, batch: pa.RecordBatch,
             failures: list[SealError]) -> list[dict[str, Any] | None]:
    """Dead letters of the rows that failed, where the topic has any."""
    if topic.dead_letter is None:
        return [None] * len(failures)
    failed = batch.take(pa.array([error.index for error in failures]))
    made: list[Record] = engine.dead_letter_records(topic, _rows(job, failed, as_bytes=True))
    return [{"topic": topic.dead_letter, "key": letter.key, "value": letter.value,
             "headers": _header_list(letter) + reasons}
            for letter, reasons in zip(made, _reasons(failed, failures))]


def _reasons(failed: pa.RecordBatch, failures: list[SealError]) -> Iterator[list[dict[str, Any]]]:
    """Headers of dead letters: why a record failed, and where it came from, as far as the row knows."""
    origins = {f"seal-{name}": _column(failed, name).to_pylist() for name, kind in _ORIGIN.items()
               if name in failed.schema.names and failed.schema.field(name).type == kind}
    for at, error in enumerate(failures):
        told = {"seal-error": error.code} | {name: values[at] for name, values in origins.items()}
        yield [{"key": name, "value": str(value).encode()} for name, value in told.items() if value is not None]
