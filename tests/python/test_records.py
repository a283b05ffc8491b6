"""Kafka records whole: keys and headers with rules, and data keys in headers."""
import pytest
import sealstream
from sealstream import KEY_HEADER, RECORD_KEY_HEADER, Record


def test_a_record_without_such_rules(engine):
    record = Record(b'{"Address":"x"}', b"k", (("a", b"1"), ("null", None)))
    sealed = engine.protect_records("purchases", [record])
    assert sealed[0].value != record.value and sealed[0].key == b"k" and sealed[0].headers == [*record.headers]
    assert engine.reveal_records("purchases", sealed) == [Record(record.value, b"k", [*record.headers])]


def test_keys_and_headers(engine, policy):
    headers = [("customer", b"Ada"), ("trace", b"1"), ("customer", b"Bob"), ("customer", None)]
    records = [Record(b'{"note":"x"}', b"ada", headers), Record(None, None), Record('{"note":"y"}', "bob")]
    sealed = engine.protect_records("orders", iter(records))
    assert sealed[0].key.startswith(b"vault:v1:") and sealed[2].key.startswith("vault:v1:") and sealed[1].key is None
    assert [name for name, _ in sealed[0].headers] == [name for name, _ in headers]
    assert sealed[0].headers[1] == headers[1] and sealed[0].headers[3] == headers[3]
    assert {value[:9] for value in (sealed[0].headers[0][1], sealed[0].headers[2][1])} == {b"vault:v1:"}
    opened = engine.reveal_records("orders", sealed)
    assert opened == [record._replace(headers=list(record.headers)) for record in records]
    assert engine.reveal(policy.topic("orders").key, [sealed[0].key]) == [b"ada"]


def test_one_part_fails_and_so_does_the_record(engine):
    sealed = engine.protect_records("orders", [Record(b'{"note":"x"}', b"k", [("customer", b"Ada")])] * 4)
    spoiled = [sealed[0]._replace(value=b"{"), sealed[1]._replace(key=b"plain"), sealed[2]._replace(headers=[
        ("customer", b"plain")]), sealed[3]]
    results = engine.reveal_records("orders", spoiled, on_error="return")
    assert [(error.index, error.code, error.place) for error in results[:3]] == [
        (0, "syntax", "byte 1"), (1, "plaintext", "key"), (2, "plaintext", "header:customer")]
    assert results[3].key == b"k"
    with pytest.raises(sealstream.DataError) as caught:
        engine.reveal_records("orders", spoiled[1:])
    assert caught.value.index == 0 and caught.value.place == "key"


def test_data_keys_in_headers(engine):
    with pytest.raises(sealstream.UsageError) as caught:
        engine.protect("carried", [b'{"note":"x"}'])
    assert caught.value.code == "config"
    records = [Record(b'{"note":"x"}', headers=[("a", b"1"), ("b", b"2")]), Record(b"{}")]
    sealed = engine.protect_records("carried", records)
    assert [name for name, _ in sealed[0].headers] == ["a", "b", KEY_HEADER]
    again = Record(sealed[0].value, headers=[sealed[0].headers[2], *sealed[0].headers[:2]])
    opened = engine.reveal_records("carried", [sealed[0], again, *sealed[1:]])
    assert [record.value for record in opened] == [records[0].value] * 2 + [b"{}"]
    lost = engine.reveal_records("carried", [Record(sealed[0].value)], on_error="return")
    assert isinstance(lost[0], sealstream.DataError)
    twice = Record(sealed[0].value, headers=[sealed[0].headers[2]] * 2)
    with pytest.raises(sealstream.DataError, match="more than once"):
        engine.reveal_records("carried", [twice])


def test_dead_letters(engine):
    """Nothing that has rules leaves in clear, and all comes back where it was."""
    bad = Record(b"no JSON", b"ada", [("customer", b"Ada"), ("trace", b"1"), ("customer", None)])
    letters = engine.dead_letter_records("orders", [bad, bad._replace(key="ada"), Record(None)])
    told = [("seal-error", b"syntax"), ("seal-topic", b"orders")]
    for letter in letters[:2]:
        assert letter.value.startswith(b"vault:v1:") and letter.key is None
        assert [name for name, _ in letter.headers] == ["customer", "trace", "customer", RECORD_KEY_HEADER]
        assert letter.headers[0][1].startswith(b"vault:v1:") and letter.headers[3][1].startswith(b"vault:v1:")
        assert letter.headers[1:3] == [("trace", b"1"), ("customer", None)]
        assert engine.reveal_records("orders_dead", [letter._replace(headers=letter.headers + told)]) == [
            bad._replace(headers=bad.headers + told)]
    assert letters[2] == Record(None, None, [])
    assert engine.reveal_records("orders_dead", letters[2:]) == letters[2:]


