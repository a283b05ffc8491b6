"""The double's core: namespaces, mounts, tokens, policies, the envelope of answers. Engines hang below it.

    transport ──Request──▶ Core.answer ──▶ sealed? size? JSON? quota? ──▶ namespace ──▶ token ──▶ policy ──▶ mount
                                                                                              Engine: route ──▶ handler

An engine is a class with routes (the decorator `route`), made by Core.mount for each `sys/mounts/PATH {"type": …}`.
A handler gets the request and the names of its path; it returns a dict (200, `data`), None (204) or an Answer, and raises
Refusal (400 and a bare text), Broken (500, Go's wrapped text) or NotThere (404 with no error texts).
Texts and statuses are OpenBao's, as captured in openbao.json or read in its source; `product` switches to Vault's.
"""
import binascii
import collections
import dataclasses
import json
import os
import re
import threading
import time

PRODUCTS = ("openbao", "vault", "vault-enterprise")
NAME = r"\w(?:(?:[\w\-.]+)?\w)?"
ENGINES = {}  # type -> class; @engine puts them here
LOGINS = {}  # the same for auth methods


class Refusal(Exception):
    """An error response: its text stands bare in `errors`."""

    def __init__(self, text, status=400):
        super().__init__(text)
        self.status = status
        self.errors = [text]


class Denied(Refusal):
    def __init__(self, bare=False):
        super().__init__("permission denied" if bare else wrapped("permission denied"), 403)


class Broken(Refusal):
    """A Go error without a response."""

    def __init__(self, text, status=500):
        super().__init__(wrapped(text), status)


class NotThere(Refusal):
    def __init__(self):
        super().__init__("", 404)
        self.errors = []


class Struct(dict):
    """Goes out in its own order; a plain dict is a Go map, whose keys are sorted."""


def wrapped(text):
    return f"1 error occurred:\n\t* {text}\n\n"


def sorted_maps(value):
    if isinstance(value, Struct):
        return {name: sorted_maps(value[name]) for name in value}
    if isinstance(value, dict):
        return {name: sorted_maps(value[name]) for name in sorted(value)}
    if isinstance(value, (list, tuple)):
        return [sorted_maps(item) for item in value]
    return value


def go_json(value):
    text = json.dumps(sorted_maps(value), separators=(",", ":"), ensure_ascii=False)
    for plain, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029")):
        text = text.replace(plain, escaped)
    return text.encode()


B64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def go_base64(text):
    """base64.StdEncoding: padding required, line ends skipped, the URL alphabet refused; ValueError has Go's text."""
    clean = text.replace("\r", "").replace("\n", "")
    if B64.fullmatch(clean):
        return binascii.a2b_base64(clean)
    raise ValueError(f"illegal base64 data at input byte {go_base64_offence(text)}")


def go_base64_offence(text):
    """Where encoding/base64 says that the fault is (decodeQuantum)."""
    at, have = 0, 0
    while at < len(text):
        char, at = text[at], at + 1
        if char in "\r\n":
            continue
        if re.match("[A-Za-z0-9+/]", char):
            have = (have + 1) % 4
            continue
        if char != "=" or have < 2:
            return at - 1
        rest = re.match("[\r\n]*", text[at:])[0]
        at += len(rest)
        if have == 2:
            if at == len(text):
                return at
            if text[at] != "=":
                return at - 1
            at += 1 + len(re.match("[\r\n]*", text[at + 1:])[0])
        return at
    return at - have


def rfc3339(ns):
    whole, rest = divmod(ns, 10**9)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
    return text + (f".{rest:09d}".rstrip("0") if rest else "") + "Z"


def seconds(value, what="duration"):
    """60, "60", "1h", "1m30s" → seconds."""
    if value in (None, ""):
        return 0
    if isinstance(value, (int, float)):
        return int(value)
    if re.fullmatch(r"-?\d+", value):
        return int(value)
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhd])", value)
    if not parts or "".join(a + b for a, b in parts) != value:
        raise Refusal(f"{what}: time: invalid duration {json.dumps(value)}")
    return int(sum(float(n) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}[unit] for n, unit in parts))


