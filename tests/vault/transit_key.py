"""A Transit key of the double: its versions, one message encrypted or decrypted, key info, export and backup."""
import base64
import dataclasses
import json

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

import ciphers
from core import Broken, Struct, go_base64, go_json, rfc3339

RSA_BITS = {"rsa-2048": 2048, "rsa-3072": 3072, "rsa-4096": 4096}
CURVES = {"ecdsa-p256": ec.SECP256R1, "ecdsa-p384": ec.SECP384R1, "ecdsa-p521": ec.SECP521R1}
CURVE_NAMES = {"ecdsa-p256": "P-256", "ecdsa-p384": "P-384", "ecdsa-p521": "P-521"}
TYPES = (*ciphers.AEADS, *RSA_BITS, *CURVES, "ed25519", "hmac")
TYPE_NUMBERS = {"aes256-gcm96": 0, "ecdsa-p256": 1, "ed25519": 2, "rsa-2048": 3, "rsa-4096": 4, "chacha20-poly1305": 5,
                "ecdsa-p384": 6, "ecdsa-p521": 7, "aes128-gcm96": 8, "rsa-3072": 9, "hmac": 10, "xchacha20-poly1305": 11}
NO_TIME = "0001-01-01T00:00:00Z"
MISSING_CONTEXT = ("missing 'context' for key derivation; the key was created using a derived key, which means additional, "
                   "per-request information must be included in order to perform operations with the key")
TOO_OLD = "ciphertext or signature version is disallowed by policy (too old)"
SOFT_DELETED = "refusing to use soft-deleted key"


class ItemError(Exception):
    """What is wrong with one item; `internal`: not the user's fault."""

    def __init__(self, text, internal=False):
        super().__init__(text)
        self.internal = internal


@dataclasses.dataclass
class Version:
    key: bytes = b""  # raw; PKCS#8 of asymmetric ones
    hmac_key: bytes = b""
    time_ns: int = 0
    convergent_version: int = 0


