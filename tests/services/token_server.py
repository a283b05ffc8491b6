"""A token server for tests: client credentials (RFC 6749, section 4.4), JWTs signed with RS256, over TLS on 127.0.0.1."""
import base64
import http.server
import json
import ssl
import threading
import time
import urllib.parse

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenServer:
    """`lifetime` of tokens in seconds; `away`: answers 503. `issued`, `turned_away`: how often it gave a token, and a 503."""

    def __init__(self, key, folder, clients):
        self.key, self.clients = key, clients
        self.lifetime, self.audience, self.away, self.issued, self.turned_away = 600, "kafka", False, 0, 0
        self.scopes, self.tokens = set(), []
        handler = type("Handler", (Handler,), {"tokens": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.crt", folder / "server.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_port}/realms/test/token"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def token(self, subject):
        now = int(time.time())
        parts = [{"alg": "RS256", "typ": "JWT", "kid": "test"},
                 {"iss": "test", "aud": self.audience, "sub": subject, "iat": now, "exp": now + self.lifetime}]
        text = ".".join(encode(json.dumps(part).encode()) for part in parts)
        self.issued += 1
        self.tokens.append(text + "." + encode(self.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())))
        return self.tokens[-1]


class Handler(http.server.BaseHTTPRequestHandler):
    tokens = None

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        kind, _, text = self.headers.get("Authorization", "").partition(" ")
        client, _, secret = base64.b64decode(text).decode().partition(":") if kind == "Basic" else (
            form.get("client_id", [""])[0], "", form.get("client_secret", [""])[0])
        if self.tokens.away:
            self.tokens.turned_away += 1
            self.answer(503, {})
        elif form.get("grant_type") != ["client_credentials"]:
            self.answer(400, {"error": "unsupported_grant_type"})
        elif not secret or self.tokens.clients.get(client) != secret:
            self.answer(401, {"error": "invalid_client", "error_description": "unknown: " + secret})
        else:
            self.tokens.scopes.update(form.get("scope", []))
            self.answer(200, {"access_token": self.tokens.token(client), "token_type": "Bearer",
                              "expires_in": self.tokens.lifetime})

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        pass
