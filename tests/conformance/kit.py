"""What cases are made of: fixed keys, and values by the second implementation of tests/interop, with fixed nonces.

Nothing in here calls sealstream. A case has an exact text where it can be known elsewhere, else a pattern and what it
reveals to.
"""
import base64
import hashlib
import itertools
import pathlib
import re
import sys
import types

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "interop"), str(TESTS / "vault")]
import envelope
import sealed
from ciphers import AEADS, hkdf, hmac_of
from sealed import BYTES, DOMAIN, JSON, PATH, RECORD, STRING

__all__ = [
    "AEAD_KEYS", "BYTES", "JSON", "STRING", "VERSIONS", "at", "bad", "case", "converge", "domain", "encrypt",
    "envelope", "fails", "fpe", "fpe_integer", "good", "group", "hashed", "keys_of", "like", "material", "named",
    "pinned", "policy", "raw", "sealed", "text", "whole"
]

COUNT = itertools.count()
FIXED = types.SimpleNamespace(urandom=lambda n: hashlib.shake_128(b"nonce %d" % next(COUNT)).digest(n))
sealed.os = envelope.os = FIXED  # the files are the same each time

NAMESPACE = "shop"
BASE64 = "[A-Za-z0-9+/]+={0,2}"
AEAD_KEYS = {
    "pii": ("aes256-gcm96", ""), "small": ("aes128-gcm96", ""), "chacha": ("chacha20-poly1305", ""),
    "xchacha": ("xchacha20-poly1305", ""), "other": ("aes256-gcm96", ""), "old": ("aes256-gcm96", ""),
}
for flag in ("derived", "convergent"):
    AEAD_KEYS |= {f"aes-{flag}": ("aes256-gcm96", flag), f"aes128-{flag}": ("aes128-gcm96", flag),
                  f"cha-{flag}": ("chacha20-poly1305", flag), f"xcha-{flag}": ("xchacha20-poly1305", flag)}
# Published: SP 800-38G (FF1 samples), the ACVP server (FF3-1), OpenBao 2.6.2 (Transit). Throw-away keys.
PUBLISHED = {
    "nist128": ("ff1", ["2b7e151628aed2a6abf7158809cf4f3c"]),
    "nist192": ("ff1", ["2b7e151628aed2a6abf7158809cf4f3cef4359d8d580aa4f"]),
    "nist256": ("ff1", ["2b7e151628aed2a6abf7158809cf4f3cef4359d8d580aa4f7f036d6f04fc6a94"]),
    "acvp128": ("ff1", ["2de79d232df5585d68ce47882ae256d6"]),
    "acvp256": ("ff1", ["6187f8bde99f7daf9e3ee8a8654308e7e51d31fa88affaeb5592041c033b736b"]),
    "openbao": ("aes256-gcm96", ["5184f148fb468b5d56778efe8772c348468a507e0bcf56206c5ada0609f5a4c6",
                                 "396a8cbc8101dc5a6ce300bc1780e8f059b643eb826351a7fc8ead39c4ae3dff",
                                 "2d9bf7a5bda484686c011eb46757fa243be8a54da91b57e9987e0839354f277b"]),
}
VERSIONS = {"pii": 2, "old": 3, "aes-convergent": 2, "cards": 2, "mac": 2}


def named(field, value):
    """A record of one field; `value` is JSON."""
    return f'{{"{field}":{value}}}'


def material(name, version=1):
    size = AEADS[AEAD_KEYS[name][0]].key_size if name in AEAD_KEYS else 32
    return hashlib.sha256(f"{name} {version}".encode()).digest()[:size]


def key(name):
    if name in PUBLISHED:
        kind, versions = PUBLISHED[name]
        return {"type": kind, "versions": versions}
    kind, flag = AEAD_KEYS.get(name, ({"cards": "ff1", "mac": "hmac"}.get(name), ""))
    made = {"type": kind, "versions": [material(name, v).hex() for v in range(1, VERSIONS.get(name, 1) + 1)]}
    if flag:
        made[flag] = True
    if name == "old":
        made["min_decryption_version"] = 2
    return made


