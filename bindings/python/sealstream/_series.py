"""Series of polars and pandas. Neither is imported here: whoever gives one has it."""
from __future__ import annotations

import contextlib
from typing import Any, Callable

from ._arrow import Column
from ._errors import SealError


def map_series(of_list: Callable[..., list[Any]], of_arrow: Callable[..., Column], topic: Any, series: Any,
               errors: list[SealError] | None) -> Any:
    """A Series of what `of_list` or `of_arrow` makes of one; `errors` as in Engine.protect_series."""
    library = type(series).__module__.split(".")[0]
    if library == "polars":
        return type(series)(values=_column(of_arrow, topic, series, errors)).alias(series.name)
    if library != "pandas" or not hasattr(series, "dtype"):
        raise TypeError(f"give a polars or pandas Series, not {type(series).__name__}")
    if series.dtype == object:
        return _objects(of_list, topic, series, errors)
    import pyarrow as pa  # what such a Series is made of

    data = None
    with contextlib.suppress(UnicodeError):  # of a str that is no text; it holds that str
        data = pa.array(series)
    if data is None:
        return _objects(of_list, topic, series, errors)
    made = pa.array(_column(of_arrow, topic, data, errors))
    return type(series)(made.to_pandas(types_mapper=lambda _: series.dtype).array, index=series.index,
                        name=series.name)


def _column(of_arrow: Callable[..., Column], topic: Any, data: Any, errors: list[SealError] | None) -> Column:
    column = of_arrow(topic, data, on_error="raise" if errors is None else "null")
    if errors is not None:
        errors.extend(column.errors())
    return column


def _objects(of_list: Callable[..., list[Any]], topic: Any, series: Any, errors: list[SealError] | None) -> Any:
    """A pandas Series of Python's own bytes and str; what is missing stays as it is."""
    values = series.tolist()
    missing = series.isna().tolist()
    made = of_list(topic, [None if no else value for value, no in zip(values, missing)],
                   on_error="raise" if errors is None else "return")
    for at, result in enumerate(made):
        if missing[at]:
            made[at] = values[at]
        elif isinstance(result, SealError) and errors is not None:
            errors.append(result)
            made[at] = None
    return type(series)(made, index=series.index, name=series.name, dtype=series.dtype)
