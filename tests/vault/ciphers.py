"""The ciphers of Transit, each by python3-cryptography; XChaCha20-Poly1305 is built from ChaCha20-Poly1305.

    AEAD NAME: seal(key, nonce, plain, aad) → ciphertext ‖ tag      open → plaintext, InvalidTag when it is not whole
"""
import hashlib
import hmac
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = ["AEADS", "InvalidTag", "HASHES", "hkdf", "hmac_of", "counter_kdf"]

HASHES = {"sha1": hashlib.sha1, "sha2-224": hashlib.sha224, "sha2-256": hashlib.sha256, "sha2-384": hashlib.sha384,
          "sha2-512": hashlib.sha512, "sha3-224": hashlib.sha3_224, "sha3-256": hashlib.sha3_256,
          "sha3-384": hashlib.sha3_384, "sha3-512": hashlib.sha3_512}


def hkdf(key, info, size):
    return HKDF(hashes.SHA256(), size, None, info).derive(key)


def counter_kdf(key, context):
    """Of old derived keys: HMAC-SHA256(key, be32(0) ‖ context ‖ be32(256))."""
    return hmac.digest(key, b"\0\0\0\0" + context + struct.pack(">I", 256), "sha256")


def hmac_of(key, data, algorithm="sha2-256"):
    return hmac.new(key, data, HASHES[algorithm]).digest()


def hchacha20(key, nonce16):
    """draft-irtf-cfrg-xchacha §2.2"""
    s = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *struct.unpack("<8I", key), *struct.unpack("<4I", nonce16)]

    def quarter(a, b, c, d):
        for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = (s[x] + s[y]) & 0xFFFFFFFF
            v = s[z] ^ s[x]
            s[z] = ((v << turn) | (v >> (32 - turn))) & 0xFFFFFFFF

    for _ in range(10):
        for at in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                   (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter(*at)
    return struct.pack("<8I", *s[:4], *s[12:])


class Aead:
    def __init__(self, make, key_size, nonce_size, family):
        self.make, self.key_size, self.nonce_size, self.family = make, key_size, nonce_size, family

    def seal(self, key, nonce, plain, aad):
        return self.make(key).encrypt(nonce, plain, aad or None)

    def open(self, key, nonce, sealed, aad):
        if len(sealed) < 16:
            raise InvalidTag()
        return self.make(key).decrypt(nonce, sealed, aad or None)


class XChaCha(Aead):
    def seal(self, key, nonce, plain, aad):
        return super().seal(hchacha20(key, nonce[:16]), bytes(4) + nonce[16:], plain, aad)

    def open(self, key, nonce, sealed, aad):
        return super().open(hchacha20(key, nonce[:16]), bytes(4) + nonce[16:], sealed, aad)


AEADS = {"aes256-gcm96": Aead(AESGCM, 32, 12, "cipher"), "aes128-gcm96": Aead(AESGCM, 16, 12, "cipher"),
         "chacha20-poly1305": Aead(ChaCha20Poly1305, 32, 12, "chacha20poly1305"),
         "xchacha20-poly1305": XChaCha(ChaCha20Poly1305, 32, 24, "chacha20poly1305")}
