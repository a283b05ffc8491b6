"""The local keyring by docs/FORMAT-keyring.md: reads and writes a keyring directory; shares no code with src/."""
import hashlib
import hmac
import os
import pathlib
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TYPES = {1: "aes256-gcm96", 2: "aes128-gcm96", 3: "ff1", 4: "hmac", 5: "chacha20-poly1305", 6: "xchacha20-poly1305"}
DERIVED, CONVERGENT = 8, 16
HEAD = struct.Struct(">7sB16sQBBII32s")
KEY = struct.Struct(">QIIQI")
VERSION = struct.Struct(">IQQ12sB")


def lp(data):
    return struct.pack(">I", len(data)) + data


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def hkdf(master, salt, info, length):  # RFC 5869
    prk = mac(salt, master)
    out, block = b"", b""
    while len(out) < length:
        block = mac(prk, block + info + bytes([len(out) // 32 + 1]))
        out += block
    return out[:length]


def format_of(kind, flags):
    return 2 if kind > 4 or flags & DERIVED else 1


class Keyring:
    def __init__(self, folder, master=None, passphrase=None):
        self.folder = pathlib.Path(folder)
        head = (self.folder / "keyring.head").read_bytes()
        assert len(head) == 138 and hashlib.sha256(head[:106]).digest() == head[106:], "damaged"
        magic, version, self.id, _, kdf, log2_n, r, p, salt = HEAD.unpack(head[:74])
        assert (magic, version) == (b"SEALRNG", 1)
        if kdf == 1:
            master = hashlib.scrypt(passphrase, salt=salt, n=2**log2_n, r=r, p=p, dklen=32, maxmem=2**30)
        elif master is None:
            master = (self.folder / "master.key").read_bytes()
        self.derive(master)
        assert mac(self.check, head[:74]) == head[74:106], "wrong master key"

    def derive(self, master):
        keys = hkdf(master, self.id, b"sealstream keyring 1 keys", 96)
        self.wrap, self.authenticate, self.check = keys[:32], keys[32:64], keys[64:]

    @classmethod
    def create(cls, folder, master):
        self = cls.__new__(cls)
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(mode=0o700)
        self.id = os.urandom(16)
        self.derive(master)
        head = HEAD.pack(b"SEALRNG", 1, self.id, 0, 0, 0, 0, 0, bytes(32))
        head += mac(self.check, head)
        (self.folder / "keyring.head").write_bytes(head + hashlib.sha256(head).digest())
        return self

    def aad(self, name, kind, number):
        return lp(b"sealstream keyring 1 material") + lp(name.encode()) + struct.pack(">BI", kind, number)

    def read(self, name):
        data = (self.folder / f"{name}.skey").read_bytes()
        body, code = data[:-32], data[-32:]
        assert mac(self.authenticate, body) == code, "damaged"
        magic, version, kind, flags, length = struct.unpack(">7sBBBB", body[:11])
        assert (magic, version) == (b"SEALKEY", format_of(kind, flags)) and body[11:11 + length].decode() == name
        assert flags < 32 and (not flags & CONVERGENT or flags & DERIVED)
        at = 11 + length
        _, min_decryption, min_encryption, auto_rotate, n = KEY.unpack_from(body, at)
        at += KEY.size
        versions = []
        for number in range(1, n + 1):
            found, _, uses, nonce, length = VERSION.unpack_from(body, at)
            at += VERSION.size
            assert found == number
            material = AESGCM(self.wrap).decrypt(nonce, body[at:at + length + 16], self.aad(name, kind, number))
            versions.append({"material": material, "uses": uses})
            at += length + 16
        assert at == len(body)
        return {"type": TYPES[kind], "flags": flags, "min_decryption": min_decryption,
                "min_encryption": min_encryption, "auto_rotate": auto_rotate, "versions": versions}

    def write(self, name, kind, materials, flags=0, min_decryption=1, auto_rotate=0, uses=0):
        body = struct.pack(">7sBBBB", b"SEALKEY", format_of(kind, flags), kind, flags, len(name)) + name.encode()
        body += KEY.pack(0, min_decryption, 0, auto_rotate, len(materials))
        for number, material in enumerate(materials, 1):
            nonce = os.urandom(12)
            body += VERSION.pack(number, 0, uses, nonce, len(material))
            body += AESGCM(self.wrap).encrypt(nonce, material, self.aad(name, kind, number))
        path = self.folder / f"{name}.skey"
        path.write_bytes(body + mac(self.authenticate, body))
