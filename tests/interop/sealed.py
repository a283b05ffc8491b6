"""sealstream's values by docs/FORMAT.md: a second implementation that shares no code with src/."""
import base64
import functools
import hashlib
import hmac
import os
import re

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ff1 import FF1

PATH, DOMAIN, RECORD = 1, 2, 3
STRING, JSON, BYTES = 1, 2, 3
TEXT = re.compile(r"(json\+)?vault:v([1-9][0-9]*):([A-Za-z0-9+/]+={0,2})")
DIGITS = "0123456789"
LOWER = "abcdefghijklmnopqrstuvwxyz"
ALPHABETS = {"digits": DIGITS, "lower": LOWER, "upper": LOWER.upper(), "letters": LOWER + LOWER.upper(),
             "alphanumeric": DIGITS + LOWER + LOWER.upper(), "hex": DIGITS + "abcdef"}

ff1_of = functools.lru_cache(FF1)  # key and radix; setting one up costs as much as using it


def lp(data):
    return len(data).to_bytes(4, "big") + data


def place(name, kind, namespace="", bound=PATH, sibling=None):
    """Section 2. `sibling`: (STRING or JSON, bytes)"""
    out = bytes([1, bound]) + lp(namespace.encode()) + lp(name.encode()) + bytes([kind])
    if bound == RECORD:
        out += bytes([sibling[0]]) + lp(sibling[1])
    return out


def encrypt(key, version, plaintext, bound, kind):
    """Section 1: the content of the JSON string (or the payload)."""
    nonce = os.urandom(12)
    body = base64.b64encode(nonce + AESGCM(key).encrypt(nonce, plaintext, bound)).decode()
    return f"{'json+' if kind == JSON else ''}vault:v{version}:{body}"


def decrypt(keys, text, bound):
    """`keys`: {version: key}. `bound`: a function from the kind of value to its place. Returns (kind, plaintext)."""
    found = TEXT.fullmatch(text)
    assert found, "not one of the forms"
    kind = JSON if found[1] else STRING
    raw = base64.b64decode(found[3], validate=True)
    return kind, AESGCM(keys[int(found[2])]).decrypt(raw[:12], raw[12:], bound(kind))


def fpe(key, text, bound=b"", alphabet="digits", first=0, last=0, tweak=None, decrypt=False):
    """Section 3, for strings."""
    characters = ALPHABETS.get(alphabet, alphabet)
    at = [i for i, c in enumerate(text) if c in characters]
    at = at[first:len(at) - last]
    if tweak is None:
        tweak = hashlib.sha256(bound).digest()[:8] if bound else b""
    ff1 = ff1_of(key, len(characters))
    numerals = [characters.index(text[i]) for i in at]
    assert len(characters) ** len(numerals) >= 10**6
    out = list(text)
    for i, numeral in zip(at, (ff1.decrypt if decrypt else ff1.encrypt)(numerals, tweak)):
        out[i] = characters[numeral]
    return "".join(out)


def fpe_integer(key, text, bound, first=0, last=0, decrypt=False):
    """Section 3, for unsigned integers: walks until there is no leading zero."""
    while True:
        text = fpe(key, text, bound, first=first, last=last, decrypt=decrypt)
        if first > 0 or text[0] != "0":
            return text


def hashed(key, bound, content):
    """Section 4."""
    return hmac.new(key, bound + content, hashlib.sha256).hexdigest()
