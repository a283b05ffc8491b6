"""What runs in Spark's Python workers: one engine a process, and batches of Arrow through it.

A row whose topic is another goes through another call: rows are grouped by topic, converted, and put back in order.
Only a policy's text and names come here with the query. No exception that leaves holds a value.
"""
from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from .._engine import Engine
from .._errors import SealError, usage_error
from .._policy import Policy, Topic
from .._records import Record
from ._errors import raise_to_driver

_FIELDS = ("status", "code", "place", "text", "topic")
_ERRORS = pa.struct([*((name, pa.string()) for name in _FIELDS), ("dead_letter", pa.binary())])


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
                yield _batch(job, _engine(job.keys), batch)
    except SealError as error:
        raise_to_driver(error)


def convert_column(keys: Keys, what: str, text: bool, failed: str, values: pa.Array, topics: pa.Array) -> pa.Array:
    """For SQL functions: strings or bytes, as the function was registered."""
    try:
        engine, made_of = _engine(keys), pa.string() if text else pa.binary()
        convert = engine.protect_arrow if what == "protect" else engine.reveal_arrow
        groups = _groups(engine, topics)
        parts = [pa.array(convert(topic, values if rows is None else values.take(rows), on_error=failed))
                 for topic, rows in groups]
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
        raise TypeError("give strings or bytes, and a topic") from None
    column = column.cast(pa.binary()) if column.type == pa.null() else column
    return convert_column(keys, what, text, failed, column, names).to_pandas()


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
    if len(names) == 1:
        return [(engine.policy.topic(names[0]), None)]
    return [(engine.policy.topic(name), pc.indices_nonzero(pc.equal(topics, name))) for name in names]


def _in_order(made: Any, groups: list[tuple[Topic, pa.Array | None]]) -> Any:
    """A table or column in groups' order, with its rows where they were, in one piece."""
    made = made.combine_chunks()
    if len(groups) > 1:
        made = made.take(pc.sort_indices(pa.chunked_array([rows for _, rows in groups])))
    return made.combine_chunks() if isinstance(made, pa.ChunkedArray) else made


def _batch(job: Job, engine: Engine, batch: pa.RecordBatch) -> pa.RecordBatch:
    convert = _records if job.key is not None or job.headers is not None else _values
    if job.topic is not None:
        return convert(job, engine, engine.policy.topic(job.topic), batch)
    groups = _groups(engine, batch.column(batch.schema.get_field_index("topic")))
    parts = [convert(job, engine, topic, batch if rows is None else batch.take(rows)) for topic, rows in groups]
    return parts[0] if len(parts) == 1 else _in_order(pa.Table.from_batches(parts), groups).to_batches()[0]


def _values(job: Job, engine: Engine, topic: Topic, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Values only: the column is read where it lies."""
    values = batch.column(batch.schema.get_field_index(job.column))
    convert = engine.protect_arrow if job.what == "protect" else engine.reveal_arrow
    made = convert(topic, values, on_error="raise" if job.failed == "raise" else "null")
    return _with(job, engine, topic, batch, {job.column: pa.array(made)}, list(made.errors()))


def _records(job: Job, engine: Engine, topic: Topic, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Values, keys and headers; each record whole or not at all."""
    names = [name for name in (job.column, job.key, job.headers) if name is not None]
    columns = {name: batch.column(batch.schema.get_field_index(name)) for name in names}
    rows = {name: column.to_pylist() for name, column in columns.items()}
    nothing = [None] * batch.num_rows
    records = [Record(value, key, [(header["key"], header["value"]) for header in headers or ()])
               for value, key, headers in zip(rows[job.column], rows.get(job.key or "", nothing),
                                              rows.get(job.headers or "", nothing))]
    convert = engine.protect_records if job.what == "protect" else engine.reveal_records
    made = convert(topic, records, on_error="raise" if job.failed == "raise" else "return")
    failures = [record for record in made if isinstance(record, SealError)]
    good: list[Record | None] = [None if isinstance(record, SealError) else record for record in made]
    results: dict[str, list[Any]] = {job.column: [record and record.value for record in good]}
    if job.key is not None:
        results[job.key] = [record and record.key for record in good]
    if job.headers is not None:
        results[job.headers] = [record and _header_list(record, had) for record, had in zip(good, rows[job.headers])]
    return _with(job, engine, topic, batch, {name: pa.array(results[name], columns[name].type) for name in names},
                 failures)


def _header_list(record: Record, had: Any) -> list[dict[str, Any]] | None:
    """Null stays null where there are no headers."""
    return [{"key": name, "value": value} for name, value in record.headers] if record.headers or had else had


def _with(job: Job, engine: Engine, topic: Topic, batch: pa.RecordBatch, changed: dict[str, pa.Array],
          failures: list[SealError]) -> pa.RecordBatch:
    """The batch with new columns, and the one that tells of failures if there shall be one."""
    names = list(batch.schema.names)
    arrays = [changed.get(name, column) for name, column in zip(names, batch.columns)]
    if job.failed == "column":
        names.append(job.error_column)
        values = batch.column(batch.schema.get_field_index(job.column))
        arrays.append(_error_array(engine, topic, values, failures))
    return pa.RecordBatch.from_arrays(arrays, names)


def _error_array(engine: Engine, topic: Topic, values: pa.Array, failures: list[SealError]) -> pa.Array:
    if not failures:
        return pa.nulls(len(values), _ERRORS)
    rows: list[dict[str, Any] | None] = [None] * len(values)
    letters: list[Any] = [None] * len(failures)
    if topic.dead_letter is not None:
        whole = values.take(pa.array([error.index for error in failures])).cast(pa.binary())
        letters = pa.array(engine.dead_letter_arrow(topic, whole)).to_pylist()
    for error, letter in zip(failures, letters):
        assert error.index is not None
        rows[error.index] = {"status": error.status, "code": error.code, "place": error.place, "text": error.text,
                             "topic": topic.dead_letter, "dead_letter": letter}
    return pa.array(rows, _ERRORS)
