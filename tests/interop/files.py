"""Containers of large payloads by docs/FORMAT-files.md: reads and writes them; shares no code with src/."""
import base64
import hashlib
import hmac
import os
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from keyring_files import hkdf, lp

UNKNOWN = 2**64 - 1
NO_TIME = -2**63


class Wrapper:
    """The key of keys: versions of AES-256-GCM, as the keyring or Transit have them."""

    def __init__(self, versions):
        self.versions = versions

    def wrap(self, data_key):
        nonce = os.urandom(12)
        sealed = nonce + AESGCM(self.versions[-1]).encrypt(nonce, data_key, b"")
        return b"vault:v%d:" % len(self.versions) + base64.b64encode(sealed)

    def unwrap(self, text):
        prefix, version, body = text.split(b":")
        assert prefix == b"vault" and version[:1] == b"v"
        sealed = base64.b64decode(body, validate=True)
        return AESGCM(self.versions[int(version[1:]) - 1]).decrypt(sealed[:12], sealed[12:], b"")


def take_lp(data, at):
    length, = struct.unpack_from(">I", data, at)
    assert at + 4 + length <= len(data), "cut"
    return data[at + 4:at + 4 + length], at + 4 + length


def derive(data_key, what, context=b""):
    return hkdf(data_key, b"", b"sealstream file v1 " + what + context, 32)


def chunk_nonce(index, last):
    return struct.pack(">7xIB", index, last)


def chunk_key(data_key, header):
    return AESGCM(derive(data_key, b"chunks", hashlib.sha256(header).digest()))


def write(wrapper, data, name=b"", media_type=b"", chunk_size=524288, size=None, mtime=NO_TIME):
    data_key = os.urandom(32)
    header = b"SEALFILE\x01" + os.urandom(16) + lp(wrapper.wrap(data_key)) + derive(data_key, b"commit")
    meta = struct.pack(">BIQq", 1, chunk_size, len(data) if size is None else size, mtime) + lp(name) + lp(media_type)
    header += lp(AESGCM(derive(data_key, b"meta")).encrypt(bytes(12), meta, header))
    pieces = [data[at:at + chunk_size] for at in range(0, len(data), chunk_size)] or [b""]
    key = chunk_key(data_key, header)
    return header + b"".join(key.encrypt(chunk_nonce(i, i + 1 == len(pieces)), piece, b"")
                             for i, piece in enumerate(pieces))


class Container:
    def __init__(self, wrapper, data):
        assert data[:9] == b"SEALFILE\x01"
        self.id = data[9:25]
        self.wrapped, at = take_lp(data, 25)
        commitment, before = data[at:at + 32], data[:at + 32]
        sealed, at = take_lp(data, at + 32)
        data_key = wrapper.unwrap(self.wrapped)
        assert hmac.compare_digest(derive(data_key, b"commit"), commitment), "not committed to this key"
        meta = AESGCM(derive(data_key, b"meta")).decrypt(bytes(12), sealed, before)
        version, self.chunk_size, self.size, self.mtime = struct.unpack_from(">BIQq", meta)
        self.name, end = take_lp(meta, 21)
        self.media_type, end = take_lp(meta, end)
        assert version == 1 and end == len(meta)
        self.key = chunk_key(data_key, data[:at])
        self.header, self.body = data[:at], data[at:]

    def read(self):
        step = self.chunk_size + 16
        chunks = [self.body[at:at + step] for at in range(0, len(self.body), step)]
        out = b"".join(self.key.decrypt(chunk_nonce(i, i + 1 == len(chunks)), chunk, b"")
                       for i, chunk in enumerate(chunks))
        assert chunks and self.size in (UNKNOWN, len(out))
        assert len(chunks) == 1 or len(chunks[-1]) > 16
        return out
