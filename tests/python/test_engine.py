"""Batches of records in, batches out; what fails, fails closed."""
import json

import pytest
import sealstream
from package_kit import BAD_CARD, POLICY, PURCHASE


def test_round_trip(engine):
    records = [PURCHASE.encode(), PURCHASE.encode()]
    sealed = engine.protect("purchases", records)
    assert sealed[0] != sealed[1]
    for line in sealed:
        value = json.loads(line)
        assert value["Address"].startswith("vault:v1:") and value["credit_card"].startswith("4111-11")
        assert b'"Name":"Zo\xc3\xab"' in line and b'"price":129.990' in line
    assert engine.reveal("purchases", sealed) == records


def test_what_goes_in_comes_out(engine):
    """bytes give bytes, str gives str, None stays None; a view or an array of bytes gives bytes."""
    data = PURCHASE.encode()
    records = [data, PURCHASE, None, bytearray(data), memoryview(data), memoryview(data[::-1])[::-1], b"{}", "{}"]
    sealed = engine.protect("purchases", iter(records))
    assert [type(value) for value in sealed] == [bytes, str, type(None), bytes, bytes, bytes, bytes, str]
    assert engine.reveal("purchases", sealed) == [data, PURCHASE, None, data, data, data, b"{}", "{}"]
    assert engine.protect("purchases", []) == [] == engine.reveal("purchases", ())


def test_views(engine):
    """Of any layout; one that was released is none."""
    spread, gone = memoryview(b"{x}x")[::2], memoryview(b"{}")
    gone.release()
    assert engine.protect("purchases", [spread, spread.toreadonly()]) == [b"{}"] * 2
    with pytest.raises(TypeError, match="record 1: give bytes, str or None, not memoryview"):
        engine.protect("purchases", [b"{}", gone])


def test_text_beyond_ascii(engine):
    """Each width of CPython's str, more than once."""
    records = [f'{{"Address":"{letter} St","n":"{letter * 20}"}}' for letter in ("A", "é", "東", "🗼")]
    for _ in range(2):
        sealed = engine.protect("purchases", records)
        assert engine.reveal("purchases", sealed) == records
        assert engine.reveal("purchases", [line.encode() for line in sealed]) == [line.encode() for line in records]


def test_large_batches(engine):
    records = [PURCHASE] * 30_000 + [BAD_CARD]
    sealed = engine.protect("purchases", records, on_error="return")
    assert sealed[-1].index == 30_000 and len(set(sealed[:-1])) == 30_000
    assert engine.reveal("purchases", sealed[:-1]) == records[:-1]
    with pytest.raises(TypeError, match="record 30000"):
        engine.protect("purchases", [*records[:-1], 1])


def test_subclasses_are_taken(engine):
    class Text(str):
        __slots__ = ()

    class Data(bytes):
        __slots__ = ()

    assert engine.protect("purchases", [Text("{}"), Data(b"{}")]) == ["{}", b"{}"]


def test_topics(engine, policy):
    topic = policy.topic("purchases")
    sealed = engine.protect(topic, [PURCHASE])
    assert engine.reveal(topic, sealed) == [PURCHASE]
    with pytest.raises(sealstream.UsageError, match="no entry of 'topics' matches topic 'purchase'") as caught:
        engine.protect("purchase", [PURCHASE])
    assert (caught.value.status, caught.value.code, caught.value.index) == ("usage", "config", None)
    other = sealstream.Policy.from_text(POLICY).topic("purchases")
    with pytest.raises(sealstream.UsageError):
        engine.protect(other, [PURCHASE])
    for name in ("nul\0", "\ud800", "a\nb", "a\x1b[31m"):
        with pytest.raises(sealstream.UsageError) as caught:
            engine.protect(name, [PURCHASE])
        assert str(caught.value).encode() and str(caught.value).isprintable()
    for wrong in (None, b"purchases", 1, [topic]):
        with pytest.raises(TypeError, match="give a topic's name or a Topic, not"):
            engine.protect(wrong, [PURCHASE])


def test_the_first_failure_is_raised(engine):
    with pytest.raises(sealstream.DataError) as caught:
        engine.protect("purchases", [PURCHASE, BAD_CARD, "{"])
    error = caught.value
    assert (error.index, error.place, error.status, error.code) == (1, "$['credit_card']", "data", "domain")
    assert str(error).startswith("record 1, $['credit_card']: the value is too short")
    assert isinstance(error, sealstream.SealError)


def test_failures_in_the_place_of_their_records(engine):
    results = engine.protect("purchases", [PURCHASE, BAD_CARD, None, "\ud800", "{"], on_error="return")
    assert isinstance(results[0], str) and results[2] is None
    assert [(error.index, error.code) for error in results if isinstance(error, sealstream.DataError)] == [
        (1, "domain"), (3, "syntax"), (4, "syntax")]
    sealed = engine.protect("purchases", [PURCHASE])[0]
    tampered = sealed.replace("vault:v1:", "vault:v1:AAAA")
    results = engine.reveal("purchases", [tampered, sealed], on_error="return")
    assert results[0].code == "tampered" and results[0].place == "$['Address']" and results[1] == PURCHASE


def test_text_that_is_none(engine):
    """A str whose revealed bytes are no text fails, and its bytes do not."""
    sealed = engine.protect("raw", [b"\xff\xfe"])
    assert engine.reveal("raw", sealed) == [b"\xff\xfe"]
    with pytest.raises(sealstream.DataError, match="no UTF-8 text; give the record as bytes") as caught:
        engine.reveal("raw", [b"x", sealed[0].decode()][1:])
    assert caught.value.index == 0


