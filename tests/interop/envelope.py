"""Envelopes by docs/FORMAT.md: a second implementation that shares no code with src/."""
import base64
import os
import re

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sealed import JSON, STRING

INLINE, CARRIED, STORED = 1, 2, 3
TEXT = re.compile(r"(json\+)?seal:e1:([A-Za-z0-9_-]+)")
VAULT = re.compile(r"vault:v([1-9][0-9]*):([A-Za-z0-9+/]+={0,2})")
MAGIC = b"SEALENV1"


def base64url(raw):
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def from_base64url(text):
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    assert base64url(raw) == text, "not canonical"
    return raw


def derive(data_key, use):
    return HKDF(hashes.SHA256(), 32, None, b"sealstream data key v1 " + use).derive(data_key)


def commitment(data_key):
    return derive(data_key, b"commit")


def wrap(key, version, data_key):
    """Under a key encryption key that is not derived: no associated data."""
    nonce = os.urandom(12)
    return f"vault:v{version}:{base64.b64encode(nonce + AESGCM(key).encrypt(nonce, data_key, None)).decode()}"


def unwrap(keys, wrapped):
    """`keys`: {version: key}."""
    version, raw = VAULT.fullmatch(wrapped).groups()
    raw = base64.b64decode(raw, validate=True)
    return AESGCM(keys[int(version)]).decrypt(raw[:12], raw[12:], None)


def key_part(wrapped):
    found = VAULT.fullmatch(wrapped)
    if not found:
        return b"\0" + len(wrapped).to_bytes(2, "big") + wrapped.encode()
    raw = base64.b64decode(found[2], validate=True)
    return b"\1" + int(found[1]).to_bytes(4, "big") + len(raw).to_bytes(2, "big") + raw


def entry(data_key, wrapped):
    """Of the header seal-key."""
    return f"{base64url(commitment(data_key))}.{wrapped}"


def seal(data_key, plaintext, bound, wrapped=None, person=None):
    """The bytes. Inline with `wrapped`, stored with `person`, else carried."""
    if wrapped:
        head = bytes([1, INLINE]) + key_part(wrapped) + commitment(data_key)
    elif person:
        head = bytes([1, STORED]) + person + commitment(data_key)
    else:
        head = bytes([1, CARRIED]) + commitment(data_key)[:8]
    nonce = os.urandom(12)
    return head + nonce + AESGCM(derive(data_key, b"encrypt")).encrypt(nonce, plaintext, bound)


def text(raw, kind):
    return f"{'json+' if kind == JSON else ''}seal:e1:{base64url(raw)}"


def split(raw):
    """(how, what names the key, the message): a wrapped text and the commitment; 8 bytes; an id and the commitment."""
    assert raw[0] == 1
    how, rest = raw[1], raw[2:]
    if how == CARRIED:
        return how, (rest[:8],), rest[8:]
    if how == STORED:
        return how, (rest[:16], rest[16:48]), rest[48:]
    assert how == INLINE
    kind, version, rest = rest[0], int.from_bytes(rest[1:5], "big"), rest[1 + 4 * rest[0]:]
    size, rest = int.from_bytes(rest[:2], "big"), rest[2:]
    part, rest = rest[:size], rest[size:]
    assert len(part) == size and kind in (0, 1)
    wrapped = f"vault:v{version}:{base64.b64encode(part).decode()}" if kind else part.decode()
    return how, (wrapped, rest[:32]), rest[32:]


def open_bytes(keys, raw, bound, header=""):
    """`keys` unwrap; `header`: the record's seal-key."""
    how, name, message = split(raw)
    if how == CARRIED:
        entries = [e.split(".", 1) for e in header.split(",")]
        (found,) = [(c, w) for c, w in entries if from_base64url(c)[:8] == name[0]]
        wrapped, committed = found[1], from_base64url(found[0])
    else:
        assert how == INLINE
        wrapped, committed = name
    data_key = unwrap(keys, wrapped)
    assert commitment(data_key) == committed
    return AESGCM(derive(data_key, b"encrypt")).decrypt(message[:12], message[12:], bound)


def open_text(keys, value, bound, header=""):
    """`bound`: a function from the kind of value to its place. Returns (kind, plaintext)."""
    found = TEXT.fullmatch(value)
    assert found, "not one of the forms"
    kind = JSON if found[1] else STRING
    return kind, open_bytes(keys, from_base64url(found[2]), bound(kind), header)