def names(value):
    """A list of texts, also given as "a,b"."""
    if value is None:
        return []
    return [name.strip() for name in (value.split(",") if isinstance(value, str) else value) if name.strip()]


def flag(value):
    return value if isinstance(value, bool) else str(value).lower() in ("1", "t", "true")


class Chance:
    """What is random or the time of day. Tests put what comes next into `fixed`."""

    def __init__(self):
        self.fixed = collections.defaultdict(collections.deque)
        self.skew_ns = 0
        self.frozen_ns = None

    def next(self, kind, make):
        queue = self.fixed[kind]
        try:
            return queue.popleft()
        except IndexError:
            return make()

    def nonce(self, size):
        return self.next("nonce", lambda: os.urandom(size))

    def key(self, size):
        return self.next("key", lambda: os.urandom(size))

    def request_id(self):
        return self.next("request_id", uuid)

    def now_ns(self):
        return self.frozen_ns if self.frozen_ns is not None else time.time_ns() + self.skew_ns

    def now(self):
        return self.now_ns() // 10**9


def uuid():
    raw = os.urandom(16).hex()
    return "-".join((raw[:8], raw[8:12], raw[12:16], raw[16:20], raw[20:]))


def base62(size):
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    return "".join(alphabet[byte % 62] for byte in os.urandom(size))


@dataclasses.dataclass
class Request:
    method: str  # GET POST PUT DELETE LIST …
    path: str  # after /v1/, without the query
    query: dict
    headers: dict  # names in lower case
    raw: bytes
    listener: object = None
    peer_cert: object = None  # DER of the client's certificate
    tls: bool = False
    body: dict = dataclasses.field(default_factory=dict)
    token: object = None
    namespace: object = None
    mount: object = None
    warnings: list = dataclasses.field(default_factory=list)

    @property
    def operation(self):
        if self.method == "LIST" or (self.method == "GET" and flag(self.query.get("list", ["false"])[0])):
            return "LIST"
        return {"PUT": "POST", "HEAD": "GET"}.get(self.method, self.method)

    def text(self, name, default=""):
        value = self.body.get(name, self.query.get(name, [default])[0])
        if value is None:
            return default
        if isinstance(value, (dict, list)):
            raise Refusal(f"Field validation failed: error converting input for field {json.dumps(name)}: "
                          f"'' expected type 'string', got unconvertible type '{go_type(value)}'")
        return value if isinstance(value, str) else json.dumps(value)

    def number(self, name, default=0):
        value = self.body.get(name, self.query.get(name, [default])[0])
        try:
            return default if value is None else int(value)
        except (TypeError, ValueError):
            raise Refusal(f"Field validation failed: error converting input for field {json.dumps(name)}: "
                          f"cannot parse '' as int: strconv.ParseInt: parsing {json.dumps(str(value))}: "
                          "invalid syntax") from None

    def flag(self, name, default=False):
        return flag(self.body.get(name, default))


def go_type(value):
    return {bool: "bool", int: "json.Number", float: "json.Number", str: "string", list: "[]interface {}",
            dict: "map[string]interface {}", type(None): "<nil>"}[type(value)]


@dataclasses.dataclass
class Answer:
    status: int = 200
    data: object = None
    auth: object = None
    warnings: object = None
    raw: object = None  # the body as it is, instead of the envelope
    line_end: bool = True
    headers: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Token:
    id: str
    accessor: str
    policies: list
    namespace: object
    ttl: int = 0  # seconds; 0: for ever
    created_ns: int = 0
    issued_ns: int = 0
    expires_ns: int = 0  # 0: never
    renewable: bool = False
    uses: int = 0  # 0: any number
    path: str = "auth/token/create"
    display_name: str = "token"
    metadata: object = None
    orphan: bool = False
    type: str = "service"
    max_ttl: int = 0
    period: int = 0
    parent: object = None
    spent: bool = False


