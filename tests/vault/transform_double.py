"""The Transform engine of the double (Vault Enterprise), made from the documentation: no licensed server has been asked.

    role ──▶ transformations ──▶ template ──▶ alphabet          encode, decode: FPE (FF3-1 or FF1), masking
        allowed_roles ◀──┘   └──▶ tokens, in memory             encode, decode, validate, metadata, tokenized, tokens

Statuses and shapes are documented. Of the texts only `incorrect tweak size provided: N` is known from a real server; the others
are this file's own, and nobody may depend on them. What is not known can be set, so that a client is tried with both:

    engine.mismatch   "item": a role and a transformation that don't fit are an item's error; "call": the whole request's
    engine.whole      True: any bad item fails the whole request (400 and `errors`), as if batches knew no partial failure
    engine.algorithm  "ff3-1" (Vault up to 2.0: tweaks have 7 bytes) or "ff1" (2.1: of any length) of new FPE transformations
"""
import base64
import dataclasses
import datetime
import fnmatch
import hmac
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
from core import Answer, Broken, Engine, NotThere, Refusal, Struct, engine, go_type, names, rfc3339, route, seconds  # noqa: E402
from ff1 import FF1  # noqa: E402
from ff3_1 import FF31, TWEAK_SIZE, longest  # noqa: E402

DOMAIN_MIN = 10 ** 6
DIGITS, LOWER = "0123456789", "abcdefghijklmnopqrstuvwxyz"
ALPHABETS = {"builtin/numeric": DIGITS, "builtin/alphalower": LOWER, "builtin/alphaupper": LOWER.upper(),
             "builtin/alphanumericlower": DIGITS + LOWER, "builtin/alphanumericupper": DIGITS + LOWER.upper(),
             "builtin/alphanumeric": DIGITS + LOWER.upper() + LOWER}
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclasses.dataclass
class Template:
    pattern: str
    alphabet: str = ""
    encode_format: str = ""
    decode_formats: dict = dataclasses.field(default_factory=dict)
    type: str = "regex"


TEMPLATES = {"builtin/creditcardnumber": Template(r"(\d{4})[- ]?(\d{4})[- ]?(\d{4})[- ]?(\d{0,7})", "builtin/numeric"),
             "builtin/socialsecuritynumber": Template(r"(\d{3})[- ]?(\d{2})[- ]?(\d{4})", "builtin/numeric")}


@dataclasses.dataclass
class Transformation:
    name: str
    type: str
    template: str = ""
    tweak_source: str = ""
    max_tweak_len: int = 0
    masking_character: str = "*"
    mapping_mode: str = "default"
    convergent: bool = False
    max_ttl: int = 0
    stores: list = dataclasses.field(default_factory=list)
    allowed_roles: list = dataclasses.field(default_factory=list)
    deletion_allowed: bool = False
    algorithm: str = "ff3-1"
    key: bytes = b""
    internal_tweak: bytes = b""
    rows: dict = dataclasses.field(default_factory=dict)  # of tokens, by what is stored of the token

    def read(self):
        data = {"type": self.type, "allowed_roles": self.allowed_roles, "deletion_allowed": self.deletion_allowed}
        if self.type != "tokenization":
            data["templates"] = [self.template]
        if self.type == "fpe":
            data["tweak_source"] = self.tweak_source
            if self.algorithm == "ff1":
                data |= {"fpe_algorithm": "ff1", "max_tweak_len": self.max_tweak_len}
        if self.type == "masking":
            data["masking_character"] = ord(self.masking_character)
        if self.type == "tokenization":
            data |= {"mapping_mode": self.mapping_mode, "convergent": self.convergent, "max_ttl": self.max_ttl,
                     "stores": self.stores}
        return data


@dataclasses.dataclass
class Row:
    value: str
    expires_ns: int  # 0: never
    metadata: str
    token: str


class ItemError(Exception):
    pass