@dataclasses.dataclass
class Key:
    name: str
    type: str
    derived: bool = False
    convergent: bool = False
    exportable: bool = False
    allow_plaintext_backup: bool = False
    key_size: int = 0
    auto_rotate_period: int = 0
    deletion_allowed: bool = False
    soft_deleted: bool = False
    imported: bool = False
    allow_rotation: bool = False
    latest: int = 0
    min_decryption: int = 1
    min_encryption: int = 0
    min_available: int = 0
    kdf: int = 1  # 0: HMAC counter, 1: HKDF
    backup_info: object = None
    restore_info: object = None
    versions: dict = dataclasses.field(default_factory=dict)

    @property
    def aead(self):
        return ciphers.AEADS.get(self.type)

    @property
    def encrypts(self):
        return self.aead is not None or self.type in RSA_BITS

    def private(self, version):
        return serialization.load_der_private_key(self.versions[version].key, None)

    # One message

    def derive(self, version, context, size):
        if self.soft_deleted:
            raise ItemError(SOFT_DELETED)
        if version not in self.versions:
            raise ItemError("no such key version")
        key = self.versions[version].key
        if not self.derived:
            return key
        if not context:
            raise ItemError(MISSING_CONTEXT)
        return ciphers.hkdf(key, context, size) if self.kdf else ciphers.counter_kdf(key, context)

    def encrypt(self, plain, version=0, context=b"", aad=b"", nonce_source=None):
        if self.soft_deleted:
            raise ItemError(SOFT_DELETED)
        if not self.encrypts:
            raise ItemError(f"message encryption not supported for key type {self.type}")
        if version < 0:
            raise ItemError("requested version for encryption is negative")
        version = version or self.latest
        if version > self.latest:
            raise ItemError("requested version for encryption is higher than the latest key version")
        if version < self.min_encryption:
            raise ItemError("requested version for encryption is less than the minimum encryption key version")
        if self.type in RSA_BITS:
            try:
                body = self.private(version).public_key().encrypt(plain, oaep())
            except ValueError:
                raise ItemError("failed to RSA encrypt the plaintext: crypto/rsa: message too long for RSA key size", True) from None
        else:
            size = self.aead.key_size
            key = self.derive(version, context, size + (32 if self.convergent else 0))
            nonce = ciphers.hmac_of(key[size:], plain)[:self.aead.nonce_size] if self.convergent else \
                nonce_source(self.aead.nonce_size)
            body = nonce + self.aead.seal(key[:size], nonce, plain, aad)
        return f"vault:v{version}:" + base64.b64encode(body).decode(), version

    def parse(self, text):
        if not text.startswith("vault:v"):
            raise ItemError("invalid ciphertext: no prefix")
        number, colon, body = text[7:].partition(":")
        if not colon:
            raise ItemError("invalid ciphertext: wrong number of fields")
        try:
            version = int(number) if number.lstrip("+-").isdigit() else int("x")
        except ValueError:
            raise ItemError("invalid ciphertext: version number could not be decoded") from None
        version = version or 1
        if version > self.latest:
            raise ItemError("invalid ciphertext: version is too new")
        if self.min_decryption > 0 and version < self.min_decryption:
            raise ItemError(TOO_OLD)
        try:
            return version, go_base64(body)
        except ValueError:
            raise ItemError("invalid ciphertext: could not decode base64") from None

    def decrypt(self, text, context=b"", aad=b""):
        if self.soft_deleted:
            raise ItemError(SOFT_DELETED)
        if not self.encrypts:
            raise ItemError(f"message decryption not supported for key type {self.type}")
        version, body = self.parse(text)
        if self.type in RSA_BITS:
            try:
                return self.private(version).decrypt(body, oaep())
            except ValueError:
                raise ItemError("failed to RSA decrypt the ciphertext: crypto/rsa: decryption error", True) from None
        aead = self.aead
        key = self.derive(version, context, aead.key_size)[:aead.key_size]
        if len(body) < aead.nonce_size:
            raise ItemError("invalid ciphertext length")
        try:
            return aead.open(key, body[:aead.nonce_size], body[aead.nonce_size:], aad)
        except ciphers.InvalidTag:
            raise ItemError(f"{aead.family}: message authentication failed") from None

    # Versions

    def add_version(self, chance, material=None):
        make = {"hmac": lambda: chance.key(self.key_size or 32)}
        if self.aead:
            make[self.type] = lambda: chance.key(self.aead.key_size)
        if material is None and self.type in make:
            material = make[self.type]()
        elif material is None:
            if self.type in RSA_BITS:
                private = rsa.generate_private_key(65537, RSA_BITS[self.type])
            elif self.type in CURVES:
                private = ec.generate_private_key(CURVES[self.type]())
            else:
                private = ed25519.Ed25519PrivateKey.generate()
            material = private.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
                                             serialization.NoEncryption())
        self.latest += 1
        self.versions[self.latest] = Version(material, material if self.type == "hmac" else chance.key(32), chance.now_ns(),
                                             3 if self.convergent else 0)

    def visible(self):
        return {number: self.versions[number] for number in sorted(self.versions) if number >= self.min_decryption}

    def info(self):
        data = {"name": self.name, "type": self.type, "derived": self.derived, "deletion_allowed": self.deletion_allowed,
                "min_available_version": self.min_available, "min_decryption_version": self.min_decryption,
                "min_encryption_version": self.min_encryption, "latest_version": self.latest,
                "exportable": self.exportable, "allow_plaintext_backup": self.allow_plaintext_backup,
                "supports_encryption": self.encrypts, "supports_decryption": self.encrypts,
                "supports_signing": self.type in (*RSA_BITS, *CURVES, "ed25519"),
                "supports_derivation": self.aead is not None or self.type == "ed25519",
                "auto_rotate_period": self.auto_rotate_period, "imported_key": self.imported,
                "soft_deleted": self.soft_deleted}
        if self.key_size:
            data["key_size"] = self.key_size
        if self.imported:
            data["imported_key_allow_rotation"] = self.allow_rotation
        for name in ("backup_info", "restore_info"):
            if getattr(self, name):
                data[name] = getattr(self, name)
        if self.derived:
            data["kdf"] = "hkdf_sha256" if self.kdf else "hmac-sha256-counter"
            if not self.kdf:
                data["kdf_mode"] = data["kdf"]
            data["convergent_encryption"] = self.convergent
            if self.convergent:
                data["convergent_encryption_version"] = -1
        if self.aead:
            data["keys"] = {str(number): version.time_ns // 10**9 for number, version in self.visible().items()}
        elif self.type != "hmac":
            data["keys"] = {str(number): {"name": CURVE_NAMES.get(self.type, self.type), "certificate_chain": "",
                                          "public_key": self.public(number), "creation_time": rfc3339(version.time_ns)}
                            for number, version in self.visible().items()}
        return data

    def public(self, number):
        key = self.private(number).public_key()
        if self.type == "ed25519":
            raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            return "" if self.derived else base64.b64encode(raw).decode()
        return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    def exported(self, number, kind):
        version = self.versions[number]
        if kind == "hmac-key":
            return base64.b64encode(version.hmac_key).decode()
        if kind == "public-key" and not self.aead and self.type != "hmac":
            return self.public(number)
        if self.aead and kind == "encryption-key":
            return base64.b64encode(version.key).decode()
        if kind in ("encryption-key", "signing-key"):
            private = self.private(number)
            if self.type == "ed25519":
                raw = private.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw,
                                            serialization.NoEncryption())
                return base64.b64encode(raw + base64.b64decode(self.public(number))).decode()
            return private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
                                         serialization.NoEncryption()).decode()
        raise Broken(f"unknown key type {self.type} for export type {kind}")

    # Backup

    def entry(self, version=None):
        raw = lambda data: base64.b64encode(data).decode() if data else None  # noqa: E731
        version = version or Version()
        return Struct(key=raw(version.key), hmac_key=raw(version.hmac_key),
                      time=rfc3339(version.time_ns) if version.time_ns else NO_TIME, ec_x=None, ec_y=None, ec_d=None,
                      rsa_key=None, rsa_public_key=None, public_key="", convergent_version=version.convergent_version,
                      creation_time=version.time_ns // 10**9, certificate_chain=None)

    def backup(self, now_ns):
        if not self.exportable:
            raise Broken("exporting is disallowed on the policy")
        if not self.allow_plaintext_backup:
            raise Broken("plaintext backup is disallowed on the policy")
        self.backup_info = {"time": rfc3339(now_ns), "version": self.latest}
        policy = Struct(name=self.name, keys=Struct((str(n), self.entry(v)) for n, v in sorted(self.visible().items())),
                        derived=self.derived, kdf=self.kdf if self.derived else 0, convergent_encryption=self.convergent,
                        exportable=self.exportable, min_decryption_version=self.min_decryption,
                        min_encryption_version=self.min_encryption, latest_version=self.latest,
                        archive_version=self.latest, archive_min_version=0, min_available_version=self.min_available,
                        deletion_allowed=self.deletion_allowed, convergent_version=-1 if self.convergent else 0,
                        type=TYPE_NUMBERS[self.type], backup_info=self.backup_info, restore_info=self.restore_info,
                        allow_plaintext_backup=self.allow_plaintext_backup, version_template="", storage_prefix="",
                        auto_rotate_period=self.auto_rotate_period * 10**9, Imported=self.imported,
                        AllowImportedKeyRotation=self.allow_rotation, soft_deleted=self.soft_deleted)
        if self.key_size:
            policy["key_size"] = self.key_size
        archive = [self.entry(self.versions.get(number)) for number in range(self.latest + 1)]
        return base64.b64encode(go_json(Struct(policy=policy, archived_keys=Struct(keys=archive))) + b"\n").decode()

    @classmethod
    def restored(cls, text, name, now_ns):
        whole = json.loads(base64.b64decode(text))
        policy = whole["policy"]
        numbers = {number: type_ for type_, number in TYPE_NUMBERS.items()}
        key = cls(name or policy["name"], numbers[policy["type"]], policy["derived"], policy["convergent_encryption"],
                  policy["exportable"], policy["allow_plaintext_backup"], policy.get("key_size", 0),
                  policy["auto_rotate_period"] // 10**9, policy["deletion_allowed"], policy.get("soft_deleted", False),
                  policy.get("Imported", False), policy.get("AllowImportedKeyRotation", False), policy["latest_version"],
                  policy["min_decryption_version"], policy["min_encryption_version"], policy["min_available_version"],
                  policy["kdf"] if policy["derived"] else 1, policy["backup_info"],
                  {"time": rfc3339(now_ns), "version": policy["latest_version"]})
        entries = dict(enumerate(whole["archived_keys"]["keys"])) | {int(n): e for n, e in policy["keys"].items()}
        for number, entry in entries.items():
            if number and entry["key"]:
                key.versions[number] = Version(base64.b64decode(entry["key"]), base64.b64decode(entry["hmac_key"] or ""),
                                               entry["creation_time"] * 10**9, entry["convergent_version"])
        return key


def oaep(algorithm=hashes.SHA256):
    return padding.OAEP(padding.MGF1(algorithm()), algorithm(), None)
