"""Columns of pyarrow, pandas and polars, as their own libraries see them."""
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sealstream
from package_kit import BAD_CARD, PURCHASE

ROWS = [PURCHASE, None, "{}", '{"Address":"Zoë"}', '{"Address":""}'] * 700
RESULTS = {pa.string(): pa.string(), pa.large_string(): pa.large_string(), pa.string_view(): pa.large_string(),
           pa.binary(): pa.binary(), pa.large_binary(): pa.large_binary(), pa.binary_view(): pa.large_binary()}


def arrow(rows, type):
    return pa.array([row if row is None or "string" in str(type) else row.encode() for row in rows], type)


@pytest.mark.parametrize("type", RESULTS, ids=str)
def test_pyarrow(engine, type):
    column = arrow(ROWS, type)
    sealed = pa.array(engine.protect_arrow("purchases", column))
    sealed.validate(full=True)
    assert sealed.type == RESULTS[type] and sealed.null_count == column.null_count
    revealed = pa.array(engine.reveal_arrow("purchases", sealed))
    revealed.validate(full=True)
    assert revealed.to_pylist() == column.to_pylist() != sealed.to_pylist()


@pytest.mark.parametrize("type", RESULTS, ids=str)
def test_slices_and_chunks(engine, type):
    column = arrow(ROWS, type)
    for part in (column.slice(3, 1234), column.slice(len(column)), column.slice(1, 1)):
        sealed = engine.protect_arrow("purchases", part)
        assert pa.array(engine.reveal_arrow("purchases", sealed)).to_pylist() == part.to_pylist()
    chunked = pa.chunked_array([column.slice(5, 10), column.slice(0, 0), column.slice(100)], type)
    sealed = engine.protect_arrow("purchases", chunked)
    assert pa.array(engine.reveal_arrow("purchases", sealed)).to_pylist() == chunked.to_pylist()


def test_the_input_is_not_copied(engine):
    """What Arrow allocates does not grow with the input: the results are not Arrow's, the input is read in place."""
    column = pa.array([PURCHASE] * 50_000)
    before = pa.total_allocated_bytes()
    sealed = pa.array(engine.protect_arrow("purchases", column))
    assert pa.total_allocated_bytes() - before < 1024 and len(sealed) == len(column)
    assert pc.all(pc.not_equal(sealed, column)).as_py()


def test_rows_that_fail(engine):
    column = engine.protect_arrow("purchases", pa.array([PURCHASE, BAD_CARD, "{"]), on_error="null")
    assert pa.array(column).is_null().to_pylist() == [False, True, True]
    assert [(error.index, error.code) for error in column.errors()] == [(1, "domain"), (2, "syntax")]


def test_types_that_are_not_text(engine):
    for other in (pa.array([1, 2]), pa.array(["a"]).dictionary_encode(), pa.nulls(3), pa.record_batch({"a": ["x"]}),
                  pa.table({"a": ["x"]}), pl.Series([1]), pl.DataFrame({"a": ["x"]})):
        with pytest.raises(TypeError):
            engine.protect_arrow("purchases", other)


INDEX = pd.Index(range(10, 10 + len(ROWS)), name="row")
PANDAS = {
    "object": lambda: pd.Series(ROWS, INDEX, name="v"),
    "bytes": lambda: pd.Series([row and row.encode() for row in ROWS], INDEX, name="v"),
    "nan": lambda: pd.Series([row or float("nan") for row in ROWS], INDEX),
    "string": lambda: pd.Series(ROWS, INDEX, dtype="string"),
    "string[pyarrow]": lambda: pd.Series(ROWS, INDEX, dtype="string[pyarrow]", name=("a", 1)),
    "arrow": lambda: pd.Series(ROWS, INDEX, dtype=pd.ArrowDtype(pa.string()), name="v"),
    "slice": lambda: pd.Series(ROWS, INDEX, dtype=pd.ArrowDtype(pa.string()), name="v")[7:999],
    "large_binary": lambda: pd.Series(arrow(ROWS, pa.large_binary()).to_pandas(), INDEX,
                                      dtype=pd.ArrowDtype(pa.large_binary())),
}


@pytest.mark.parametrize("kind", PANDAS)
def test_pandas(engine, kind):
    series = PANDAS[kind]()
    sealed = engine.protect_series("purchases", series)
    assert sealed.dtype == series.dtype and sealed.name == series.name and sealed.index.equals(series.index)
    assert (sealed.dropna() != series.dropna()).sum() == sum("Address" in str(row) for row in series)
    pd.testing.assert_series_equal(engine.reveal_series("purchases", sealed), series)


@pytest.mark.parametrize("type", [pl.String, pl.Binary])
def test_polars(engine, type):
    series = pl.Series("v", ROWS).cast(type)
    sealed = engine.protect_series("purchases", series)
    assert (sealed.dtype, sealed.name, sealed.null_count()) == (series.dtype, "v", series.null_count())
    revealed = engine.reveal_series("purchases", sealed)
    assert revealed.equals(series, check_names=True) and not sealed.equals(series)
    frame = pl.DataFrame({"v": series, "n": range(len(series))}).with_columns(sealed.alias("sealed"))
    assert frame.filter(frame["sealed"].is_null()).height == series.null_count()


@pytest.mark.parametrize("series", [pl.Series([PURCHASE, BAD_CARD, None]), pd.Series([PURCHASE, BAD_CARD, None]),
                                    pd.Series([PURCHASE, BAD_CARD, None], dtype=pd.ArrowDtype(pa.string()))])
def test_values_that_fail(engine, series):
    with pytest.raises(sealstream.DataError) as caught:
        engine.protect_series("purchases", series)
    assert caught.value.index == 1
    errors = []
    sealed = engine.protect_series("purchases", series, errors=errors)
    assert [error.index for error in errors] == [1]
    missing = sealed.is_null() if isinstance(sealed, pl.Series) else sealed.isna()
    assert list(missing) == [False, True, True]


@pytest.mark.parametrize("kind", ["object", "string"])
def test_text_that_is_none(engine, kind):
    """Fails alone, as it does in a list; no exception holds it."""
    series = pd.Series([PURCHASE, None, "Ada \ud800"], pd.Index([5, 6, 7]), name="v", dtype=kind)
    with pytest.raises(sealstream.DataError, match="half a surrogate pair") as caught:
        engine.protect_series("purchases", series)
    assert caught.value.index == 2 and caught.value.__context__ is None
    errors = []
    sealed = engine.protect_series("purchases", series, errors=errors)
    assert [error.index for error in errors] == [2] and sealed.isna().tolist() == [False, True, True]
    assert (sealed.dtype, sealed.name, sealed.index.tolist()) == (series.dtype, "v", [5, 6, 7])


def test_what_is_no_series(engine):
    for other in (["{}"], pd.DataFrame({"a": ["{}"]}), pd.Series([1]), pl.Series([1]), "x", None):
        with pytest.raises(TypeError):
            engine.protect_series("purchases", other)