class Mismatch(ItemError):
    """Role and transformation don't fit."""


def expand(format_, match):
    """Go's Regexp.Expand: $1, ${1}, ${name}, $$; a group that is not there is empty."""
    def put(found):
        if found[0] == "$$":
            return "$"
        name = found[1] or found[2]
        try:
            return match[int(name) if name.isdigit() else name] or ""
        except IndexError:
            return ""
    return re.sub(r"\$\$|\$\{(\w+)\}|\$(\w+)", put, format_)


def tweak_of(text):
    """Base64; line ends are skipped, as clients have sent them."""
    try:
        return base64.b64decode(re.sub(r"[\r\n]", "", text), validate=True)
    except ValueError:
        raise ItemError("tweak is not base64") from None


def base58(raw):
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return BASE58[0] * (len(raw) - len(raw.lstrip(b"\0"))) + text


def varint(number):
    out = b""
    while number > 0x7f:
        out, number = out + bytes([number & 0x7f | 0x80]), number >> 7
    return out + bytes([number])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def token_text(key, random, version, expires_ns):
    """{1: 1, 2: {1: {1: random, 2: key version, 3: expiry}, 2: MAC}} in Base58, as published tokens are."""
    inner = field(1, random) + field(2, version)
    if expires_ns:
        inner += field(3, field(1, expires_ns // 10**9) + (field(2, expires_ns % 10**9) if expires_ns % 10**9 else b""))
    mac = hmac.digest(key, inner, "sha256")[:12]
    return base58(field(1, 1) + field(2, field(1, inner) + field(2, mac)))


@engine("transform", ("vault-enterprise",))
class Transform(Engine):
    def __init__(self, core, namespace, path):
        super().__init__(core, namespace, path)
        self.roles, self.transformations = {}, {}
        self.templates, self.alphabets = dict(TEMPLATES), dict(ALPHABETS)
        self.mismatch, self.whole, self.algorithm = "item", False, "ff3-1"

    # Configuration

    def delete(self, table, name, users, what):
        users = list(users)
        if users:
            raise Refusal(f"{what} is in use by {', '.join(sorted(users))}")
        table.pop(name, None)

    def listed(self, table, request):
        found = sorted(name for name in table if fnmatch.fnmatchcase(name, request.query.get("filter", ["*"])[0]))
        if not found:
            raise NotThere()
        return {"keys": found}

    @route("POST", "role/{name}", "transformations")
    def write_role(self, request, name):
        self.roles[name] = names(request.body.get("transformations"))

    @route("GET", "role/{name}")
    def read_role(self, request, name):
        if name not in self.roles:
            raise NotThere()
        return {"transformations": self.roles[name]}

    @route("DELETE", "role/{name}")
    def delete_role(self, request, name):
        self.roles.pop(name, None)

    @route("LIST", "role")
    def list_roles(self, request):
        return self.listed(self.roles, request)

    def write(self, request, name, type_, **more):
        with self.lock:
            old = self.transformations.get(name)
            if old is not None and old.type != type_:
                raise Refusal("transformation type cannot be changed")
            new = Transformation(name, type_, allowed_roles=names(request.body.get("allowed_roles")),
                                 deletion_allowed=request.flag("deletion_allowed"), **more)
            if old is None:
                new.key, new.algorithm = self.core.chance.key(32), self.algorithm
                new.internal_tweak = self.core.chance.next("tweak", lambda: self.core.chance.nonce(TWEAK_SIZE))
            else:
                new.key, new.algorithm, new.internal_tweak, new.rows = old.key, old.algorithm, old.internal_tweak, old.rows
                if old.convergent != new.convergent:
                    raise Refusal("convergent cannot be changed")
            self.transformations[name] = new

    def template_name(self, request):
        found = request.text("template")
        if not found:
            raise Refusal("template must be specified")
        return found

    @route("POST", "transformations/fpe/{name}", "template tweak_source allowed_roles deletion_allowed max_tweak_len")
    def write_fpe(self, request, name):
        source = request.text("tweak_source", "supplied")
        if source not in ("supplied", "generated", "internal"):
            raise Refusal(f"invalid tweak source {json.dumps(source)}")
        self.write(request, name, "fpe", template=self.template_name(request), tweak_source=source,
                   max_tweak_len=request.number("max_tweak_len"))

    @route("POST", "transformations/masking/{name}", "template masking_character allowed_roles deletion_allowed")
    def write_masking(self, request, name):
        self.write(request, name, "masking", template=self.template_name(request),
                   masking_character=(request.text("masking_character") or "*")[0])

    @route("POST", "transformations/tokenization/{name}",
           "mapping_mode convergent max_ttl allowed_roles stores deletion_allowed")
    def write_tokenization(self, request, name):
        mode = request.text("mapping_mode", "default")
        if mode not in ("default", "exportable"):
            raise Refusal(f"invalid mapping mode {json.dumps(mode)}")
        self.write(request, name, "tokenization", mapping_mode=mode, convergent=request.flag("convergent"),
                   max_ttl=seconds(request.body.get("max_ttl")), stores=names(request.body.get("stores")) or ["builtin/internal"])

    @route("POST", "transformation/{name}", "type template tweak_source masking_character allowed_roles deletion_allowed "
           "mapping_mode convergent max_ttl stores max_tweak_len")
    def write_old(self, request, name):
        writers = {"fpe": self.write_fpe, "masking": self.write_masking, "tokenization": self.write_tokenization}
        if request.text("type") not in writers:
            raise Refusal("type must be one of fpe, masking, tokenization")
        return writers[request.text("type")](request, name)

    @route("GET", "transformation/{name}")
    def read_transformation(self, request, name):
        if name not in self.transformations:
            raise NotThere()
        return self.transformations[name].read()

    @route("DELETE", "transformation/{name}")
    def delete_transformation(self, request, name):
        if name in self.transformations and not self.transformations[name].deletion_allowed:
            raise Refusal("deletion is not allowed for this transformation")
        self.delete(self.transformations, name, (role for role, of in self.roles.items() if name in of), "transformation")

    @route("LIST", "transformation")
    def list_transformations(self, request):
        return self.listed(self.transformations, request)

    @route("POST", "template/{name}", "type pattern alphabet encode_format decode_formats")
    def write_template(self, request, name):
        if request.text("type") != "regex":
            raise Refusal("type must be regex")
        try:
            if not re.compile(request.text("pattern"), re.ASCII).groups:
                raise Refusal("pattern must have a capture group")
        except re.error as problem:
            raise Refusal(f"error parsing regexp: {problem}") from None
        self.templates[name] = Template(request.text("pattern"), request.text("alphabet"), request.text("encode_format"),
                                        dict(request.body.get("decode_formats") or {}))

    @route("GET", "template/{name}")
    @route("GET", "template/builtin/{builtin}")
    def read_template(self, request, name=None, builtin=None):
        found = self.templates.get(name or f"builtin/{builtin}")
        if found is None:
            raise NotThere()
        return dataclasses.asdict(found)

    @route("DELETE", "template/{name}")
    def delete_template(self, request, name):
        self.delete(self.templates, name, (one.name for one in self.transformations.values() if one.template == name), "template")

    @route("LIST", "template")
    def list_templates(self, request):
        return self.listed(self.templates, request)

    @route("POST", "alphabet/{name}", "alphabet")
    def write_alphabet(self, request, name):
        text = request.text("alphabet")
        if len(set(text)) != len(text) or not 2 <= len(text) <= 65536:
            raise Refusal("an alphabet has 2 to 65536 different characters")
        self.alphabets[name] = text

    @route("GET", "alphabet/{name}")
    @route("GET", "alphabet/builtin/{builtin}")
    def read_alphabet(self, request, name=None, builtin=None):
        name = name or f"builtin/{builtin}"
        if name not in self.alphabets:
            raise NotThere()
        return {"alphabet": self.alphabets[name]}

    @route("DELETE", "alphabet/{name}")
    def delete_alphabet(self, request, name):
        self.delete(self.alphabets, name, (one for one, template in self.templates.items() if template.alphabet == name), "alphabet")

    @route("LIST", "alphabet")
    def list_alphabets(self, request):
        return self.listed(self.alphabets, request)

    # One value

    def transformation_of(self, role, item):
        """Both must name each other."""
        if role not in self.roles:
            raise Mismatch(f"role {json.dumps(role)} does not exist")
        name = item.get("transformation")
        if not name:
            if len(self.roles[role]) != 1:
                raise Mismatch("transformation must be specified: the role does not have exactly one")
            name = self.roles[role][0]
        if name not in self.roles[role]:
            raise Mismatch(f"transformation {json.dumps(name)} is not one of the role's")
        found = self.transformations.get(name)
        if found is None:
            raise Mismatch(f"transformation {json.dumps(name)} does not exist")
        if not any(fnmatch.fnmatchcase(role, pattern) for pattern in found.allowed_roles):
            raise Mismatch(f"role {json.dumps(role)} is not allowed for transformation {json.dumps(name)}")
        return found

    def template_of(self, of):
        template = self.templates.get(of.template)
        if template is None:
            raise ItemError(f"template {json.dumps(of.template)} does not exist")
        return template

    def matched(self, of, value):
        template = self.template_of(of)
        match = re.fullmatch(template.pattern, value, re.ASCII)
        if match is None:
            raise ItemError("value does not match the template")
        return template, match

    def alphabet_of(self, template):
        name = template.alphabet or "builtin/alphanumeric"
        if name not in self.alphabets:
            raise ItemError(f"alphabet {json.dumps(name)} does not exist")
        return self.alphabets[name]

    def check_tweak(self, of, tweak):
        if of.algorithm == "ff3-1" and len(tweak) != TWEAK_SIZE:
            raise ItemError(f"incorrect tweak size provided: {len(tweak)}")
        if of.algorithm == "ff1" and of.max_tweak_len and len(tweak) > of.max_tweak_len:
            raise ItemError(f"incorrect tweak size provided: {len(tweak)}")

    def tweak_for(self, of, item, decode):
        """(tweak, is it new)"""
        given = item.get("tweak")
        if of.tweak_source == "internal":
            if given:
                raise ItemError("tweak must not be supplied: its source is internal")
            return of.internal_tweak, False
        if of.tweak_source == "generated" and not decode:
            if given:
                raise ItemError("tweak must not be supplied: it is generated")
            return self.core.chance.next("tweak", lambda: self.core.chance.nonce(TWEAK_SIZE)), True
        tweak = tweak_of(given or "")
        if of.algorithm == "ff1" and given is None:
            raise ItemError("tweak must be supplied")
        self.check_tweak(of, tweak)
        return tweak, False

    def numerals(self, of, alphabet, text):
        if any(char not in alphabet for char in text):
            raise ItemError("value has characters outside the alphabet")
        radix, n = len(alphabet), len(text)
        if n < 2 or radix ** n < DOMAIN_MIN:
            raise ItemError("value is too short: its domain is smaller than 1000000")
        if of.algorithm == "ff3-1" and n > longest(radix):
            raise ItemError(f"value is too long: at most {longest(radix)} characters are transformed")
        return [alphabet.index(char) for char in text]

    def fpe(self, of, item, decode, format_name):
        template, match = self.matched(of, item["value"])
        alphabet = self.alphabet_of(template)
        tweak, new = self.tweak_for(of, item, decode)
        groups = [group or "" for group in match.groups()]
        cipher = (FF1 if of.algorithm == "ff1" else FF31)(of.key, len(alphabet))
        x = self.numerals(of, alphabet, "".join(groups))
        text = "".join(alphabet[one] for one in (cipher.decrypt if decode else cipher.encrypt)(x, tweak))
        out, at = list(item["value"]), 0
        for number in range(1, match.re.groups + 1):
            for place in range(*match.span(number)):
                out[place], at = text[at], at + 1
        whole = "".join(out)
        if not decode and template.encode_format:
            whole = expand(template.encode_format, self.again(template, whole))
        if decode and format_name:
            if format_name not in template.decode_formats:
                raise ItemError(f"decode format {json.dumps(format_name)} does not exist")
            whole = expand(template.decode_formats[format_name], self.again(template, whole))
        return whole, tweak if new else None

    @staticmethod
    def again(template, text):
        match = re.fullmatch(template.pattern, text, re.ASCII)
        if match is None:
            raise ItemError("the transformed value does not match the template")
        return match

    def mask(self, of, item):
        _, match = self.matched(of, item["value"])
        out = list(item["value"])
        for number in range(1, match.re.groups + 1):
            for place in range(*match.span(number)):
                out[place] = of.masking_character
        return "".join(out)

    # Tokens

    def stored(self, of, token):
        return hmac.digest(of.key, b"stored" + token.encode(), "sha256")

    def expiry(self, of, item):
        now = self.core.chance.now_ns()
        ttl, until = item.get("ttl"), item.get("expiration")
        if ttl and until:
            raise ItemError("only one of ttl and expiration may be given")
        if until:
            try:
                when = int(datetime.datetime.fromisoformat(until.replace("Z", "+00:00")).timestamp()) * 10**9
            except ValueError:
                raise ItemError("expiration is not a time of RFC 3339") from None
            if when <= now:
                raise ItemError("expiration is in the past")
            return min(when, now + of.max_ttl * 10**9) if of.max_ttl else when
        try:
            ttl = seconds(ttl)
        except Refusal:
            raise ItemError("ttl is not a duration") from None
        if ttl < 0:
            raise ItemError("ttl is negative")
        if of.max_ttl and ttl > of.max_ttl:
            raise ItemError(f"ttl exceeds the max_ttl of {of.max_ttl}s")
        ttl = ttl or of.max_ttl
        return now + ttl * 10**9 if ttl else 0

    def tokenize(self, of, item):
        expires = self.expiry(of, item)
        if of.convergent:
            random = hmac.digest(of.key, expires.to_bytes(16, "big") + item["value"].encode(), "sha256")
        else:
            random = self.core.chance.nonce(16)
        token = token_text(of.key, random, 1, expires)
        with self.lock:
            of.rows[self.stored(of, token)] = Row(item["value"], expires, item.get("metadata") or "", token)
        return token

    def row(self, of, token):
        found = of.rows.get(self.stored(of, token))
        if found is None:
            raise ItemError("token not found")
        if found.expires_ns and found.expires_ns <= self.core.chance.now_ns():
            raise ItemError("token expired")
        return found

    def rows_of(self, of, item):
        now = self.core.chance.now_ns()
        return [row for row in of.rows.values()
                if row.value == item["value"] and (not row.expires_ns or row.expires_ns > now)]

    @staticmethod
    def only_tokens(of):
        if of.type != "tokenization":
            raise ItemError(f"not supported for transformations of type {of.type}")

    # Encode and decode

    def encode(self, of, item, _format):
        if of.type != "tokenization" and (item.get("ttl") or item.get("expiration") or item.get("metadata")):
            raise ItemError("ttl, expiration and metadata are for tokenization only")
        if of.type == "masking":
            return Struct(encoded_value=self.mask(of, item))
        if of.type == "tokenization":
            return Struct(encoded_value=self.tokenize(of, item))
        value, tweak = self.fpe(of, item, False, None)
        return Struct(encoded_value=value, **({"tweak": base64.b64encode(tweak).decode()} if tweak else {}))

    def decode(self, of, item, format_):
        if of.type == "masking":
            raise ItemError("decode is not supported for masking transformations")
        if of.type == "tokenization":
            if format_:
                raise ItemError("tokenization has no decode formats")
            return Struct(decoded_value=self.row(of, item["value"]).value)
        return Struct(decoded_value=self.fpe(of, item, True, format_)[0])

    def validate(self, of, item, _format):
        self.only_tokens(of)
        try:
            self.row(of, item["value"])
        except ItemError:
            return Struct(valid=False)
        return Struct(valid=True)

    def metadata(self, of, item, _format):
        self.only_tokens(of)
        row = self.row(of, item["value"])
        return Struct(metadata=row.metadata, **({"expiration_time": rfc3339(row.expires_ns)} if row.expires_ns else {}))

    def tokenized(self, of, item, _format):
        self.only_tokens(of)
        return Struct(tokenized=bool(self.rows_of(of, item)))

    def tokens(self, of, item, _format):
        self.only_tokens(of)
        if not of.convergent and of.mapping_mode != "exportable":
            raise ItemError("tokens can be looked up only when they are convergent or exportable")
        return Struct(tokens=[row.token for row in self.rows_of(of, item)])

    @staticmethod
    def item_of(body, at):
        if not isinstance(body, dict):
            raise Broken(f"failed to parse batch input: [{at}] expected a map, got '{go_type(body)}'")
        for name in ("value", "transformation", "tweak", "reference", "ttl", "expiration", "metadata"):
            value = body.get(name)
            if value is not None and not isinstance(value, str) and not (name == "ttl" and isinstance(value, int)):
                raise Broken(f"failed to parse batch input: '[{at}].{name}' expected type 'string', got unconvertible type "
                             f"'{go_type(value)}'")
        return body

    def one(self, role, item, work, format_):
        of = self.transformation_of(role, item)
        if item.get("value") is None:
            raise ItemError("value must be specified")
        return work(of, item, format_)

    def call(self, request, role, work, format_=None):
        if request.body.get("batch_input") is None:
            try:
                return self.one(role, self.item_of(request.body, 0), work, format_)
            except ItemError as problem:
                raise Refusal(str(problem)) from None
        items = request.body["batch_input"]
        if not isinstance(items, list):
            raise Broken("failed to parse batch input: expected a list")
        if not items:
            raise Refusal("missing batch input to process")
        results, failed = [], 0
        for at, item in enumerate([self.item_of(item, at) for at, item in enumerate(items)]):
            try:
                result = self.one(role, item, work, format_)
            except ItemError as problem:
                if self.whole or (self.mismatch == "call" and isinstance(problem, Mismatch)):
                    raise Refusal(str(problem)) from None
                result, failed = Struct(error=str(problem)), failed + 1
            if item.get("reference"):
                result["reference"] = item["reference"]
            results.append(result)
        return Answer(400 if failed else 200, data=Struct(batch_results=results))

    FIELDS = "value transformation tweak reference ttl expiration metadata batch_input"

    @route("POST", "encode/{role}", FIELDS)
    def post_encode(self, request, role):
        return self.call(request, role, self.encode)

    @route("POST", "decode/{role}", FIELDS)
    @route("POST", "decode/{role}/{format_}", FIELDS)
    def post_decode(self, request, role, format_=None):
        return self.call(request, role, self.decode, format_)

    @route("POST", "validate/{role}", FIELDS)
    def post_validate(self, request, role):
        return self.call(request, role, self.validate)

    @route("POST", "metadata/{role}", FIELDS)
    def post_metadata(self, request, role):
        return self.call(request, role, self.metadata)

    @route("POST", "tokenized/{role}", FIELDS)
    def post_tokenized(self, request, role):
        return self.call(request, role, self.tokenized)

    @route("POST", "tokens/{role}", FIELDS + " min_expiration max_expiration")
    def post_tokens(self, request, role):
        return self.call(request, role, self.tokens)
