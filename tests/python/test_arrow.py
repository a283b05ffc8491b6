"""Columns: every layout, slices, nulls, chunks; what is refused; who releases what. With no Arrow library."""
import ctypes
import gc

import pytest
import sealstream
from arrow_arrays import RELEASE, Given, GivenStream, Schema, rows_of
from package_kit import BAD_CARD, PURCHASE

ROWS = [PURCHASE.encode(), None, b"{}", b'{"Address":"1"}', None, '{"Address":"Zoë"}'.encode()]
RESULT = {"u": "u", "U": "U", "z": "z", "Z": "Z", "vu": "U", "vz": "Z"}


@pytest.mark.parametrize("format", RESULT)
@pytest.mark.parametrize("before", [(), (b"x",) * 7, (b"x" * 20, None) * 5])
def test_layouts(engine, format, before):
    """The results are those of lists, whatever lies ahead of the array's offset; the input stays the producer's."""
    given = Given(format, ROWS, before)
    sealed = engine.protect_arrow("purchases", given)
    made, rows = rows_of(sealed)
    assert made == RESULT[format] and given.released == 0 and len(sealed) == len(rows) == len(ROWS)
    assert engine.reveal("purchases", rows) == ROWS and rows[0] != ROWS[0] and rows[1] is None
    assert rows_of(engine.reveal_arrow("purchases", sealed)) == (made, ROWS)
    assert sealed.failed == 0 and list(sealed.errors()) == []


def test_no_validity_and_no_rows(engine):
    rows = [row for row in ROWS if row is not None]
    sealed = engine.protect_arrow("purchases", Given("u", rows, (), validity=False))
    assert engine.reveal("purchases", rows_of(sealed)[1]) == rows
    for given, made in RESULT.items():
        assert rows_of(engine.protect_arrow("purchases", Given(given, []))) == (made, [])
    nothing = Given("u", [], ())
    nothing.array.n_buffers, nothing.array.buffers = 0, None
    assert rows_of(engine.protect_arrow("purchases", nothing)) == ("u", [])


def test_many_rows(engine):
    """More than go through the engine at once; failed rows keep their numbers."""
    rows = [PURCHASE.encode() if n % 1000 else BAD_CARD.encode() for n in range(2500)]
    column = engine.protect_arrow("purchases", Given("z", rows), on_error="null")
    made = rows_of(column)[1]
    assert [at for at, row in enumerate(made) if row is None] == [0, 1000, 2000]
    assert [(error.index, error.place) for error in column.errors()] == [
        (at, "$['credit_card']") for at in (0, 1000, 2000)]
    good = [row for row in made if row is not None]
    assert engine.reveal("purchases", good) == [PURCHASE.encode()] * len(good)


@pytest.mark.parametrize("format", ["u", "vz"])
def test_chunks(engine, format):
    chunks = [Given(format, ROWS), Given(format, []), Given(format, [BAD_CARD.encode(), *ROWS], ())]
    column = engine.protect_arrow("purchases", GivenStream(chunks), on_error="null")
    made = rows_of(column)[1]
    assert [error.index for error in column.errors()] == [6] and [chunk.released for chunk in chunks] == [1, 1, 1]
    assert engine.reveal("purchases", made) == [*ROWS, None, *ROWS]
    with pytest.raises(sealstream.DataError) as caught:
        engine.protect_arrow("purchases", GivenStream(chunks))
    assert caught.value.index == 6 and [chunk.released for chunk in chunks] == [2, 2, 2]


def test_failed_rows(engine):
    given = Given("u", [PURCHASE.encode(), BAD_CARD.encode(), b"{"])
    column = engine.protect_arrow("purchases", given, on_error="null")
    assert rows_of(column)[1][1:] == [None, None] and column.failed == 2
    errors = list(column.errors())
    assert [(type(error), error.index, error.status, error.code, error.place) for error in errors] == [
        (sealstream.DataError, 1, "data", "domain", "$['credit_card']"),
        (sealstream.DataError, 2, "data", "syntax", "byte 1")]
    with pytest.raises(sealstream.DataError) as caught:
        engine.protect_arrow("purchases", given)
    assert vars(caught.value) == vars(errors[0])
    assert repr(column) == "<sealstream.Column of 3 rows, 2 failed>"


def test_text_stays_text(engine):
    """A string column never gets bytes that are none; a binary one does."""
    sealed = engine.protect("raw", [b"\xff\xfe", b"text"])
    assert rows_of(engine.reveal_arrow("raw", Given("z", sealed)))[1] == [b"\xff\xfe", b"text"]
    column = engine.reveal_arrow("raw", Given("u", sealed), on_error="null")
    assert rows_of(column)[1] == [None, b"text"]
    assert [(error.index, error.code) for error in column.errors()] == [(0, "syntax")]


def test_dead_letters(engine):
    letters = engine.dead_letter_arrow("purchases", Given("u", [BAD_CARD.encode(), None]))
    assert rows_of(engine.reveal_arrow("purchases_dead", letters))[1] == [BAD_CARD.encode(), None]


@pytest.mark.parametrize("format", ["i", "n", "+s", "w:16", "", "uu", "x" * 200])
def test_other_types(engine, format):
    given = Given("u", ROWS)
    given.schema.format = format.encode()
    with pytest.raises(TypeError, match="a column of strings or bytes is needed"):
        engine.protect_arrow("purchases", given)


def test_refusals(engine):
    coded, used, names = Given("u", ROWS), Given("u", ROWS), Given("u", ROWS)
    coded.schema.dictionary = ctypes.addressof(Schema())
    with pytest.raises(TypeError, match="dictionary-encoded"):
        engine.protect_arrow("purchases", coded)
    used.array.release = RELEASE()
    with pytest.raises(TypeError, match="no Arrow capsules, or used ones"):
        engine.protect_arrow("purchases", used)
    names.__arrow_c_array__ = None
    swapped = type("Swapped", (), {"__arrow_c_array__": lambda self: Given.__arrow_c_array__(names)[::-1]})()
    with pytest.raises(TypeError, match="no Arrow capsules, or used ones"):
        engine.protect_arrow("purchases", swapped)
    with pytest.raises(TypeError, match="could not be read"):
        engine.protect_arrow("purchases", GivenStream([Given("u", ROWS)], fails=True))
    with pytest.raises(TypeError, match="give an Arrow array"):
        engine.protect_arrow("purchases", [b"{}"])
    with pytest.raises(sealstream.UsageError, match="'raise' or 'null'"):
        engine.protect_arrow("purchases", Given("u", ROWS), on_error="return")
    with pytest.raises(sealstream.UsageError, match="no entry"):
        engine.protect_arrow("other", Given("u", ROWS))
    with pytest.raises(TypeError, match="polars or pandas Series, not list"):
        engine.protect_series("purchases", ["{}"])


def test_who_lives_longest(engine):
    """An exported array outlives the column, and the column what was exported."""
    column = engine.protect_arrow("raw", Given("z", [b"x" * 10_000] * 50))
    first, second = column.__arrow_c_array__(), rows_of(column)
    del column
    gc.collect()
    holder = type("Holder", (), {"__arrow_c_array__": lambda self: first})()
    assert rows_of(holder) == second
    assert engine.reveal("raw", rows_of(holder)[1]) == [b"x" * 10_000] * 50