def test_dead_letters_without_rules_for_keys(engine):
    """Keys and headers stay as they are, even one that is called as ours."""
    bad = Record("no JSON", b"k", [(RECORD_KEY_HEADER, b"own"), ("customer", b"Ada")])
    letter = engine.dead_letter_records("purchases", [bad])[0]
    assert letter[1:] == bad[1:] and letter.value.startswith("vault:v1:")
    assert engine.reveal_records("purchases_dead", [letter]) == [bad]
    with pytest.raises(sealstream.UsageError, match="no dead-letter topic"):
        engine.dead_letter_records("raw", [bad])


def test_dead_letters_that_cannot_be_revealed(engine):
    letter = engine.dead_letter_records("orders", [Record(b"x", b"ada", [("customer", b"Ada")])])[0]
    key = letter.headers[1]
    wrong = [letter._replace(key=b"other"), letter._replace(headers=[key, key]),
             letter._replace(headers=[(RECORD_KEY_HEADER, key[1][:-9] + b"AAAAAAAA=")]),
             letter._replace(value=b"plain"), letter]
    results = engine.reveal_records("orders_dead", wrong, on_error="return")
    assert [(error.index, error.code, error.place) for error in results[:4]] == [
        (0, "syntax", ""), (1, "syntax", ""), (2, "tampered", f"header:{RECORD_KEY_HEADER}"), (3, "plaintext", "$")]
    assert "as well, or that one twice" in results[0].text and results[4].key == b"ada"
    plain = letter._replace(headers=[("customer", b"plain"), (RECORD_KEY_HEADER, b"plain")])
    assert engine.reveal_records("orders_dead", [plain]) == [plain._replace(value=b"x")]


def test_two_key_headers_where_they_mean_nothing(engine):
    record = Record(b'{"Address":"x"}', None, [(KEY_HEADER, b"1"), (KEY_HEADER, b"2")])
    sealed = engine.protect_records("purchases", [record])
    assert sealed[0].headers == record.headers and engine.reveal_records("purchases", sealed) == [record]


def test_a_key_header_without_a_value(engine):
    """Is none, stays where it is, and moves no other."""
    headers = [(KEY_HEADER, None), ("trace", b"1"), ("customer", b"Ada"), (KEY_HEADER, None)]
    for topic, value in (("orders", b'{"note":"x"}'), ("purchases", b'{"Address":"x"}'), ("orders", None)):
        record = Record(value, b"ada", headers)
        sealed = engine.protect_records(topic, [record])
        assert sealed[0].value != value or value is None
        assert engine.reveal_records(topic, sealed) == [record]
    letter = engine.dead_letter_records("orders", [Record(b"no JSON", b"ada", headers)])[0]
    told = letter._replace(headers=[*letter.headers, ("seal-error", b"syntax")])
    assert engine.reveal_records("orders_dead", [told]) == [
        Record(b"no JSON", b"ada", [*headers, ("seal-error", b"syntax")])]
    carried = Record(b'{"note":"x"}', None, [("a", b"1"), (KEY_HEADER, None)])
    sealed = engine.protect_records("carried", [carried])
    assert [name for name, _ in sealed[0].headers] == ["a", KEY_HEADER] and sealed[0].headers[1][1] is not None
    assert engine.reveal_records("carried", sealed)[0].value == carried.value


def test_headers_that_are_text(engine):
    """They do not make text of values that are bytes."""
    sealed = engine.protect_records("carried", [Record(b'{"note":"x"}')] * 2)
    given = [Record(record.value, headers=[(KEY_HEADER, record.headers[0][1].decode())]) for record in sealed]
    assert [record.value for record in engine.reveal_records("carried", given)] == [b'{"note":"x"}'] * 2


def test_wrong_types(engine):
    with pytest.raises(TypeError, match="record 1: give bytes, str or None, not int"):
        engine.protect_records("orders", [Record(b"{}"), Record(1)])
    with pytest.raises(TypeError, match="record 1: give bytes, str or None, not int"):
        engine.protect_records("orders", [Record(b"{}"), Record(b"{}", 1)])
    for wrong in (b"{}", "{}", None, (), (b"{}", None, (), 1), [b"{}"]):
        with pytest.raises(TypeError, match=r"record 1: give a sealstream\.Record"):
            engine.protect_records("orders", [Record(b"{}"), wrong])
    for headers in ([(KEY_HEADER, 1.5)], [("customer", 5)], [(1, b"x")], {"a": b"x"}, ["ab"], [("a", b"x", 1)]):
        with pytest.raises(TypeError, match="record 1: a header is"):
            engine.protect_records("carried", [Record(b"{}"), Record(b"{}", None, headers)])


def test_no_headers_may_be_none(engine):
    assert engine.protect_records("orders", [Record(b"{}", None, None)]) == [Record(b"{}", None, [])]
