"""What a Vault server asks when somebody logs in: a cluster's API, an LDAP directory, AWS STS. Just enough of each, strictly."""
import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import re
import socketserver
import threading
import time
import urllib.parse

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ACCOUNT, SECRET_KEY, KEY_ID = "123456789012", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "AKIDEXAMPLE"
SERVER_ID = "vault.example.com"


@contextlib.contextmanager
def serving(handler, kind=socketserver.ThreadingTCPServer, **state):
    """host:port of a server; `state` becomes attributes of it."""
    kind.allow_reuse_address = kind.daemon_threads = True
    with kind(("127.0.0.1", 0), handler) as server:
        vars(server).update(state)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


# --- tokens of a cluster or an identity provider ----------------------------------------------------------------------------

class Signer:
    """Makes JSON web tokens (ES256)."""

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.public = self.key.public_key().public_bytes(serialization.Encoding.PEM,
                                                         serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    def sign(self, **claims):
        def part(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=")

        claims = {"iat": int(time.time()) - 5, "exp": int(time.time()) + 600} | claims
        head = part(b'{"alg":"ES256","typ":"JWT"}') + b"." + part(json.dumps(claims).encode())
        r, s = decode_dss_signature(self.key.sign(head, ec.ECDSA(hashes.SHA256())))
        return (head + b"." + part(r.to_bytes(32, "big") + s.to_bytes(32, "big"))).decode()


class _Http(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _TokenReview(_Http):
    """A cluster that knows one token; the server has .token and .account (namespace, name, uid)."""

    def do_POST(self):
        review = json.loads(self.body())
        namespace, name, uid = self.server.account
        good = review["spec"]["token"] == self.server.token and self.path == "/apis/authentication.k8s.io/v1/tokenreviews"
        status = {"authenticated": good}
        if good:
            status["user"] = {"username": f"system:serviceaccount:{namespace}:{name}", "uid": uid,
                              "groups": ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"]}
        self.answer(201, "application/json", json.dumps(
            {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "status": status}).encode())


def cluster(token, account):
    return serving(_TokenReview, http.server.ThreadingHTTPServer, token=token, account=account)


# --- LDAP -------------------------------------------------------------------------------------------------------------------

def _element(data, at):
    """(tag, content, next) of a BER element."""
    tag, length, at = data[at], data[at + 1], at + 2
    if length & 0x80:
        octets = length & 0x7F
        length, at = int.from_bytes(data[at:at + octets], "big"), at + octets
    return tag, data[at:at + length], at + length


class _Directory(socketserver.StreamRequestHandler):
    """Takes simple binds (RFC 4511, 4.2); the server has .passwords: {dn: password}."""

    def handle(self):
        while head := self.rfile.read(2):
            length = head[1]
            if length & 0x80:
                length = int.from_bytes(self.rfile.read(length & 0x7F), "big")
            message = self.rfile.read(length)
            _, number, at = _element(message, 0)
            tag, request, _ = _element(message, at)
            if tag != 0x60:  # all but a bind ends it
                return
            _, _, at = _element(request, 0)
            _, name, at = _element(request, at)
            _, password, _ = _element(request, at)
            good = password and self.server.passwords.get(name.decode()) == password.decode()
            result = bytes([0x61, 7, 0x0A, 1, 0 if good else 49, 4, 0, 4, 0])  # success, invalidCredentials
            answer = bytes([2, len(number)]) + number + result
            self.wfile.write(bytes([0x30, len(answer)]) + answer)


def directory(passwords):
    return serving(_Directory, passwords=passwords)


# --- AWS --------------------------------------------------------------------------------------------------------------------

def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature(method, path, headers, body, authorization):
    """What a request's Signature Version 4 must be, by the parts that its own header names."""
    found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?SignedHeaders=([^,]+), ?"
                         r"Signature=([0-9a-f]{64})", authorization)
    key_id, day, region, service, signed, _ = found.groups()
    assert key_id == KEY_ID and service == "sts"
    url = urllib.parse.urlsplit(path)
    lines = [method, url.path or "/", url.query]
    lines += [f"{name}:{' '.join(headers[name].split())}" for name in signed.split(";")]
    canonical = "\n".join([*lines, "", signed, hashlib.sha256(body).hexdigest()])
    scope = f"{day}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{headers['X-Amz-Date']}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{SECRET_KEY}".encode()
    for part in (day, region, service, "aws4_request"):
        key = _hmac(key, part)
    return _hmac(key, text).hex()


class _Sts(_Http):
    """GetCallerIdentity for whoever signs with SECRET_KEY; the server has .role. The host that was signed is not this one."""

    def do_POST(self):
        body = self.body()
        authorization = self.headers["Authorization"]
        if not authorization.endswith("Signature=" + signature("POST", self.path, self.headers, body, authorization)):
            return self.answer(403, "text/xml", b"<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>")
        assert urllib.parse.parse_qs(body.decode())["Action"] == ["GetCallerIdentity"]
        return self.answer(200, "text/xml", f"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Arn>arn:aws:sts::{ACCOUNT}:assumed-role/{self.server.role}/session</Arn>
<UserId>AROAEXAMPLE:session</UserId><Account>{ACCOUNT}</Account></GetCallerIdentityResult>
<ResponseMetadata><RequestId>0</RequestId></ResponseMetadata></GetCallerIdentityResponse>""".encode())


def sts(role):
    return serving(_Sts, http.server.ThreadingHTTPServer, role=role)
