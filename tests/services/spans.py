"""Where the values of a JSON document lie: a parser of its own, to prove which bytes changed and which did not."""
import json
import re

SPACE = re.compile(rb"[ \t\r\n]*")
SCALAR = re.compile(rb"-?[0-9.eE+-]+|true|false|null")
STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.S)


def values(doc):
    """Yields (path, start, end) of every value, containers after their children. Path: names and '[*]'."""
    yield from _value(doc, SPACE.match(doc).end(), ())


def _value(doc, at, path):
    start = at
    if doc[at:at + 1] in (b"{", b"["):
        close = b"}" if doc[at:at + 1] == b"{" else b"]"
        at = SPACE.match(doc, at + 1).end()
        while doc[at:at + 1] != close:
            step = "[*]"
            if close == b"}":
                name = STRING.match(doc, at)
                step = json.loads(name.group())
                at = SPACE.match(doc, SPACE.match(doc, name.end()).end() + 1).end()
            for found in _value(doc, at, (*path, step)):
                yield found
            at = SPACE.match(doc, found[2]).end()
            if doc[at:at + 1] == b",":
                at = SPACE.match(doc, at + 1).end()
        yield path, start, at + 1
    else:
        found = STRING.match(doc, at) or SCALAR.match(doc, at)
        yield path, start, found.end()


def selected(doc, patterns):
    """[(pattern, start, end)] of the values whose path matches one of `patterns` (tuples; '*' is any name), in order."""
    hits = []
    for path, start, end in values(doc):
        for pattern in patterns:
            if len(pattern) == len(path) and all(p in ("*", s) for p, s in zip(pattern, path)):
                hits.append((pattern, start, end))
    return sorted(hits, key=lambda hit: hit[1])


def outside(doc, hits):
    """The bytes between the hits, as a list with one piece more than there are hits."""
    pieces, at = [], 0
    for _, start, end in hits:
        pieces.append(doc[at:start])
        at = end
    return [*pieces, doc[at:]]
