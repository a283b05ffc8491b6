"""Codecs as Kafka's clients call them; tests/services has the clients themselves."""
import json
from types import SimpleNamespace

import pytest
import sealstream
from package_kit import BAD_CARD, PURCHASE
from sealstream import KEY_HEADER, RECORD_KEY_HEADER, Record
from sealstream.kafka import SealDeserializer, SealSerializer, deserializer, serializer


def message(topic, field="value", headers=None):
    return SimpleNamespace(topic=topic, field=field, headers=headers)


def test_one_line_codecs(engine, policy):
    seal, reveal = serializer(engine, "purchases"), deserializer(engine, "purchases")
    sealed = seal(PURCHASE)
    assert isinstance(sealed, bytes) and sealed != PURCHASE.encode() and reveal(sealed) == PURCHASE.encode()
    assert seal(None) is None and reveal(None) is None
    seal = serializer(engine, policy.topic("purchases"), inner=json.dumps)
    reveal = deserializer(engine, policy.topic("purchases"), inner=json.loads)
    assert reveal(seal(json.loads(PURCHASE))) == json.loads(PURCHASE) and seal(None) is None and reveal(None) is None
    keys = policy.topic("orders").key
    assert deserializer(engine, keys)(serializer(engine, keys)("ada")) == b"ada"
    with pytest.raises(sealstream.DataError):
        serializer(engine, "purchases")(BAD_CARD)
    with pytest.raises(sealstream.UsageError):
        serializer(engine, "other")


def test_the_topic_is_the_message_s(engine):
    seal, reveal = SealSerializer(engine), SealDeserializer(engine)
    for topic in ("purchases", "raw", "purchases"):
        sealed = seal(PURCHASE, message(topic))
        assert sealed != PURCHASE.encode() and reveal(sealed, message(topic)) == PURCHASE.encode()
    assert seal(None, message("raw")) is None and reveal(None, message("raw")) is None
    with pytest.raises(sealstream.UsageError, match="no entry"):
        seal(PURCHASE, message("other"))
    with pytest.raises(sealstream.UsageError, match="told no topic"):
        seal(PURCHASE)
    fixed = SealSerializer(engine, "purchases")
    assert reveal(fixed(PURCHASE, message("mirror")), message("purchases")) == PURCHASE.encode()
    assert fixed(PURCHASE).startswith(b"{") and "purchases" not in repr(fixed)


def test_inner(engine):
    seen = []

    def inner(value, ctx):
        seen.append(ctx.topic)
        return json.dumps(value) if isinstance(value, dict) else json.loads(value)

    seal, reveal = SealSerializer(engine, inner=inner), SealDeserializer(engine, inner=inner)
    sealed = seal(json.loads(PURCHASE), message("purchases"))
    assert reveal(sealed, message("purchases")) == json.loads(PURCHASE) and seen == ["purchases"] * 2
    assert seal(None, message("purchases")) is None and reveal(None, message("purchases")) is None


def test_keys(engine):
    seal, reveal = SealSerializer(engine), SealDeserializer(engine)
    sealed = seal("ada", message("orders", "key"))
    assert sealed == seal(b"ada", message("orders", "key")) != b"ada"
    assert reveal(sealed, message("orders", "key")) == b"ada"
    assert seal("ada", message("purchases", "key")) == b"ada" == reveal(b"ada", message("purchases", "key"))


def test_text_that_is_none(engine):
    """Where no rules look at it, either; the exception does not hold it."""
    for topic, field in (("purchases", "key"), ("purchases", "value"), ("orders", "key")):
        with pytest.raises(sealstream.DataError, match="half a surrogate pair") as caught:
            SealSerializer(engine)("Ada \ud800", message(topic, field))
        assert "Ada" not in repr((vars(caught.value), caught.value.args)) and caught.value.__context__ is None


def test_headers(engine):
    seal, reveal = SealSerializer(engine), SealDeserializer(engine)
    for headers in ([("customer", b"Ada"), ("trace", b"1")], {"customer": "Ada", "trace": b"1"}):
        sent = message("orders", headers=headers)
        sealed = seal('{"note":"x"}', sent)
        found = dict(sent.headers)
        assert found["customer"].startswith(b"vault:v1:") and found["trace"] == b"1"
        received = message("orders", headers=list(found.items()))
        assert reveal(sealed, received) == b'{"note":"x"}'
        assert received.headers == [("customer", b"Ada"), ("trace", b"1")]
    untouched = [("trace", b"1"), ("trace", None)]
    sent = message("orders", headers=untouched)
    seal('{"note":"x"}', sent)
    assert sent.headers is untouched and untouched == [("trace", b"1"), ("trace", None)]


def test_dead_letters(engine):
    """A deserializer cannot set the message's key: that of a letter stays in its header."""
    letter = engine.dead_letter_records("orders", [Record(b"no JSON", b"ada", [("customer", b"Ada")])])[0]
    received = message("orders_dead", headers=[*letter.headers, ("seal-error", b"syntax")])
    assert SealDeserializer(engine)(letter.value, received) == b"no JSON"
    assert received.headers == [("customer", b"Ada"), ("seal-error", b"syntax"), (RECORD_KEY_HEADER, b"ada")]


def test_data_keys_in_headers(engine):
    seal, reveal = SealSerializer(engine), SealDeserializer(engine)
    sent = message("carried", headers=[])
    sealed = seal('{"note":"x"}', sent)
    assert [name for name, _ in sent.headers] == [KEY_HEADER]
    assert reveal(sealed, message("carried", headers=list(sent.headers))) == b'{"note":"x"}'
    for headers in (None, (("a", b"1"),)):
        with pytest.raises(sealstream.UsageError, match="give produce"):
            seal('{"note":"x"}', message("carried", headers=headers))
    with pytest.raises(sealstream.DataError):
        reveal(sealed, message("carried"))
