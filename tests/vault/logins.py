"""The ways of logging in: approle, userpass, ldap, cert, jwt (and oidc's mount for JWTs), kubernetes, aws.

What a real server asks of others (a directory, a cluster, STS) is static here: users with a password in `ldap`, signing
keys in `jwt` and `kubernetes`, access keys in `aws` (control.aws_key), whose SigV4 signatures are checked in full.
"""
import base64
import binascii
import fnmatch
import hashlib
import hmac
import json
import re
import urllib.parse

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from core import Answer, Broken, Denied, Engine, NotThere, Refusal, login_method, names, route, seconds, uuid

TOKEN_FIELDS = ("token_policies policies token_ttl ttl token_max_ttl max_ttl token_num_uses token_period token_type "
                "token_no_default_policy token_bound_cidrs ")


class Login(Engine):
    """Roles by name, and tokens made after them."""

    def __init__(self, *where):
        super().__init__(*where)
        self.roles = {}

    def grant(self, role, display, metadata):
        core = self.core
        kind = {"default": "service", "default-service": "service"}.get(role.get("token_type") or "service",
                                                                         role.get("token_type") or "service")
        period = seconds(role.get("token_period"))
        ttl = period or seconds(role.get("token_ttl", role.get("ttl"))) or 32 * 86400
        limit = seconds(role.get("token_max_ttl", role.get("max_ttl")))
        ttl = min(ttl, limit) if limit else ttl
        token = core.add_token(
            names(role.get("token_policies", role.get("policies"))), self.namespace, ttl, renewable=kind != "batch",
            id=core.token_text("b") if kind == "batch" else None, uses=int(role.get("token_num_uses") or 0),
            path=self.path + "login", display_name=display, metadata=metadata, orphan=True, type=kind, max_ttl=limit,
            period=period)
        return Answer(auth=core.auth_of(token))

    @route("POST", "config")
    def write_config(self, request):
        self.config |= request.body

    @route("GET", "config")
    def read_config(self, request):
        return dict(self.config)

    def write(self, request, name):
        self.roles[name] = {**self.roles.get(name, {}), **request.body}

    def read(self, name):
        if name not in self.roles:
            raise NotThere()
        return {field: value for field, value in self.roles[name].items() if field != "password"}


@login_method("approle")
class AppRole(Login):
    def __init__(self, *where):
        super().__init__(*where)
        self.secrets = {}  # secret id -> what it may

    @route("POST", "role/{name}")
    def write_role(self, request, name):
        self.write(request, name)
        self.roles[name].setdefault("role_id", uuid())

    @route("GET", "role/{name}")
    def read_role(self, request, name):
        return self.read(name)

    @route("GET", "role/{name}/role-id")
    def role_id(self, request, name):
        return {"role_id": self.read(name)["role_id"]}

    @route("POST", "role/{name}/role-id", "role_id")
    def set_role_id(self, request, name):
        self.roles[name]["role_id"] = request.text("role_id")

    @route("POST", "role/{name}/secret-id", "metadata cidr_list token_bound_cidrs ttl num_uses")
    @route("POST", "role/{name}/custom-secret-id", "metadata cidr_list token_bound_cidrs ttl num_uses secret_id")
    def secret_id(self, request, name):
        role = self.read(name)
        ttl = seconds(request.body.get("ttl", role.get("secret_id_ttl")))
        uses = int(request.body.get("num_uses", role.get("secret_id_num_uses")) or 0)
        text, accessor = request.body.get("secret_id") or uuid(), uuid()
        self.secrets[text] = {"role": name, "uses": uses, "accessor": accessor,
                              "ends": self.core.chance.now() + ttl if ttl else 0}
        return {"secret_id": text, "secret_id_accessor": accessor, "secret_id_ttl": ttl, "secret_id_num_uses": uses}

    @route("POST", "role/{name}/secret-id/destroy", "secret_id")
    def destroy(self, request, name):
        self.secrets.pop(request.text("secret_id"), None)

    @route("POST", "login", "role_id secret_id", open_=True)
    def login(self, request):
        if not request.text("role_id"):
            raise Refusal("missing role_id")
        name = next((name for name, role in self.roles.items() if role["role_id"] == request.text("role_id")), None)
        if name is None:
            raise Refusal("invalid role or secret ID")
        role = self.roles[name]
        if request.body.get("secret_id") or role.get("bind_secret_id", True):
            self.use(request.text("secret_id"), name)
        return self.grant(role, "approle", {"role_name": name})

    def use(self, text, name):
        if not text:
            raise Refusal("missing secret_id")
        with self.lock:
            secret = self.secrets.get(text)
            if not secret or secret["role"] != name or (secret["ends"] and secret["ends"] <= self.core.chance.now()):
                raise Refusal("invalid secret id", 500) if self.core.old else Refusal("invalid role or secret ID")
            if secret["uses"]:
                secret["uses"] -= 1
                if not secret["uses"]:
                    del self.secrets[text]


