"""A writer of records of a transfer that shares nothing with sealstream but docs/FORMAT-files.md."""
import hashlib
import os
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NO_TIME = -(1 << 63)


def derive(key, label):
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=label).derive(key)


def lp(data):
    return struct.pack(">I", len(data)) + data


def records(key, wrapped, name, data, chunk_size=1024, media_type=b"", mtime_ns=NO_TIME, ident=None, size=None):
    """The values of all records of one file, in order, and the transfer's id."""
    ident = ident or os.urandom(16)
    size = len(data) if size is None else size
    head = b"SEALFILE\x01" + ident + lp(wrapped.encode()) + derive(key, b"sealstream file v1 commit")
    meta = b"\x01" + struct.pack(">IQq", chunk_size, size, mtime_ns) + lp(name) + lp(media_type)
    header = head + lp(AESGCM(derive(key, b"sealstream file v1 meta")).encrypt(bytes(12), meta, head))
    chunks = AESGCM(derive(key, b"sealstream file v1 chunks" + hashlib.sha256(header).digest()))
    count = max(1, -(-len(data) // chunk_size))
    values = []
    for index in range(count):
        nonce = bytes(7) + struct.pack(">IB", index, index == count - 1)
        plain = data[index * chunk_size:(index + 1) * chunk_size]
        values.append(header + struct.pack(">IB", index, index == count - 1) + chunks.encrypt(nonce, plain, b""))
    return ident, values
