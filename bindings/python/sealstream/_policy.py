"""Policies: which fields of which topics are protected, how, and with which key."""
from __future__ import annotations

import os
from typing import Any, NamedTuple, NoReturn

from ._errors import make_error, raise_error, text_of, usage_error
from ._native import ffi, lib
from ._owned import owner_of
from ._text import c_path, c_text, data_of, shown

FILE_MAX = 4 << 20  # of C
_ON_ERROR = {lib.SEAL_ON_ERROR_REJECT: "reject", lib.SEAL_ON_ERROR_DEAD_LETTER: "dead_letter",
             lib.SEAL_ON_ERROR_DROP: "drop"}


class Finding(NamedTuple):
    """A mistake or a hint in a policy's text."""

    line: int
    column: int
    warning: bool  # a hint: the policy can be used
    text: str


class PolicyKey(NamedTuple):
    """A key that a policy names."""

    name: str
    scheme: str  # "local", "vault", …
    reference: str  # its name over there


class Rule(NamedTuple):
    """One path that a topic's entry protects."""

    path: str
    type: str
    key: str | None
    reversible: bool


class Topic:
    """One entry of a policy's topics, or its rules for record keys or for a header; as good as its name."""

    __slots__ = ("_dead_letters_of", "_pointer", "_policy", "_shown")

    def __init__(self, policy: Policy, pointer: Any, shown: str) -> None:
        self._policy, self._pointer, self._shown = policy, pointer, shown
        self._dead_letters_of: tuple[Topic, ...] | None = None

    def __repr__(self) -> str:
        return f"<sealstream.Topic {self._shown}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Topic cannot be pickled or copied; look it up in the policy where it is used")

    @property
    def patterns(self) -> tuple[str, ...]:
        """As they are written in the policy."""
        made: list[str] = []
        while (pattern := lib.seal_topic_pattern(self._pointer, len(made))) != ffi.NULL:
            made.append(text_of(pattern))
        return tuple(made)

    @property
    def on_error(self) -> str:
        """What shall happen to records that fail: "reject", "dead_letter" or "drop"."""
        return _ON_ERROR[lib.seal_topic_on_error(self._pointer)]

    @property
    def dead_letter(self) -> str | None:
        """The topic that dead letters go to."""
        name = lib.seal_topic_dead_letter(self._pointer)
        return None if name == ffi.NULL else text_of(name)

    @property
    def dead_letters_of(self) -> tuple[Topic, ...]:
        """The entries whose dead letters come here; those topics have no entries of their own in a policy."""
        if self._dead_letters_of is None:
            patterns = self.patterns
            self._dead_letters_of = tuple(topic for topic in self._policy.topics if topic.dead_letter in patterns)
        return self._dead_letters_of

    @property
    def rules(self) -> tuple[Rule, ...]:
        made = []
        for at in range(lib.seal_topic_rule_count(self._pointer)):
            key = lib.seal_topic_rule_key(self._pointer, at)
            made.append(Rule(text_of(lib.seal_topic_rule_path(self._pointer, at)),
                             text_of(lib.seal_topic_rule_type(self._pointer, at)),
                             None if key == ffi.NULL else text_of(key),
                             bool(lib.seal_topic_rule_reversible(self._pointer, at))))
        return tuple(made)

    @property
    def key(self) -> Topic | None:
        """The rules for record keys, to be used as a topic with keys as records; None: keys pass."""
        found = lib.seal_topic_key(self._pointer)
        return None if found == ffi.NULL else Topic(self._policy, found, f"{self._shown} key")

    def header(self, name: str) -> Topic | None:
        """The rules for the values of headers of that name; None: they pass."""
        data = name.encode("utf-8", "surrogatepass")
        found = lib.seal_topic_header(self._pointer, data) if b"\0" not in data else ffi.NULL
        return None if found == ffi.NULL else Topic(self._policy, found, f"{self._shown} header")


