"""The Transit engine of the double, with real cryptography behind it.

Rules, texts and statuses are those of OpenBao's path_*.go and keysutil/policy.go, including its oddities: `associated_data`
under a key that has none is an item's error that leaves the status at 200; rewrap and hmac answer 200 whatever an item did.
"""
import base64
import dataclasses

from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import ciphers
from core import Answer, Broken, Engine, NotThere, Refusal, Struct, engine, go_base64, go_type, route, seconds
from transit_key import CURVES, SOFT_DELETED, TYPES, ItemError, Key, oaep

OAEP_HASHES = {"SHA1": hashes.SHA1, "SHA224": hashes.SHA224, "SHA256": hashes.SHA256, "SHA384": hashes.SHA384, "SHA512": hashes.SHA512}


@engine("transit")
class Transit(Engine):
    wrapping = None  # an RSA key is slow to make: one for all

    def __init__(self, *where):
        super().__init__(*where)
        self.keys = {}
        self.disable_upsert = False
        self.cache_size = 0

    def exists(self, name, **_):
        return name in self.keys

    def key(self, name, refusal="encryption key not found"):
        if name not in self.keys:
            raise Refusal(refusal) if refusal else NotThere()
        return self.keys[name]

    def changed(self, key, warnings=None):
        """What answers a change of a key: the key, or nothing from old servers."""
        return Answer(204) if self.core.old else Answer(data=key.info(), warnings=warnings)

    def new_key(self, name, type_="aes256-gcm96", **more):
        """Makes a key, as tests may also do without a request."""
        key = Key(name, type_, **more)
        if type_ == "hmac" and not key.key_size:
            key.key_size = 32
        key.add_version(self.core.chance)
        self.keys[name] = key
        return key

    # Keys

    @route("LIST", "keys")
    def list_keys(self, request):
        if not self.keys:
            raise NotThere()
        return {"keys": sorted(self.keys)}

    @route("GET", "keys/{name}", "context")
    def read_key(self, request, name):
        return self.key(name, None).info()

    @route("POST", "keys/{name}", "type derived convergent_encryption exportable allow_plaintext_backup auto_rotate_period "
           "key_size context external_key_ref")
    def create_key(self, request, name):
        period = seconds(request.body.get("auto_rotate_period"))
        type_, size = request.text("type", "aes256-gcm96"), request.number("key_size")
        derived, convergent = request.flag("derived"), request.flag("convergent_encryption")
        if period and period < 3600:
            raise Refusal("auto rotate period must be 0 to disable or at least an hour")
        if convergent and not derived:
            raise Refusal("convergent encryption requires derivation to be enabled")
        if type_ not in TYPES or (type_.startswith("xchacha") and self.core.product != "openbao"):
            raise Refusal(f"unknown key type {type_}")
        if size and type_ != "hmac":
            raise Refusal(f"key_size is not valid for algorithm {type_}")
        if type_ == "hmac" and not size and self.core.product != "openbao":
            raise Broken("invalid key size for HMAC key, must be between 32 and 512 bytes")
        if size and not 32 <= size <= 512:
            raise Refusal(f"invalid key_size {size}")
        if name in self.keys:
            return self.changed(self.keys[name], [f"key {name} already existed"])
        if (derived or convergent) and type_ not in (*ciphers.AEADS, "ed25519"):
            raise Broken(f"key derivation and convergent encryption not supported for keys of type {type_}")
        if convergent and type_ == "ed25519":
            raise Broken(f"convergent encryption not supported for keys of type {type_}")
        with self.lock:
            key = self.new_key(name, type_, derived=derived, convergent=convergent, exportable=request.flag("exportable"),
                               allow_plaintext_backup=request.flag("allow_plaintext_backup"), key_size=size,
                               auto_rotate_period=period)
        return self.changed(key)

    @route("DELETE", "keys/{name}")
    def delete_key(self, request, name):
        if name not in self.keys:
            raise Refusal(f"error deleting policy {name}: could not delete key; not found")
        if not self.keys[name].deletion_allowed:
            raise Refusal(f"error deleting policy {name}: deletion is not allowed for this key")
        del self.keys[name]

    @route("DELETE", "keys/{name}/soft-delete")
    def soft_delete(self, request, name):
        key = self.key(name, None)
        key.soft_deleted = True
        return key.info()

    @route("POST", "keys/{name}/soft-delete-restore")
    def soft_restore(self, request, name):
        key = self.key(name, None)
        key.soft_deleted = False
        return key.info()

    @route("POST", "keys/{name}/config", "min_decryption_version min_encryption_version deletion_allowed exportable "
           "allow_plaintext_backup auto_rotate_period")
    def configure(self, request, name):
        key, body, warnings = self.key(name, f"no existing key named {name} could be found"), request.body, []
        with self.lock:
            new = dataclasses.replace(key)
            for field, what in (("min_decryption", "decryption"), ("min_encryption", "encryption")):
                if f"{field}_version" not in body:
                    continue
                wanted = request.number(f"{field}_version")
                if wanted < 0:
                    raise Refusal(f"min {what} version cannot be negative")
                if wanted == 0 and what == "decryption":
                    wanted = 1
                    warnings.append("since Vault 0.3 (prior to the OpenBao fork), transit key numbering starts at 1; forcing minimum to 1")
                if wanted > key.latest:
                    raise Refusal(f"cannot set min {what} version of {wanted}, latest key version is {key.latest}")
                setattr(new, field, wanted)
            if 0 < new.min_encryption < new.min_decryption:
                raise Refusal("cannot set min encryption/decryption values; min encryption version of "
                              f"{new.min_encryption} must be greater than or equal to min decryption version of {new.min_decryption}")
            new.deletion_allowed = request.flag("deletion_allowed", key.deletion_allowed)
            new.exportable |= request.flag("exportable")
            new.allow_plaintext_backup |= request.flag("allow_plaintext_backup")
            if "auto_rotate_period" in body:
                new.auto_rotate_period = seconds(body["auto_rotate_period"])
                if new.auto_rotate_period and new.auto_rotate_period < 3600:
                    raise Refusal("auto rotate period must be 0 to disable or at least an hour")
            if new != key and key.min_available > new.min_encryption:
                raise Refusal("min encryption version should not be less than min available version")
            if new != key and key.min_available > new.min_decryption:
                raise Refusal("min decryption version should not be less then min available version")
            if key.soft_deleted:
                raise Refusal(SOFT_DELETED)
            self.keys[name] = new
        return self.changed(new, warnings)

    @route("POST", "keys/{name}/rotate")
    def rotate(self, request, name):
        key = self.key(name, "key not found")
        if key.soft_deleted:
            raise Refusal(SOFT_DELETED)
        if key.imported and not key.allow_rotation:
            raise Broken(f"imported key {name} does not allow rotation within Vault")
        with self.lock:
            key.add_version(self.core.chance)
            if key.imported:
                key.imported = False
        return self.changed(key)

    @route("POST", "keys/{name}/trim", "min_available_version")
    def trim(self, request, name):
        key = self.key(name, "invalid key name")
        if "min_available_version" not in request.body:
            raise Refusal("missing min_available_version")
        wanted = request.number("min_available_version")
        for wrong, text in (
                (wanted < key.min_available, "minimum available version cannot be decremented"),
                (key.min_encryption == 0, "minimum available version cannot be set when minimum encryption version is not set"),
                (wanted > key.min_encryption, "minimum available version cannot be greater than minmum encryption version"),
                (wanted > key.min_decryption, "minimum available version cannot be greater than minimum decryption version"),
                (wanted < 0, "minimum available version cannot be negative"),
                (wanted == 0, "minimum available version should be positive")):
            if wrong:
                raise Refusal(text)
        key.min_available = wanted
        key.versions = {number: version for number, version in key.versions.items() if number >= wanted}
        return self.changed(key)

    @route("GET POST", "config/keys", "disable_upsert")
    def config_keys(self, request):
        if request.operation == "POST":
            self.disable_upsert = request.flag("disable_upsert")
        return {"disable_upsert": self.disable_upsert}

    @route("GET POST", "cache-config", "size")
    def cache_config(self, request):
        if request.operation == "GET":
            return {"size": self.cache_size}
        size = request.number("size")
        if 0 < size < 10:
            raise Refusal("size must be 0 or a value greater or equal to 10")
        self.cache_size = size
        return {"size": size} if self.core.product == "openbao" else None

    # Material in and out

    @route("GET", "wrapping_key")
    def wrapping_key(self, request):
        pem = self.wrapping_private().public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        return {"public_key": pem.decode()}

    @classmethod
    def wrapping_private(cls):
        if Transit.wrapping is None:
            Transit.wrapping = rsa.generate_private_key(65537, 4096)
        return Transit.wrapping

    def imported(self, request, type_):
        name = request.text("hash_function", "SHA256").upper()
        if name not in OAEP_HASHES:
            raise Refusal(f"unknown hash function: {request.text('hash_function')}")
        if "ciphertext" not in request.body:
            raise Broken("provided type does not support public_key import")
        try:
            blob = go_base64(request.text("ciphertext"))
            if len(blob) <= 512:
                raise ValueError("provided ciphertext is too short")
            ephemeral = self.wrapping_private().decrypt(blob[:512], oaep(OAEP_HASHES[name]))
            if len(ephemeral) != 32:
                raise ValueError("expected ephemeral AES key to be 256-bit")
            material = keywrap.aes_key_unwrap_with_padding(ephemeral, blob[512:])
        except (ValueError, keywrap.InvalidUnwrap) as problem:
            raise Broken(str(problem) if " " in str(problem) else "crypto/rsa: decryption error") from None
        if type_ in ciphers.AEADS and len(material) != ciphers.AEADS[type_].key_size:
            raise Broken(f"invalid key size {len(material)} bytes for key type {type_}")
        if type_ == "hmac" and not 32 <= len(material) <= 512:
            raise Broken(f"invalid key size {len(material)} bytes for key type {type_}")
        if type_ not in (*ciphers.AEADS, "hmac"):
            try:
                serialization.load_der_private_key(material, None)
            except ValueError as problem:
                raise Broken(f"error parsing asymmetric key: {problem}") from None
        return material

    @route("POST", "keys/{name}/import", "ciphertext public_key type hash_function allow_rotation derived exportable "
           "allow_plaintext_backup auto_rotate_period context convergent_encryption")
    def import_key(self, request, name):
        type_, period = request.text("type", "aes256-gcm96").lower(), seconds(request.body.get("auto_rotate_period"))
        if "convergent_encryption" in request.body:
            raise Broken("import cannot be used on keys with convergent encryption enabled")
        if period and not request.flag("allow_rotation"):
            raise Broken("allow_rotation must be set to true if auto-rotation is enabled")
        if type_ not in TYPES:
            raise Refusal(f"unknown key type: {type_}")
        if name in self.keys:
            raise Broken("the import path cannot be used with an existing key; use import-version to rotate an existing imported key")
        material = self.imported(request, type_)
        key = Key(name, type_, derived=request.flag("derived"), exportable=request.flag("exportable"),
                  allow_plaintext_backup=request.flag("allow_plaintext_backup"), imported=True,
                  allow_rotation=request.flag("allow_rotation"), auto_rotate_period=period,
                  key_size=len(material) if type_ == "hmac" else 0, kdf=0)  # ImportPolicy leaves the KDF at its oldest one
        key.add_version(self.core.chance, material)
        self.keys[name] = key

    @route("POST", "keys/{name}/import_version", "ciphertext public_key hash_function version")
    def import_version(self, request, name):
        if name not in self.keys:
            raise Broken(f"no key found with name {name}; to import a new key, use the import/ endpoint")
        key = self.keys[name]
        if not key.imported:
            raise Broken("the import_version endpoint can only be used with an imported key")
        material = self.imported(request, key.type)
        with self.lock:
            key.add_version(self.core.chance, material)

    @route("GET", "export/{kind}/{name}")
    @route("GET", "export/{kind}/{name}/{version}")
    def export(self, request, kind, name, version=""):
        if kind not in ("encryption-key", "signing-key", "hmac-key", "public-key", "certificate-chain"):
            raise Refusal(f"invalid export type: {kind}")
        key = self.key(name, None)
        if not key.exportable and kind not in ("public-key", "certificate-chain"):
            raise Refusal("private key material is not exportable")
        if key.soft_deleted:
            raise Broken(SOFT_DELETED)
        if kind == "encryption-key" and not key.encrypts:
            raise Refusal("encryption not supported for the key")
        if kind == "signing-key" and (key.aead or key.type == "hmac"):
            raise Refusal("signing not supported for the key")
        numbers = list(key.visible())
        if version:
            text = version.removeprefix("v")
            if version != "latest" and not text.isdigit():
                raise Refusal("invalid key version")
            numbers = [key.latest if version == "latest" else int(text)]
            if numbers[0] < key.min_decryption:
                raise Refusal("version for export is below minimum decryption version")
            if numbers[0] not in key.versions:
                raise Refusal("version does not exist or cannot be found")
        return {"name": name, "type": key.type, "keys": {str(number): key.exported(number, kind) for number in numbers}}

    @route("GET", "backup/{name}")
    def backup(self, request, name):
        if name not in self.keys:
            raise Broken(f'invalid key "{name}"')
        return {"backup": self.keys[name].backup(self.core.chance.now_ns())}

    @route("POST", "restore", "backup force")
    @route("POST", "restore/{name}", "backup force")
    def restore(self, request, name=""):
        if not request.text("backup"):
            raise Refusal("'backup' must be supplied")
        try:
            key = Key.restored(request.text("backup"), name, self.core.chance.now_ns())
        except (ValueError, KeyError, TypeError) as problem:
            raise Broken(str(problem)) from None
        if key.name in self.keys and not request.flag("force"):
            raise Broken(f'key "{key.name}" already exists')
        self.keys[key.name] = key

    # Encrypt, decrypt, rewrap

    ITEM = {"context": str, "ciphertext": str, "plaintext": str, "key_version": int, "associated_data": str, "reference": str}

    def items(self, request, required, missing):
        """The batch, checked as decodeBatchRequestItems does; None: the request is a single one."""
        raw = request.body.get("batch_input")
        if raw is None:
            return None
        if not isinstance(raw, list):
            raise Broken(f"failed to parse batch input: source data must be an array or slice, got {go_type(raw)}")
        faults = []
        for at, item in enumerate(raw):
            if not isinstance(item, dict):
                raise Broken(f"failed to parse batch input: [{at}] expected a map, got '{go_type(item)}'")
            for name, kind in self.ITEM.items():
                if name not in item:
                    if name == required:
                        faults.append(f"'[{at}].{name}' {missing}")
                    continue
                value = item[name]
                if not (type(value) is kind or (value is None and name != "plaintext")):
                    faults.append(f"'[{at}].{name}' expected type '{kind.__name__.replace('str', 'string')}', "
                                  f"got unconvertible type '{go_type(value)}'")
        if faults:
            raise Broken("failed to parse batch input: " + "\n".join(faults))
        if not raw:
            raise Refusal("missing batch input to process")
        return raw

    @staticmethod
    def contexts(items, check):
        """(context, error) of each item; `check(item)` may find another fault first."""
        given = bool(items[0].get("context"))
        found = []
        for item in items:
            if bool(item.get("context")) != given:
                raise Refusal("context should be set either in all the request blocks or in none")
            try:
                check(item)
                found.append((go_base64(item["context"]) if given else b"", None))
            except (ValueError, ItemError) as fault:
                found.append((b"", str(fault)))
        return found

    def aad_of(self, key, at, item):
        text = item.get("associated_data") or ""
        if text and not key.aead:
            raise LookupError(f"'[{at}].associated_data' provided for non-AEAD cipher suite {key.type}")
        try:
            return go_base64(text)
        except ValueError as fault:
            raise ItemError(f"unable to get associated_data/additional_data from factory[0]: {fault}", True) from None

    def each(self, items, contexts, key, work):
        """Runs `work` for each item; (results, user fault?, internal fault?, any success?)."""
        results, user, internal, success = [], False, False, False
        for at, (item, (context, fault)) in enumerate(zip(items, contexts)):
            if fault:
                user = True
                results.append(fault)
                continue
            try:
                results.append(work(key, item, context, self.aad_of(key, at, item)))
                success = True
            except LookupError as problem:  # OpenBao does not count it
                results.append(str(problem))
            except ItemError as problem:
                internal |= problem.internal
                user |= not problem.internal
                results.append(str(problem))
        return results, user, internal, success

    def batch_answer(self, request, results, user, internal, success):
        answer = Answer(data={"batch_results": results})
        if user or internal:
            answer.status = 400 if user else 500
            answer.line_end = False
            code = request.body.get("partial_failure_response_code")
            if code is not None and success:
                if 1 <= int(code) <= 599:
                    answer.status = int(code)
                else:
                    answer.warnings = ["invalid HTTP response code override from partial_failure_response_code, "
                                       f"reverting to {answer.status}"]
        return answer

    @staticmethod
    def single(results, user, internal):
        if isinstance(results[0], str):
            raise Broken(results[0]) if internal else Refusal(results[0])
        return results[0]

    @staticmethod
    def encrypted(result, item):
        reference = item.get("reference") or ""
        if isinstance(result, str):
            return Struct(error=result, reference=reference)
        return Struct(ciphertext=result[0], key_version=result[1], reference=reference)

    def upsert(self, request, name, derived):
        """The key, made when the caller may create it (the policy was asked before)."""
        if name in self.keys:
            return self.keys[name]
        type_, convergent = request.text("type", "aes256-gcm96"), request.flag("convergent_encryption")
        if convergent and not derived:
            raise Refusal("convergent encryption requires derivation to be enabled, so context is required")
        if type_ not in ciphers.AEADS:
            raise Refusal(f"key type {type_} not supported for this operation" if type_ in CURVES else f"unknown key type {type_}")
        if self.disable_upsert:
            raise Refusal("encryption key not found")
        with self.lock:
            return self.keys.get(name) or self.new_key(name, type_, derived=derived, convergent=convergent)

    @route("POST", "encrypt/{name}", "plaintext context key_version associated_data batch_input type convergent_encryption "
           "partial_failure_response_code", exists="exists")
    def encrypt(self, request, name):
        items = self.items(request, "plaintext", "missing plaintext to encrypt")
        batch = items is not None
        if not batch:
            if "plaintext" not in request.body:
                raise Refusal("missing plaintext to encrypt")
            items = [{"plaintext": request.text("plaintext"), "context": request.text("context"),
                      "key_version": request.number("key_version"), "associated_data": request.text("associated_data")}]
        contexts = self.contexts(items, lambda item: go_base64(item["plaintext"]))
        key = self.upsert(request, name, bool(items[0].get("context")))
        results, user, internal, success = self.each(items, contexts, key, lambda key, item, context, aad: key.encrypt(
            go_base64(item["plaintext"]), item.get("key_version") or 0, context, aad, self.core.chance.nonce))
        if batch:
            return self.batch_answer(request, list(map(self.encrypted, results, items)), user, internal, success)
        text, version = self.single(results, user, internal)
        return {"ciphertext": text, "key_version": version}

    def ciphertexts(self, request, items):
        if items is not None:
            return items
        if not request.text("ciphertext"):
            raise Refusal("missing ciphertext to decrypt")
        return [{"ciphertext": request.text("ciphertext"), "context": request.text("context"),
                 "associated_data": request.text("associated_data"), "key_version": request.number("key_version")}]

    @staticmethod
    def has_ciphertext(item):
        if not item.get("ciphertext"):
            raise ItemError("missing ciphertext to decrypt")

    @route("POST", "decrypt/{name}", "ciphertext context associated_data batch_input partial_failure_response_code")
    def decrypt(self, request, name):
        batch = self.items(request, "ciphertext", "missing ciphertext to decrypt")
        items = self.ciphertexts(request, batch)
        contexts = self.contexts(items, self.has_ciphertext)
        results, user, internal, success = self.each(items, contexts, self.key(name), lambda key, item, context, aad: (
            base64.b64encode(key.decrypt(item["ciphertext"], context, aad)).decode(),))
        if batch is None:
            return {"plaintext": self.single(results, user, internal)[0]}
        answers = [Struct(plaintext="", error=one) if isinstance(one, str) else Struct(plaintext=one[0]) for one in results]
        for answer, item in zip(answers, items):
            answer["reference"] = item.get("reference") or ""
        return self.batch_answer(request, answers, user, internal, success)

    @route("POST", "rewrap/{name}", "ciphertext context key_version batch_input")
    def rewrap(self, request, name):
        batch = self.items(request, None, "")
        items = [{**item, "associated_data": ""} for item in self.ciphertexts(request, batch)]
        contexts = self.contexts(items, self.has_ciphertext)
        results, user, internal, _ = self.each(items, contexts, self.key(name), lambda key, item, context, aad: key.encrypt(
            key.decrypt(item["ciphertext"], context), item.get("key_version") or 0, context, b"", self.core.chance.nonce))
        if internal:
            raise Broken(next(one for one in results if isinstance(one, str)))
        if batch is None:
            text, version = self.single(results, user, internal)
            return {"ciphertext": text, "key_version": version}
        return {"batch_results": list(map(self.encrypted, results, items))}

    # Data keys, HMAC

    @route("POST", "datakey/{form}/{name}", "bits context key_version associated_data")
    def datakey(self, request, form, name):
        if form not in ("plaintext", "wrapped"):
            raise Refusal("Invalid path, must be 'plaintext' or 'wrapped'")
        try:
            context = go_base64(request.text("context"))
        except ValueError:
            raise Refusal("failed to base64-decode context") from None
        key, bits = self.key(name), request.number("bits", 256)
        if bits not in (128, 256, 512):
            raise Refusal("invalid bit length")
        if request.text("associated_data") and not key.aead:
            raise Refusal(f"'associated_data' provided for non-AEAD cipher suite {key.type}")
        material = self.core.chance.next("data_key", lambda: self.core.chance.key(bits // 8))
        try:
            aad = self.aad_of(key, 0, {"associated_data": request.text("associated_data")})
            text, version = key.encrypt(material, request.number("key_version"), context, aad, self.core.chance.nonce)
        except ItemError as fault:
            raise Broken(str(fault)) if fault.internal else Refusal(str(fault)) from None
        data = {"ciphertext": text, "key_version": version}
        return data | {"plaintext": base64.b64encode(material).decode()} if form == "plaintext" else data

    @route("POST", "hmac/{name}", "input algorithm key_version batch_input")
    @route("POST", "hmac/{name}/{urlalgorithm}", "input algorithm key_version batch_input")
    def hmac(self, request, name, urlalgorithm=""):
        key, version = self.key(name), request.number("key_version")
        version = version or key.latest
        if version != key.latest and 0 < version < key.min_encryption:
            raise Refusal("cannot generate HMAC: version is too old (disallowed by policy)")
        if key.soft_deleted:
            raise Refusal(SOFT_DELETED)
        if version < 0:
            raise Refusal("key version does not exist (cannot be negative)")
        if version > key.latest:
            raise Refusal(f"key version does not exist; latest key version is {key.latest}")
        if version not in key.versions:
            raise Refusal("no such key version")
        algorithm = urlalgorithm or request.text("algorithm", "sha2-256")
        if algorithm not in ciphers.HASHES or algorithm == "sha1":
            raise Refusal(f'unsupported algorithm "{algorithm}"')
        batch = request.body.get("batch_input")
        if batch is not None and not batch:
            raise Refusal("missing batch input to process")
        if batch is None and "input" not in request.body:
            raise Refusal("missing input for HMAC")
        results = []
        for item in batch if batch is not None else [{"input": request.text("input")}]:
            reference = item.get("reference") or ""
            try:
                mac = ciphers.hmac_of(key.versions[version].hmac_key, go_base64(item["input"]), algorithm)
                results.append(Struct(hmac=f"vault:v{version}:" + base64.b64encode(mac).decode(), reference=reference))
            except KeyError:
                results.append(Struct(error="missing input for HMAC", reference=reference))
            except ValueError as fault:
                results.append(Struct(error=f"unable to decode input as base64: {fault}", reference=reference))
        if batch is not None:
            return {"batch_results": results}
        if "error" in results[0]:
            raise Refusal(results[0]["error"])
        return {"hmac": results[0]["hmac"]}