@pytest.mark.parametrize("records", [b"{}", "{}", bytearray(b"{}"), memoryview(b"{}")])
def test_one_record_is_no_list(engine, records):
    with pytest.raises(TypeError, match="give a list of records"):
        engine.protect("purchases", records)


@pytest.mark.parametrize("record", [1, 1.5, {"a": 1}, [b"{}"], object()])
def test_wrong_types(engine, record):
    with pytest.raises(TypeError, match=f"record 1: give bytes, str or None, not {type(record).__name__}"):
        engine.protect("purchases", [b"{}", record], on_error="return")


def test_wrong_arguments(engine, policy, keyring):
    with pytest.raises(sealstream.UsageError, match="'raise' or 'return'"):
        engine.protect("purchases", [], on_error="ignore")
    for wrong in ({"timeout": 0}, {"timeout": -1}, {"timeout": float("nan")}, {"timeout": float("inf")},
                  {"max_record_bytes": -1}, {"max_record_bytes": 1 << 70}, {"keyring": f"{keyring.path}\0x"}):
        with pytest.raises(sealstream.UsageError):
            sealstream.Engine(policy, **{"keyring": keyring, **wrong})
    with pytest.raises(TypeError, match="give a Policy"):
        sealstream.Engine(POLICY, keyring=keyring)


def test_a_generator_may_fail(engine):
    def records():
        yield b"{}"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        engine.protect("purchases", records())


def test_limits(policy, keyring):
    with sealstream.Engine(policy, keyring=keyring, max_record_bytes=200) as engine:
        results = engine.protect("purchases", ["{}", '{"a":"' + "x" * 300 + '"}'], on_error="return")
        assert results[0] == "{}" and results[1].code == "limit"


def test_dead_letters(engine, policy):
    topic = policy.topic("purchases")
    letters = engine.dead_letter(topic, [BAD_CARD, b"\xff no json", None])
    assert topic.dead_letter == "purchases_dead" and BAD_CARD not in letters[0] and letters[2] is None
    assert engine.reveal("purchases_dead", [letters[0], letters[1]]) == [BAD_CARD, b"\xff no json"]
    with pytest.raises(sealstream.UsageError, match="no dead-letter topic"):
        engine.dead_letter("raw", [b"x"])


def test_closed(policy, keyring):
    engine = sealstream.Engine(policy, keyring=keyring)
    with engine as same:
        assert same is engine and engine.policy is policy
        engine.protect("purchases", [PURCHASE])
    engine.close()
    engine.close()
    with pytest.raises(sealstream.UsageError, match="the engine is closed"):
        engine.protect("purchases", [PURCHASE])
    with engine as closed, pytest.raises(sealstream.UsageError, match="the engine is closed"):
        closed.reveal_records("purchases", [])


def test_keys_that_are_not_there(policy, tmp_path):
    with pytest.raises(sealstream.UsageError) as caught:
        sealstream.Engine(policy, keyring=tmp_path / "none")
    assert caught.value.code == "no_input"
    sealstream.Keyring(tmp_path / "empty", create=True).close()
    with pytest.raises(sealstream.UsageError) as caught:
        sealstream.Engine(policy, keyring=str(tmp_path / "empty"))
    assert caught.value.code == "key_unknown"


def test_stores(keyring, tmp_path):
    """Who protects makes a store that is missing; who reveals is told, since another path is meant."""
    path = tmp_path / "tokens.db"
    text = f"""version: 1
keys: {{pii: "local:pii"}}
stores: {{main: "sqlite:{path}"}}
topics:
- match: t
  protect: {{$.a: {{type: token, key: pii}}, $.b: {{type: redact}}}}
"""
    record, token = '{"a":"x"}', '{"a":"seal:t1:AAAAAAAAAAAAAAAAAAAAAA"}'
    with sealstream.Engine(sealstream.Policy.from_text(text), keyring=keyring) as engine:
        assert engine.reveal("t", ['{"b":1}']) == ['{"b":1}']
        for _ in range(2):
            with pytest.raises(sealstream.UsageError, match=r"there is no store .*tokens\.db") as caught:
                engine.reveal("t", ['{"b":1}', token], on_error="return")
            assert caught.value.code == "no_input" and caught.value.index is None and not path.exists()
        sealed = engine.protect("t", [record])
        assert path.exists() and engine.reveal("t", sealed) == [record]
        assert engine.reveal("t", [token], on_error="return")[0].code == "token_unknown"


def test_the_default_keyring(policy, keyring, monkeypatch):
    monkeypatch.setenv("SEALSTREAM_KEYRING", keyring.path)
    with sealstream.Engine(policy) as engine:
        assert engine.reveal("purchases", engine.protect("purchases", [PURCHASE])) == [PURCHASE]


def test_old_versions_are_revealed(engine, policy, keyring):
    old = engine.protect("purchases", [PURCHASE])
    assert keyring.rotate("pii") == 2
    with sealstream.Engine(policy, keyring=keyring) as later:
        new = later.protect("purchases", [PURCHASE])
        assert "vault:v2:" in new[0] and later.reveal("purchases", old + new) == [PURCHASE] * 2


def test_inspect(engine):
    text = json.loads(engine.protect("purchases", [PURCHASE])[0])["Address"]
    assert sealstream.inspect(text) == sealstream.Inspection("encrypt", 1, False)
    assert sealstream.inspect(text.encode()) == sealstream.inspect(text)
    assert sealstream.inspect("1 High St") is None and sealstream.inspect(b"") is None
    assert sealstream.inspect("\ud800") is None
    with pytest.raises(TypeError):
        sealstream.inspect(5)


def test_version():
    assert sealstream.__version__ == sealstream.version() and sealstream.version().count(".") == 2