@login_method("userpass")
class Userpass(Login):
    @route("POST", "users/{name}")
    def write_user(self, request, name):
        self.write(request, name.lower())

    @route("GET", "users/{name}")
    def read_user(self, request, name):
        return self.read(name.lower())

    @route("POST", "users/{name}/password", "password")
    def password(self, request, name):
        self.roles[name.lower()]["password"] = request.text("password")

    @route("POST", "login/{name}", "password", open_=True)
    def login(self, request, name):
        user = self.roles.get(name.lower())
        if not request.text("password"):
            raise Broken("missing password")
        if not user or not hmac.compare_digest(str(user.get("password")).encode(), request.text("password").encode()):
            raise Refusal("invalid username or password", 500 if self.core.old and user else 400)
        return self.grant(user, f"userpass-{name.lower()}", {"username": name.lower()})


@login_method("ldap")
class Ldap(Userpass):
    """`users/NAME` takes a password here: it stands for the directory."""

    @route("POST", "login/{name}", "password", open_=True)
    def login(self, request, name):
        if not self.config:
            raise Refusal("auth method not configured")
        if not request.text("password"):
            raise Refusal("password cannot be of zero length when passwordless binds are being denied")
        user = self.roles.get(name.lower())
        if not user or user.get("password") != request.text("password"):
            raise Refusal("ldap operation failed: failed to bind as user", 500 if self.core.old and user else 400)
        return self.grant(user, f"ldap-{name.lower()}", {"username": name.lower()})


@login_method("cert")
class Cert(Login):
    @route("POST", "certs/{name}")
    def write_cert(self, request, name):
        try:
            x509.load_pem_x509_certificate(request.text("certificate").encode())
        except ValueError:
            raise Refusal("failed to parse certificate") from None
        self.write(request, name)

    @route("GET", "certs/{name}")
    def read_cert(self, request, name):
        return self.read(name)

    @route("POST", "login", "name", open_=True)
    def login(self, request):
        if not request.tls:
            raise Broken("tls connection not found")
        if not request.peer_cert:
            raise Broken("no client certificate found")
        peer = x509.load_der_x509_certificate(request.peer_cert)
        wanted = request.text("name")
        for name, role in self.roles.items():
            if wanted in ("", name) and self.fits(peer, role):
                subject = self.common_name(peer)
                return self.grant(role, f"cert-{subject}", {"cert_name": name, "common_name": subject,
                                                            "serial_number": str(peer.serial_number)})
        raise Refusal("invalid certificate or no client certificate supplied")

    @staticmethod
    def common_name(peer):
        found = peer.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return found[0].value if found else ""

    def fits(self, peer, role):
        issuer = x509.load_pem_x509_certificate(role["certificate"].encode())
        if issuer.public_bytes(serialization.Encoding.DER) != peer.public_bytes(serialization.Encoding.DER):
            try:
                issuer.public_key().verify(peer.signature, peer.tbs_certificate_bytes, ec.ECDSA(peer.signature_hash_algorithm))
            except (InvalidSignature, TypeError):
                return False
        allowed = names(role.get("allowed_common_names"))
        return not allowed or any(fnmatch.fnmatchcase(self.common_name(peer), one) for one in allowed)


def unpadded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def jwt_claims(text, keys):
    """The claims of a JWT that one of the PEM `keys` has signed."""
    try:
        head, body, signature = text.split(".")
        algorithm, claims, signature = json.loads(unpadded(head))["alg"], json.loads(unpadded(body)), unpadded(signature)
    except (ValueError, KeyError, binascii.Error):
        raise ValueError("compact JWS format must have three parts") from None
    for pem in keys:
        key, signed = serialization.load_pem_public_key(pem.encode()), f"{head}.{body}".encode()
        try:
            if algorithm == "RS256" and isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
            elif algorithm == "ES256" and isinstance(key, ec.EllipticCurvePublicKey):
                half = len(signature) // 2
                key.verify(encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")),
                           signed, ec.ECDSA(hashes.SHA256()))
            elif algorithm == "EdDSA" and isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(signature, signed)
            else:
                continue
            return claims
        except InvalidSignature:
            continue
    raise ValueError("no known key successfully validated the token signature")


