"""Codecs for confluent-kafka, aiokafka and kafka-python. No client is imported here: they call what they are given.

    confluent-kafka    SerializingProducer({…, "value.serializer": SealSerializer(engine)})
                       DeserializingConsumer({…, "value.deserializer": SealDeserializer(engine)})
    aiokafka,          AIOKafkaProducer(…, value_serializer=serializer(engine, "purchases"))
    kafka-python       AIOKafkaConsumer(…, value_deserializer=deserializer(engine, "purchases"))

They go record by record; who has many at once calls Engine.protect and Engine.reveal, which is several times as fast.
"""
from __future__ import annotations

import contextlib
from typing import Any, Callable, Protocol, Union

from ._engine import Engine
from ._errors import DataError, usage_error
from ._policy import Topic
from ._records import RECORD_KEY_HEADER, Record

Payload = Union[bytes, str, None]
Inner = Callable[[Any], Payload]
Outer = Callable[[Any], Any]


class Context(Protocol):
    """What confluent-kafka's SerializationContext says of a message."""

    topic: str
    field: str  # "key" or "value"
    headers: Any


def serializer(engine: Engine, topic: str | Topic, inner: Inner | None = None) -> Callable[[Any], bytes | None]:
    """A callable that protects one value: of bytes or str, or of what `inner` makes these of. For keys give
    policy.topic(…).key as topic."""
    rules = engine.policy.topic(topic) if isinstance(topic, str) else topic

    def serialize(value: Any) -> bytes | None:
        return _bytes(engine.protect(rules, [value if inner is None or value is None else inner(value)])[0])

    return serialize


def deserializer(engine: Engine, topic: str | Topic, inner: Outer | None = None) -> Callable[[bytes | None], Any]:
    """A callable that reveals one value, and gives it to `inner`."""
    rules = engine.policy.topic(topic) if isinstance(topic, str) else topic

    def deserialize(value: bytes | None) -> Any:
        revealed = engine.reveal(rules, [value])[0]
        return revealed if inner is None or revealed is None else inner(revealed)

    return deserialize


class _Codec:
    """What both directions share: which rules are for a message, and its headers."""

    def __init__(self, engine: Engine, topic: str | Topic | None = None,
                 inner: Callable[[Any, Any], Any] | None = None) -> None:
        self._engine, self._inner = engine, inner
        self._topic = engine.policy.topic(topic) if isinstance(topic, str) else topic
        self._topics: dict[str, Topic] = {}

    def _rules(self, context: Context | None) -> Topic:
        if self._topic is not None:
            return self._topic
        if context is None:
            raise usage_error(f"{type(self).__name__} was told no topic: neither it nor the call names one")
        found = self._topics.get(context.topic)
        if found is None:
            found = self._topics[context.topic] = self._engine.policy.topic(context.topic)
        return found

    def __repr__(self) -> str:
        return f"<sealstream.kafka.{type(self).__name__} of {self._engine!r}>"


def _bytes(value: Payload) -> bytes | None:
    if not isinstance(value, str):
        return value
    with contextlib.suppress(UnicodeError):  # it holds the value, so that ours may not even have it as its context
        return value.encode()
    raise DataError("the str has half a surrogate pair, which is no text", status="data", code="syntax")


def _is_key(context: Context | None) -> bool:
    return context is not None and context.field == "key"


def _headers(context: Context | None) -> list[tuple[str, bytes | None]]:
    """A message's headers, whichever way the client was given them; text becomes bytes, as the client would do."""
    given = (context.headers if context is not None else None) or []
    return [(name, _bytes(value)) for name, value in (given.items() if isinstance(given, dict) else given)]


def _put_headers(context: Context | None, old: list[tuple[str, bytes | None]],
                 new: list[tuple[str, bytes | None]]) -> None:
    """Writes changed headers into what the client sends, or has received."""
    if new == old:
        return
    given = context.headers if context is not None else None
    if isinstance(given, list):
        given[:] = new
    elif isinstance(given, dict):
        given.clear()
        given.update(new)
    else:
        raise usage_error("the policy changes the message's headers: give produce() a list of them, or headers=[]")


class SealSerializer(_Codec):
    """For confluent-kafka's SerializingProducer, as "value.serializer" and "key.serializer".

    topic: whose rules count; None: those of the topic that is written. inner: a serializer (of Avro, JSON …) that makes
    bytes of objects first. As "value.serializer" it protects headers with rules, too, and sets the header of wrapped
    data keys where the policy wants one; give produce() a list or dict of headers then, of each message its own.
    """

    def __call__(self, obj: Any, ctx: Context | None = None) -> bytes | None:
        value = obj if self._inner is None or obj is None else self._inner(obj, ctx)
        rules = self._rules(ctx)
        if ctx is not None and _is_key(ctx):
            keys = rules.key
            return _bytes(value if keys is None else self._engine.protect(keys, [value])[0])
        headers = _headers(ctx)
        record = self._engine.protect_records(rules, [Record(value, None, headers)])[0]
        _put_headers(ctx, headers, record.headers)
        return _bytes(record.value)


class SealDeserializer(_Codec):
    """For confluent-kafka's DeserializingConsumer, as "value.deserializer" and "key.deserializer".

    Else as SealSerializer; headers with rules are revealed in the message, and so is the key that a dead letter has in
    one.
    """

    def __call__(self, value: bytes | None, ctx: Context | None = None) -> Any:
        rules = self._rules(ctx)
        if ctx is not None and _is_key(ctx):
            keys = rules.key
            revealed = value if keys is None else self._engine.reveal(keys, [value])[0]
        else:
            headers = _headers(ctx)
            record = self._engine.reveal_records(rules, [Record(value, None, headers)])[0]
            letter = [] if record.key is None else [(RECORD_KEY_HEADER, record.key)]  # the message's key is not ours
            _put_headers(ctx, headers, [*record.headers, *letter])
            revealed = record.value
        return revealed if self._inner is None or revealed is None else self._inner(revealed, ctx)