def keys_of(groups):
    """Those that the groups' policies name; `missing` is never there."""
    named = {name for each in groups for line in each["policy"] for name in re.findall(r"local:([a-z0-9-]+)", line)}
    return {name: key(name) for name in sorted(named - {"missing"})}


def policy(*topics, stores=False, head=()):
    """Each topic in YAML without its dash; keys are all that these name, under their own names."""
    lines = [line for topic in topics for line in topic.strip("\n").split("\n")]
    named = sorted({name for line in lines for name in re.findall(r"key: (?:{name: )?([a-z0-9-]+)", line)})
    made = ["version: 1", f"namespace: {NAMESPACE}", *head]
    if named:
        made.append("keys: {" + ", ".join(f"{name}: 'local:{name}'" for name in named) + "}")
    if stores:
        made.append("stores: {main: 'sqlite:{store}'}")
    made.append("topics:")
    for topic in topics:
        first, *rest = topic.strip("\n").split("\n")
        made += [f"- {first}", *(f"  {line}" for line in rest)]
    return made


def group(name, lines, *cases):
    return {"name": name, "policy": lines, "cases": list(cases)}


def fails(name, lines, code, place="", status="usage"):
    """A policy that is refused, or keys that it cannot start with."""
    return {"name": name, "policy": lines, "fails": {"status": status, "code": code, "place": place}}


def case(name, direction, *records, topic="t", **more):
    return {"name": name, "topic": topic, "direction": direction, **more, "records": list(records)}


def good(given, out=..., reveals_to=..., **more):
    """A record and what it becomes; reveals_to: True is what came in."""
    made = {"in": given}
    if out is not ...:
        made["out"] = out
    if reveals_to is not ...:
        made["reveals_to"] = given if reveals_to is True else reveals_to
    return made | more


def whole(value, key, *headers):
    """A record; headers are (name, value)."""
    return {"value": value, "key": key, "headers": [list(header) for header in headers]}


def bad(given, code, place, status="data"):
    return {"in": given, "error": {"status": status, "code": code, "place": place}}


def raw(content):
    return {"base64": base64.b64encode(content).decode()}


def like(regex):
    return {"like": regex}


def text(version=1, length=None, json=False):
    """The pattern of a text that `encrypt` makes; `length`: of its base64, without padding."""
    body = BASE64 if length is None else f"[A-Za-z0-9+/]{{{length}}}={{0,2}}"
    return f"{'json[+]' if json else ''}vault:v{version}:{body}"


def at(name, kind=STRING, namespace=NAMESPACE):
    return sealed.place(name, kind, namespace, PATH)


def domain(name, kind=STRING):
    return sealed.place(name, kind, NAMESPACE, DOMAIN)


def pinned(name, sibling, kind=STRING):
    return sealed.place(name, kind, NAMESPACE, RECORD, sibling)


def aead(name, bound, version):
    """The cipher, its key, its associated data and the key of its nonces: docs/FORMAT-keyring.md, Values."""
    kind, flag = AEAD_KEYS[name]
    cipher, own = AEADS[kind], material(name, version)
    if not flag:
        return cipher, own, bound, None
    made = hkdf(own, bound, cipher.key_size + 32)
    return cipher, made[:cipher.key_size], b"", made[cipher.key_size:] if flag == "convergent" else None


def encrypt(name, plain, bound, version=1, json=False):
    """What is bound to a place, under any key."""
    cipher, own, aad, nonces = aead(name, bound, version)
    nonce = hmac_of(nonces, plain)[:cipher.nonce_size] if nonces else FIXED.urandom(cipher.nonce_size)
    body = base64.b64encode(nonce + cipher.seal(own, nonce, plain, aad)).decode()
    return f"{'json+' if json else ''}vault:v{version}:{body}"


converge = encrypt  # where its key is convergent the text is the only one that there is


def fpe(plain, bound=b"", name="cards", version=1, **options):
    return sealed.fpe(material(name, version), plain, bound, **options)


def fpe_integer(plain, bound, name="cards", **options):
    return sealed.fpe_integer(material(name), plain, bound, **options)


def hashed(content, bound, version=1):
    return sealed.hashed(material("mac", version), bound, content)