class Policy:
    """path "x" { capabilities = ["update"] }, in HCL or JSON."""

    def __init__(self, text):
        self.text = text
        try:
            rules = [(path, rule["capabilities"]) for path, rule in json.loads(text)["path"].items()]
        except (ValueError, KeyError, TypeError):
            rules = [(path, re.findall(r'"([^"]*)"', block)) for path, block in
                     re.findall(r'path\s+"([^"]+)"\s*\{[^}]*?capabilities\s*=\s*\[([^\]]*)\]', text)]
            if text.count("{") != text.count("}") or ("path" in text and not rules):
                raise Refusal("failed to parse policy: At 1:1: object expected closing RBRACE got: EOF") from None
        self.rules = [(path.lstrip("/"), frozenset(words)) for path, words in rules]

    @staticmethod
    def matches(rule, path):
        if "+" in rule:
            parts = ["[^/]+" if part == "+" else re.escape(part) for part in rule.rstrip("*").split("/")]
            return re.match("/".join(parts) + ("" if rule.endswith("*") else r"\Z"), path) is not None
        return path.startswith(rule[:-1]) if rule.endswith("*") else path == rule


DEFAULT_POLICY = "".join(f'path "{path}" {{ capabilities = ["{words}"] }}\n' for path, words in (
    ("auth/token/lookup-self", "read"), ("auth/token/renew-self", "update"), ("auth/token/revoke-self", "update"),
    ("sys/capabilities-self", "update"), ("sys/internal/ui/mounts/*", "read"), ("sys/internal/ui/resultant-acl", "read"),
    ("sys/wrapping/wrap", "update"), ("sys/wrapping/lookup", "update"), ("sys/wrapping/unwrap", "update")))


def route(operations, pattern, fields="", exists=None, open_=False):
    """Marks a handler. `{name}` in the pattern is a name, `{name...}` the rest of the path; `open_` needs no token."""
    text = re.sub(r"\\\{(\w+)\\\.\\\.\\\.\\\}", r"(?P<\1>.+)", re.escape(pattern))
    text = re.sub(r"\\\{(\w+)\\\}", lambda found: f"(?P<{found[1]}>{NAME})", text)
    known = set(re.findall(r"\{(\w+)", pattern)) | set(fields.split())

    def mark(handler):
        handler.routes = getattr(handler, "routes", []) + [
            (re.compile(text + "/?"), set(operations.split()), known if fields else None, exists, open_)]
        return handler

    return mark


class Engine:
    """What is mounted somewhere: sys, the token store, a secrets engine, an auth method."""

    type = ""

    def __init__(self, core, namespace, path):
        self.core, self.namespace, self.path = core, namespace, path
        self.id = base62(8)
        self.lock = threading.RLock()
        self.config = {}

    @classmethod
    def all_routes(cls):
        if "_routes" not in cls.__dict__:
            found = []
            for base in reversed(cls.__mro__):
                for name, handler in vars(base).items():
                    found += [(*entry, name) for entry in getattr(handler, "routes", [])]
            cls._routes = found
        return cls._routes

    def find(self, path, operation):
        """(handler, names, known fields, existence check, open). 404 and 405 as the framework gives them."""
        found = None
        for pattern, operations, fields, exists, open_, name in self.all_routes():
            match = pattern.fullmatch(path)
            if match and operation in operations:
                return getattr(self, name), match.groupdict(), fields, exists and getattr(self, exists), open_
            found = found or match
        raise Broken("unsupported operation", 405) if found else Broken("unsupported path", 404)


def engine(type_, products=PRODUCTS):
    def mark(cls):
        cls.type, cls.products = type_, products
        ENGINES[type_] = cls
        return cls
    return mark


def login_method(type_, products=PRODUCTS):
    def mark(cls):
        cls.type, cls.products = type_, products
        LOGINS[type_] = cls
        return cls
    return mark


