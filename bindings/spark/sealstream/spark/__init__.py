"""Protects columns of Spark DataFrames, batch and streaming; docs/SPARK.md shows how.

    sealed = sealstream.spark.protect(df, "policy.yaml", topic="purchases")

The policy's text travels to the executors, keys do not: each Python worker opens them from where the executor's own
environment says they are. PySpark 3.5 and 4.
"""
from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Union

import pyarrow as pa
from pyspark.sql import functions
from pyspark.sql.types import ArrayType, BinaryType, StringType, StructField, StructType

from .._errors import usage_error
from .._policy import Policy
from ._errors import error_of, errors
from ._worker import Job, Keys, check_key, convert_batches, convert_column, convert_series

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["error_of", "errors", "protect", "register", "reveal"]

PolicyLike = Union[Policy, str, "os.PathLike[str]"]
FAILED = ("raise", "null", "column")
HEADERS_TYPE = ArrayType(StructType([StructField("key", StringType()), StructField("value", BinaryType())]))
LETTER_TYPE = StructType([StructField("topic", StringType()), StructField("key", BinaryType()),
                          StructField("value", BinaryType()), StructField("headers", HEADERS_TYPE)])
ERROR_TYPE = StructType([StructField(name, StringType()) for name in ("status", "code", "place", "text")]
                        + [StructField("dead_letter", LETTER_TYPE)])


def protect(df: DataFrame, policy: PolicyLike, column: str = "value", *, topic: str | None = None,
            key: str | None = None, headers: str | None = None, failed: str = "raise",
            error_column: str = "seal_error", keyring: str | os.PathLike[str] | None = None, timeout: float = 30.0,
            max_record_bytes: int = 0) -> DataFrame:
    """The DataFrame with `column`, of strings or bytes, protected by the rules of `topic`; nulls stay null.

    policy: a Policy, or the path of its file on the driver. topic: None takes each row's from its column "topic", which
    Kafka's source has. key, headers: names of columns with record keys and headers, where the policy has rules for
    them or `carry: header`. failed: "raise" fails the query, "null" leaves nulls, "column" adds `error_column` as well:
    null, or a struct of status, code, place, text, and where the policy says so the dead letter: its topic, key, value
    and headers.
    keyring: a directory on the executors; None: their environment says where. timeout, max_record_bytes: as of Engine.
    """
    return _converted("protect", df, policy, column, topic, key, headers, failed, error_column,
                      _Options(keyring, timeout, max_record_bytes))


def reveal(df: DataFrame, policy: PolicyLike, column: str = "value", *, topic: str | None = None,
           key: str | None = None, headers: str | None = None, failed: str = "raise",
           error_column: str = "seal_error", keyring: str | os.PathLike[str] | None = None, timeout: float = 30.0,
           max_record_bytes: int = 0) -> DataFrame:
    """The other way round; else as protect."""
    return _converted("reveal", df, policy, column, topic, key, headers, failed, error_column,
                      _Options(keyring, timeout, max_record_bytes))


def register(spark: SparkSession, policy: PolicyLike, *, failed: str = "raise",
             keyring: str | os.PathLike[str] | None = None, timeout: float = 30.0, max_record_bytes: int = 0) -> None:
    """Registers the SQL functions seal_protect(value, topic) and seal_reveal(value, topic), which give bytes, and
    seal_protect_text and seal_reveal_text, which give strings. All take both. failed: "raise" or "null"."""
    if failed not in FAILED[:2]:
        raise usage_error(f"failed: give one of {', '.join(FAILED[:2])}")
    keys = _Options(keyring, timeout, max_record_bytes).keys(_load(policy))
    for what in ("protect", "reveal"):
        for suffix, text in (("", False), ("_text", True)):
            function = _function(keys, what, text, failed)
            spark.udf.register(f"seal_{what}{suffix}", function.asNondeterministic() if what == "protect" else function)


class _Options:
    """How engines in the workers are to be made."""

    def __init__(self, keyring: str | os.PathLike[str] | None, timeout: float, max_record_bytes: int) -> None:
        self._keyring = None if keyring is None else os.fspath(keyring)
        self._timeout, self._max = timeout, max_record_bytes

    def keys(self, policy: Policy) -> Keys:
        return Keys(policy.text, policy.name, self._keyring, self._timeout, self._max)


def _load(policy: PolicyLike) -> Policy:
    return policy if isinstance(policy, Policy) else Policy.from_file(policy)


def _converted(what: str, df: DataFrame, policy: PolicyLike, column: str, topic: str | None, key: str | None,
               headers: str | None, failed: str, error_column: str, options: _Options) -> DataFrame:
    """Everything that can be wrong without keys is found here, before anything runs."""
    loaded = _load(policy)
    if failed not in FAILED:
        raise usage_error(f"failed: give one of {', '.join(FAILED)}")
    schema = df.schema
    _check_column(schema, column)
    if key is not None:
        _check_column(schema, key)
    if headers is not None and _field(schema, headers).dataType.simpleString() != HEADERS_TYPE.simpleString():
        raise usage_error(f"column '{headers}' has no headers: it must be {HEADERS_TYPE.simpleString()}")
    if topic is not None:
        rules = loaded.topic(topic)
        if what == "protect" and key is None:
            check_key(rules, schema.names)
    elif "topic" not in schema.names or schema["topic"].dataType != StringType():
        raise usage_error("there is no string column 'topic' to take each row's topic from; give topic=…")
    named = [name for name in (column, key, headers) if name is not None]
    if len(set(named)) < len(named):
        raise usage_error("column, key and headers must name different columns")
    if failed == "column" and error_column in schema.names:
        raise usage_error(f"there is a column '{error_column}' already; give error_column another name")
    fields = [StructField(field.name, field.dataType, field.nullable or field.name in named, field.metadata)
              for field in schema.fields]
    if failed == "column":
        fields.append(StructField(error_column, ERROR_TYPE))
    job = Job(options.keys(loaded), what, column, topic, key, headers, failed, error_column)
    return df.mapInArrow(functools.partial(convert_batches, job), StructType(fields))


def _field(schema: StructType, name: str) -> StructField:
    if name not in schema.names:
        raise usage_error(f"there is no column '{name}'; there are {', '.join(schema.names)}")
    return schema[name]


def _check_column(schema: StructType, name: str) -> None:
    found = _field(schema, name).dataType
    if not isinstance(found, (StringType, BinaryType)):
        raise usage_error(f"column '{name}' is {found.simpleString()}; only strings and bytes can be protected: "
                          f"make JSON of it with to_json, or cast it")


def _function(keys: Keys, what: str, text: bool, failed: str):  # type: ignore[no-untyped-def] # PySpark has no name for it
    """A function of two columns: by Arrow arrays where PySpark has them (4.1), else by pandas Series."""
    made_of = StringType() if text else BinaryType()
    if hasattr(functions, "arrow_udf"):
        def by_array(value: pa.Array, topic: pa.Array) -> pa.Array:
            return convert_column(keys, what, text, failed, value, topic)
        return functions.arrow_udf(by_array, made_of)
    import pandas as pd
    from pyspark.sql.pandas.functions import pandas_udf

    def by_series(value: pd.Series, topic: pd.Series) -> pd.Series:
        return convert_series(keys, what, text, failed, value, topic)
    by_series.__annotations__ = {"value": pd.Series, "topic": pd.Series, "return": pd.Series}
    return pandas_udf(by_series, made_of)  # type: ignore[call-overload] # it reads them from the annotations