class Policy:
    """A compiled policy; immutable, for any number of threads and engines."""

    __slots__ = ("_name", "_owned", "_pointer", "_text")

    def __init__(self, pointer: Any, name: str, text: str) -> None:
        self._pointer, self._name, self._text = pointer, name, text
        self._owned = owner_of(lib.native_policy_own, pointer)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Policy:
        """Of a YAML file, read once: `text` is what was compiled. UsageError says where its first mistake is."""
        place = c_path(path, "a policy's path")
        try:
            with open(place, "rb") as file:
                text = file.read(FILE_MAX + 1)
        except OSError:
            text = None
        if text is None:
            _raise_unreadable(place)
        return cls.from_text(text, os.fsdecode(path))

    @classmethod
    def from_text(cls, text: str | bytes, name: str | None = None) -> Policy:
        """Of YAML text; `name` stands in messages."""
        out, err = ffi.new("struct seal_policy **"), ffi.new("struct seal_err *")
        view, kept = _view(text)
        label = c_text(name or "policy", "a policy's name")
        if lib.seal_policy_load(view[0], label, out, err) != lib.SEAL_OK:
            raise_error(err)
        del kept
        return cls(out[0], name or "policy",
                   text if isinstance(text, str) else bytes(text).decode("utf-8", "replace"))

    @staticmethod
    def check(text: str | bytes, name: str | None = None) -> list[Finding]:
        """All mistakes and hints, in the order of the text. No finding without `warning`: it can be used."""
        found: list[Finding] = []
        view, kept = _view(text)
        err, handle = ffi.new("struct seal_err *"), ffi.new_handle(found)
        rc = lib.seal_policy_check(view[0], c_text(name or "policy", "a policy's name"), lib.native_found, handle, err)
        del kept
        if rc != lib.SEAL_OK and not any(not finding.warning for finding in found):
            raise_error(err)
        return found

    @property
    def text(self) -> str:
        """What it was made of: to be sent where it is used, as Policy.from_text takes it. There is no key in it."""
        return self._text

    @property
    def name(self) -> str:
        """What it is called in messages: the path of its file, or what from_text was given."""
        return self._name

    @property
    def namespace(self) -> str:
        """What ciphertext is bound to, besides its place."""
        return text_of(lib.seal_policy_namespace(self._pointer))

    @property
    def keys(self) -> tuple[PolicyKey, ...]:
        made = []
        for at in range(lib.seal_policy_key_count(self._pointer)):
            reference = lib.seal_policy_key_reference(self._pointer, at)
            made.append(PolicyKey(text_of(lib.seal_policy_key_name(self._pointer, at)),
                                  text_of(lib.seal_policy_key_scheme(self._pointer, at)),
                                  bytes(ffi.buffer(reference.ptr, reference.len)).decode("utf-8", "replace")))
        return tuple(made)

    @property
    def topics(self) -> tuple[Topic, ...]:
        """All entries, in the policy's order; those made for dead letters, too."""
        made = []
        for at in range(lib.seal_policy_topic_count(self._pointer)):
            pointer = lib.seal_policy_topic_at(self._pointer, at)
            made.append(Topic(self, pointer, repr(text_of(lib.seal_topic_pattern(pointer, 0)))))
        return tuple(made)

    def topic(self, name: str) -> Topic:
        """The rules for a topic: the first entry that matches its name. UsageError when none does."""
        found = self._find(name)
        if found == ffi.NULL:
            raise make_error(lib.SEAL_USAGE, lib.SEAL_E_CONFIG, self._name,
                             f"no entry of 'topics' matches topic '{shown(name)}'; add one, or 'match: \"*\"'")
        return Topic(self, found, repr(name))

    def __contains__(self, name: str) -> bool:
        """Whether an entry matches the topic of that name."""
        return bool(self._find(name) != ffi.NULL)

    def _find(self, name: str) -> Any:
        data = name.encode("utf-8", "surrogatepass")
        return lib.seal_policy_topic(self._pointer, data) if b"\0" not in data else ffi.NULL

    def __repr__(self) -> str:
        return f"<sealstream.Policy {self._name!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Policy cannot be pickled or copied; send its text or its path, and load it where it is used")


def _raise_unreadable(place: bytes) -> NoReturn:
    """With C's class and words for it."""
    out, err = ffi.new("struct seal_policy **"), ffi.new("struct seal_err *")
    if lib.seal_policy_load_file(place, out, err) != lib.SEAL_OK:
        raise_error(err)
    lib.seal_policy_free(out[0])
    raise usage_error("the policy could not be read a moment ago; try again")


def _view(text: str | bytes) -> tuple[Any, Any]:
    """A struct seal_bytes of the text, and what must live as long."""
    data = data_of(text, "a policy")
    kept = ffi.from_buffer("uint8_t[]", data)
    return ffi.new("struct seal_bytes *", {"ptr": kept, "len": len(data)}), kept


def _found(arg: Any, finding: Any) -> None:
    ffi.from_handle(arg).append(Finding(finding.line, finding.column, bool(finding.warning), text_of(finding.text)))


ffi.def_extern(name="native_found")(_found)