class Namespace:
    def __init__(self, core, path, parent=None):
        from system import System, TokenStore
        self.core, self.path, self.parent = core, path, parent
        self.children = {}
        self.policies = {"default": Policy(DEFAULT_POLICY)}
        self.mounts = {}
        for place, kind in (("sys/", System), ("auth/token/", TokenStore)):
            self.mounts[place] = kind(core, self, place)

    def mount_at(self, path):
        return max((place for place in self.mounts if path.startswith(place) or path + "/" == place), key=len, default=None)

    def relative_to(self, other):
        """The path of this namespace as seen from `other`; None when it does not lie in it."""
        return self.path[len(other.path):] if self.path.startswith(other.path) else None


@dataclasses.dataclass
class Limits:
    body: int = 32 << 20
    strings: int = 0  # OpenBao: keys and string values of one body
    elements: int = 0  # Vault: entries of one array
    string: int = 0  # Vault: bytes of one string

    @classmethod
    def of(cls, product):
        return cls(strings=1000) if product == "openbao" else cls(elements=10000, string=1 << 20)


class Core:
    def __init__(self, product="openbao", root_token="root", old=False):
        assert product in PRODUCTS
        self.product = product
        self.old = old  # a Vault before 1.14: key changes answer 204
        self.version = "2.0.0-HEAD" if product == "openbao" else "1.13.0" if old else "1.21.1" + ("+ent" if "-" in product else "")
        self.limits = Limits() if old else Limits.of(product)
        self.chance = Chance()
        self.lock = threading.RLock()
        self.sealed = False
        self.audit_full = False
        self.tokens, self.wrapped, self.quotas = {}, {}, {}
        self.root = Namespace(self, "")
        self.cluster = base62(8).lower()
        self.add_token(["root"], id=root_token, path="auth/token/root", display_name="root", orphan=True)

    # Mounts

    def mount(self, namespace, path, type_, table, missing):
        path = path.strip("/") + "/"
        kind = table.get(type_)
        if kind is None or self.product not in kind.products:
            raise Refusal(missing + type_)
        with self.lock:
            if path in namespace.mounts:
                raise Refusal(f"path is already in use at {path}")
            namespace.mounts[path] = kind(self, namespace, path)
        return namespace.mounts[path]

    def engine_at(self, path, namespace=""):
        """The engine mounted at `path`, for tests that look inside."""
        return self.namespace_at(namespace).mounts[path.strip("/") + "/"]

    def namespace_at(self, path):
        at = self.root
        for part in filter(None, path.split("/")):
            at = at.children[part]
        return at

    # Tokens

    def token_text(self, kind="s"):
        if self.product == "openbao":
            return f"{kind}." + base62(24)
        return f"hv{kind}." + base62(90)

    def add_token(self, policies, namespace=None, ttl=0, id=None, **more):
        now = self.chance.now_ns()
        if policies != ["root"] and "default" not in policies:
            policies = ["default", *policies]
        token = Token(id or self.chance.next("token", self.token_text), self.chance.next("accessor", lambda: base62(24)),
                      sorted(set(policies)), namespace or self.root, ttl, now, now, now + ttl * 10**9 if ttl else 0, **more)
        with self.lock:
            self.tokens[token.id] = token
        return token

    def live_token(self, text):
        with self.lock:
            token = self.tokens.get(text)
            if token and (token.spent or (token.expires_ns and token.expires_ns <= self.chance.now_ns())):
                self.revoke(token)
                token = None
        return token

    def revoke(self, token):
        with self.lock:
            self.tokens.pop(token.id, None)
            for child in [one for one in self.tokens.values() if one.parent is token]:
                self.revoke(child)

    def auth_of(self, token, identity=True):
        return Struct(client_token=token.id, accessor=token.accessor, policies=token.policies,
                      token_policies=token.policies, metadata=token.metadata, lease_duration=token.ttl,
                      renewable=token.renewable, entity_id="", token_type=token.type, orphan=token.orphan,
                      mfa_requirement=None, num_uses=token.uses)

    # Policies

    def capabilities(self, token, namespace, path):
        """What `token` may do with `path` of `namespace`: a set, perhaps empty."""
        inside = namespace.relative_to(token.namespace)
        if inside is None:
            return set()
        if "root" in token.policies:
            return {"root"}
        rules = collections.defaultdict(set)
        for name in token.policies:
            policy = token.namespace.policies.get(name)
            for rule, words in policy.rules if policy else ():
                if any(Policy.matches(rule, inside + one) for one in {path, path.rstrip("/")}):
                    rules[rule] |= words
        if not rules:
            return set()
        best = max(rules, key=lambda rule: ("+" not in rule and not rule.endswith("*"), len(rule.split("+")[0].rstrip("*")), rule))
        return set() if "deny" in rules[best] else rules[best]

    def check(self, request, capability):
        may = self.capabilities(request.token, request.namespace, request.path)
        if not may & {"root", capability}:
            raise Denied()

    # One request

    def answer(self, request):
        """Request → (status, headers, body)."""
        try:
            answer = self.run(request)
        except Refusal as refusal:
            answer = Answer(refusal.status, raw=Struct(errors=refusal.errors))
            if refusal.status == 413:
                answer.headers = {"Cache-Control": None}
        return self.encode(request, answer)

    def encode(self, request, answer):
        headers = {"Cache-Control": "no-store", "Content-Type": "application/json", **answer.headers}
        headers = {name: value for name, value in headers.items() if value is not None}
        if request.namespace and request.namespace.path and self.product == "openbao":
            headers["X-Vault-Namespace"] = request.namespace.path
        raw = answer.raw
        if raw is None:
            if answer.status == 204:
                return 204, headers, b""
            raw = self.envelope(request, answer)
        body = raw if isinstance(raw, bytes) else go_json(raw) + (b"\n" if answer.line_end else b"")
        return answer.status, headers, body

    def envelope(self, request, answer):
        warnings = (answer.warnings or []) + request.warnings
        whole = Struct(request_id=self.chance.request_id(), lease_id="", renewable=False, lease_duration=0,
                       data=answer.data, wrap_info=None, warnings=warnings or None, auth=answer.auth)
        if self.product != "openbao" and request.mount:
            whole["mount_type"] = request.mount.type
        ttl = seconds(request.headers.get("x-vault-wrap-ttl"))
        if ttl and request.path not in ("sys/wrapping/unwrap", "sys/wrapping/lookup"):
            return self.wrap(request, whole, ttl)
        return whole

    def wrap(self, request, whole, ttl):
        text, created = self.chance.next("token", self.token_text), self.chance.now_ns()
        with self.lock:
            self.wrapped[text] = (whole, created, ttl, request.path)
        info = Struct(token=text, accessor=self.chance.next("accessor", lambda: base62(24)), ttl=ttl,
                      creation_time=rfc3339(created), creation_path=request.path)
        if whole["auth"]:
            info["wrapped_accessor"] = whole["auth"]["accessor"]
        return Struct(whole, request_id="", data=None, wrap_info=info, warnings=None, auth=None)

    def run(self, request):
        public = request.path in ("sys/health", "sys/seal-status", "sys/unseal", "sys/leader", "sys/init")
        if self.sealed and not public:
            raise Refusal("Vault is sealed", 503)
        self.parse(request)
        self.resolve(request)
        self.throttle(request)
        place = request.namespace.mount_at(request.path)
        inner = request.path[len(place):] if place else ""
        request.mount = request.namespace.mounts.get(place)
        if request.mount and self.is_open(request.mount, inner, request.operation):
            return self.call(request, inner)
        if self.audit_full:
            raise Broken("internal error")
        request.token = self.identify(request)
        if not request.mount:
            self.check(request, "read" if request.operation == "GET" else "update")
            raise Refusal(f'no handler for route "{request.path}". route entry not found.', 404)
        return self.call(request, inner)

    def parse(self, request):
        if len(request.raw) > self.limits.body:
            raise Refusal("http: request body too large", 413)
        if not request.raw.strip() or request.operation in ("GET", "LIST"):
            return
        vault = self.product != "openbao"
        try:
            request.body = json.loads(request.raw)
        except json.JSONDecodeError as problem:
            cut = problem.pos >= len(problem.doc.rstrip()) or problem.msg.startswith("Unterminated string")
            shown = problem.doc[problem.pos:problem.pos + 1]
            text = "unexpected EOF" if cut else f"invalid character '{shown}' looking for beginning of value"
            raise Refusal("error parsing JSON" if vault else f"failed to decode JSON input: {text}") from None
        except ValueError:
            raise Refusal("error parsing JSON") from None
        if not isinstance(request.body, dict):
            raise Refusal("error parsing JSON" if vault else "failed to decode JSON input: json: cannot unmarshal "
                          f"{'array' if isinstance(request.body, list) else 'value'} into Go value of type "
                          "map[string]interface {}")
        if self.limits.strings and len(re.findall(rb'"(?:[^"\\]|\\.)*"', request.raw)) > self.limits.strings:
            raise Refusal("refused JSON input due to high complexity: exceeded maximum number of strings")
        for value in request.body.values() if self.limits.elements else ():
            if isinstance(value, list) and len(value) > self.limits.elements:
                raise Refusal("JSON array exceeds allowed element count", 500)
        if self.limits.string and any(len(text) > self.limits.string + 2 for text in re.findall(rb'"(?:[^"\\]|\\.)*"', request.raw)):
            raise Refusal("JSON string exceeds allowed length", 500)

    def resolve(self, request):
        namespace = self.root
        try:
            for part in filter(None, request.headers.get("x-vault-namespace", "").split("/")):
                namespace = namespace.children[part]
        except KeyError:
            raise Refusal("namespace not found", 404) from None
        parts = request.path.split("/")
        while len(parts) > 1 and parts[0] in namespace.children:
            namespace = namespace.children[parts.pop(0)]
        request.namespace, request.path = namespace, "/".join(parts)

    def throttle(self, request):
        now = time.monotonic()
        with self.lock:
            for quota in self.quotas.values():
                if not (request.namespace.path + request.path).startswith(quota["path"]):
                    continue
                if now - quota["began"] >= quota["interval"]:
                    quota["began"], quota["left"] = now, quota["rate"]
                if quota["left"] < 1:
                    raise Refusal(f'request path "{request.path}": rate limit quota exceeded', 429)
                quota["left"] -= 1

    def is_open(self, mount, inner, operation):
        try:
            return mount.find(inner, operation)[4]
        except Refusal:
            return False

    def identify(self, request):
        text = request.headers.get("x-vault-token", "")
        if not text and request.headers.get("authorization", "").startswith("Bearer "):
            text = request.headers["authorization"][7:]
        if text in self.wrapped and request.path in ("sys/wrapping/unwrap", "sys/wrapping/lookup"):
            return Token(text, "", ["default"], self.root)
        token = self.live_token(text)
        if token is None:
            raise Denied(bare=True)
        with self.lock:
            if token.uses:
                token.uses -= 1
                token.spent = token.uses == 0
        return token

    def call(self, request, inner):
        operation = request.operation
        try:
            handler, found, fields, exists, open_ = request.mount.find(inner, operation)
        except Refusal:
            if request.token:
                self.check(request, {"GET": "read", "LIST": "list", "DELETE": "delete"}.get(operation, "update"))
            raise
        if not open_:
            capability = {"GET": "read", "LIST": "list", "DELETE": "delete"}.get(operation, "update")
            if operation == "POST" and exists and not exists(**found):
                capability = "create"
            self.check(request, capability)
        if fields is not None and request.body:
            unknown = sorted(set(request.body) - fields)
            if unknown:
                request.warnings.append(f"Endpoint ignored these unrecognized parameters: [{' '.join(unknown)}]")
        result = handler(request, **found)
        if result is None:
            return Answer(200 if request.warnings else 204)
        return result if isinstance(result, Answer) else Answer(data=result)