def make_jwt(private, claims):
    """For tests: a JWT that an EC P-256 key signs."""
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    def part(raw):
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    text = part(b'{"alg":"ES256","typ":"JWT"}') + "." + part(json.dumps(claims).encode())
    r, s = decode_dss_signature(private.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return text + "." + part(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


@login_method("jwt")
class Jwt(Login):
    @route("POST", "role/{name}")
    def write_role(self, request, name):
        self.write(request, name)

    @route("GET", "role/{name}")
    def read_role(self, request, name):
        return self.read(name)

    def checked(self, text, keys):
        try:
            claims = jwt_claims(text, names(keys) if isinstance(keys, str) else keys or [])
        except ValueError as fault:
            raise Refusal(f"error validating token: error verifying token signature: {fault}") from None
        if claims.get("exp", 1 << 60) <= self.core.chance.now():
            raise Refusal("error validating token: invalid expiration time (exp) claim: token is expired")
        return claims

    @route("POST", "login", "role jwt", open_=True)
    def login(self, request):
        name = request.text("role") or self.config.get("default_role", "")
        if not self.config:
            raise Refusal("could not load configuration")
        if not name:
            raise Refusal("missing role")
        role = self.roles.get(name)
        if role is None:
            raise Refusal(f'role "{name}" could not be found')
        if role.get("role_type", "oidc") == "oidc":
            raise Refusal("role with oidc role_type is not allowed")
        if not request.text("jwt"):
            raise Refusal("missing token")
        claims = self.checked(request.text("jwt"), self.config.get("jwt_validation_pubkeys"))
        bound, audiences = names(role.get("bound_audiences")), names(claims.get("aud"))
        if audiences and not bound:
            raise Refusal("audience claim found in JWT but no audiences bound to the role")
        if bound and not set(bound) & set(audiences):
            raise Refusal("error validating claims: aud claim does not match any bound audience")
        for claim, wanted in (role.get("bound_claims") or {}).items():
            if claims.get(claim) not in (wanted if isinstance(wanted, list) else [wanted]):
                raise Refusal(f'error validating claims: claim "{claim}" does not match any associated bound claim values')
        if role.get("bound_subject") and claims.get("sub") != role["bound_subject"]:
            raise Refusal("error validating token: invalid subject (sub) claim")
        user = claims.get(role.get("user_claim", "sub"))
        if user is None:
            raise Refusal(f'claim "{role.get("user_claim", "sub")}" not found in token')
        return self.grant(role, f"jwt-{user}", {"role": name})


@login_method("oidc")
class Oidc(Jwt):
    """The same engine under its other name; the browser's part is not played."""


@login_method("kubernetes")
class Kubernetes(Jwt):
    @route("POST", "login", "role jwt", open_=True)
    def login(self, request):
        name = request.text("role")
        for field in ("role", "jwt"):
            if not request.text(field):
                raise Refusal(f"missing {field}")
        role = self.roles.get(name)
        if role is None:
            raise Refusal(f'invalid role name "{name}"')
        if not self.config:
            raise Broken("could not load backend configuration")
        try:
            claims = jwt_claims(request.text("jwt"), self.config.get("pem_keys") or [])
        except ValueError:
            raise Denied(bare=True) from None  # what the TokenReview of a cluster answers
        if claims.get("exp", 1 << 60) <= self.core.chance.now():
            raise Denied(bare=True)
        _, _, space, account = (claims.get("sub", "") + ":::").split(":")[:4]
        for value, field, what in ((account, "bound_service_account_names", "service account name"),
                                   (space, "bound_service_account_namespaces", "namespace")):
            if not any(one in ("*", value) for one in names(role.get(field))):
                raise Denied(bare=True) if self.core.product == "openbao" else Broken(f"{what} not authorized", 403)
        return self.grant(role, f"kubernetes-{space}-{account}",
                          {"role": name, "service_account_name": account, "service_account_namespace": space})


@login_method("aws", products=("vault", "vault-enterprise"))
class Aws(Login):
    def __init__(self, *where):
        super().__init__(*where)
        self.access = {}  # access key id -> (secret, arn, session token)

    @route("POST", "config/client")
    def write_client(self, request):
        self.config |= request.body

    @route("POST", "role/{name}")
    def write_role(self, request, name):
        self.write(request, name)

    @route("POST", "login", "role iam_http_request_method iam_request_url iam_request_headers iam_request_body nonce pkcs7",
           open_=True)
    def login(self, request):
        for field in ("iam_http_request_method", "iam_request_url", "iam_request_body", "iam_request_headers"):
            if not request.text(field):
                raise Refusal(f"missing {field}")
        if request.text("iam_http_request_method") != "POST":
            raise Refusal("invalid iam_http_request_method; currently only 'POST' is supported")
        try:
            url = base64.b64decode(request.text("iam_request_url"), validate=True).decode()
            body = base64.b64decode(request.text("iam_request_body"), validate=True)
            raw = json.loads(base64.b64decode(request.text("iam_request_headers"), validate=True))
        except ValueError:
            raise Refusal("failed to base64 decode iam_request_url") from None
        headers = {name.lower(): value if isinstance(value, str) else ",".join(value) for name, value in raw.items()}
        form = dict(urllib.parse.parse_qsl(body.decode()))
        if form.get("Action") != "GetCallerIdentity":
            raise Refusal("iam_request_body must be a GetCallerIdentity request")
        self.check_server_id(headers)
        arn = self.caller(url, headers, body)
        name = request.text("role") or arn.split("/")[-1]
        role = self.roles.get(name)
        if role is None:
            raise Refusal(f"entry for role {name} not found")
        bound = names(role.get("bound_iam_principal_arn"))
        if bound and not any(fnmatch.fnmatchcase(arn, one) for one in bound):
            raise Refusal(f"IAM Principal {json.dumps(arn)} does not belong to the role {json.dumps(name)}")
        return self.grant(role, f"aws-{name}", {"canonical_arn": arn, "auth_type": "iam"})

    def check_server_id(self, headers):
        wanted = self.config.get("iam_server_id_header_value")
        if not wanted:
            return
        head = "error validating X-Vault-AWS-IAM-Server-ID header: "
        if "x-vault-aws-iam-server-id" not in headers:
            raise Refusal(head + 'missing header "X-Vault-AWS-IAM-Server-ID"')
        if headers["x-vault-aws-iam-server-id"] != wanted:
            raise Refusal(head + f'expected "{wanted}" but got "{headers["x-vault-aws-iam-server-id"]}"')
        if "x-vault-aws-iam-server-id" not in re.search(r"SignedHeaders=([^,]*)", headers.get("authorization", "SignedHeaders="))[1].split(";"):
            raise Refusal(head + "header wasn't signed")

    def caller(self, url, headers, body):
        """What STS does: checks the signature of version 4; the caller's ARN."""
        refused = Refusal("error making upstream request: received error code 403 from STS: SignatureDoesNotMatch")
        parsed = urllib.parse.urlsplit(url)
        found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?"
                             r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})", headers.get("authorization", ""))
        if not found or not re.fullmatch(r"sts(\.[a-z0-9-]+)?\.amazonaws\.com", parsed.hostname or ""):
            raise refused
        access, day, region, service, signed, signature = found.groups()
        if access not in self.access or service != "sts" or "host" not in signed.split(";"):
            raise refused
        secret, arn, session = self.access[access]
        if (session or "") != headers.get("x-amz-security-token", "") or not headers.get("x-amz-date", "").startswith(day):
            raise refused
        if parsed.hostname.startswith("sts.") and parsed.hostname != "sts.amazonaws.com" and parsed.hostname.split(".")[1] != region:
            raise refused
        lines = "".join(f"{name}:{' '.join(headers.get(name, parsed.netloc if name == 'host' else '').split())}\n" for name in signed.split(";"))
        canonical = f"POST\n{parsed.path or '/'}\n{parsed.query}\n{lines}\n{signed}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{day}/{region}/{service}/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = ("AWS4" + secret).encode()
        for part in (day, region, service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        if not hmac.compare_digest(hmac.new(key, text.encode(), "sha256").hexdigest(), signature):
            raise refused
        return arn
