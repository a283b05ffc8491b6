"""Event Hubs' HTTPS interface for sending, strictly: signatures, the form of events, lengths. Says what it was sent.

    .events      [(hub, event)] in the order in which they were taken; an event has .body (bytes), .key and .properties
    .fail(…)     how the next requests are answered instead
    .bearers     tokens that are taken in the stead of a signature
"""
import base64
import hashlib
import hmac
import http.server
import json
import re
import ssl
import threading
import time
import typing
import urllib.parse

from kafka_node import make_authority, make_certificate

JSON_EVENTS = "application/vnd.microsoft.servicebus.json"
OWN_HEADERS = {"host", "user-agent", "accept", "accept-encoding", "content-length", "content-type", "authorization",
               "brokerproperties", "expect", "connection"}
LONGEST = 1 << 20
ENCODED = re.compile(r"(?:[A-Za-z0-9_.~-]|%[0-9A-F]{2})+")


class Event(typing.NamedTuple):
    body: bytes
    key: str | None
    properties: dict


class Refused(Exception):
    """(status, detail)"""


def check_signature(header, host, hub, keys, now):
    """SharedAccessSignature sr=…&sig=…&se=…&skn=…, each part once, and what they say."""
    kind, _, text = header.partition(" ")
    parts = [part.partition("=") for part in text.split("&")]
    fields = {name: value for name, _, value in parts}
    if kind != "SharedAccessSignature" or sorted(name for name, _, _ in parts) != ["se", "sig", "skn", "sr"]:
        raise Refused(401, "MalformedToken: The credentials are malformed.")
    if not all(ENCODED.fullmatch(value) for value in fields.values()):
        raise Refused(401, "MalformedToken: It is not encoded.")
    key = keys.get(urllib.parse.unquote(fields["skn"]))
    if key is None:
        raise Refused(401, "InvalidSignature: There is no such policy.")
    want = base64.b64encode(hmac.new(key.encode(), f"{fields['sr']}\n{fields['se']}".encode(), hashlib.sha256).digest())
    if not hmac.compare_digest(urllib.parse.unquote(fields["sig"]).encode(), want):
        raise Refused(401, "InvalidSignature: The token has an invalid signature.")
    if not now < int(fields["se"]) <= now + 24 * 3600:
        raise Refused(401, "ExpiredToken: The token is expired.")
    if urllib.parse.unquote(fields["sr"]).rstrip("/") not in (f"https://{host}", f"https://{host}/{hub}"):
        raise Refused(401, "InvalidAudience: The authorization header contains a token for another resource.")


def broker_properties(value):
    if set(value) - {"PartitionKey"} or not all(isinstance(text, str) and 0 < len(text) <= 128 for text in value.values()):
        raise Refused(400, "BadRequest: BrokerProperties.")
    return value.get("PartitionKey")


def several(body):
    """The events of a JSON text."""

    def once(pairs):
        if len({name for name, _ in pairs}) != len(pairs):
            raise Refused(400, "BadRequest: A name stands there twice.")
        return dict(pairs)

    try:
        events = json.loads(body.decode(), object_pairs_hook=once)
    except ValueError as error:
        raise Refused(400, "BadRequest: It is not JSON.") from error
    if not isinstance(events, list) or not events:
        raise Refused(400, "BadRequest: It is not a list of events.")
    out = []
    for event in events:
        properties = event.get("UserProperties", {})
        if set(event) - {"Body", "BrokerProperties", "UserProperties"} or not isinstance(event.get("Body"), str) \
                or not all(isinstance(value, str) for value in properties.values()):
            raise Refused(400, "BadRequest: An event is malformed.")
        out.append(Event(event["Body"].encode(), broker_properties(event.get("BrokerProperties", {})), properties))
    if len({event.key for event in out}) != 1:
        raise Refused(400, "BadRequest: The events of a request have several partition keys.")
    return out


def one(headers, body):
    properties = {}
    for name, value in headers.items():
        if name.lower() not in OWN_HEADERS:
            properties[name] = json.loads(value)
    return [Event(body, broker_properties(json.loads(headers.get("BrokerProperties", "{}"))), properties)]


class EventHubsHttps:
    def __init__(self, folder, hubs, host, key_name, key):
        folder.mkdir(parents=True, exist_ok=True)
        make_authority(folder)
        make_certificate(folder, "server", "localhost")
        self.ca, self.hubs, self.host, self.keys, self.bearers = folder / "ca.pem", hubs, host, {key_name: key}, []
        self.lock, self.events, self.failures, self.requests, self.signatures = threading.Lock(), [], [], 0, set()
        handler = type("Handler", (Handler,), {"hubs": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.crt", folder / "server.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def fail(self, status, times=1, after=False):
        """`status` None: the connection ends; `after`: once it has taken the events."""
        self.failures += [(status, after)] * times

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def take(self, path, headers, body):
        """Returns how the answer is to fail, if it is; raises Refused."""
        url = urllib.parse.urlsplit(path)
        hub = url.path.removeprefix("/").removesuffix("/messages")
        query = urllib.parse.parse_qs(url.query, strict_parsing=True)
        kind, _, token = headers.get("Authorization", "").partition(" ")
        if kind == "Bearer" and token not in self.bearers:
            raise Refused(401, "InvalidToken: The token is invalid.")
        if kind != "Bearer":
            check_signature(headers.get("Authorization", ""), self.host, hub, self.keys, time.time())
        if set(query) != {"timeout", "api-version"} or not url.path.endswith("/messages"):
            raise Refused(400, "BadRequest: The address is malformed.")
        if hub not in self.hubs:
            raise Refused(404, f"MessagingEntityNotFound: {hub}.")
        if len(body) > LONGEST:
            raise Refused(413, "MessageSizeExceeded: The request is too large.")
        with self.lock:
            self.requests += 1
            self.signatures.add(headers["Authorization"])
            failure, after = self.failures.pop(0) if self.failures else (201, False)
            if failure == 201 or after:
                events = several(body) if headers.get("Content-Type") == JSON_EVENTS else one(headers, body)
                self.events += [(hub, event) for event in events]
        return failure


class Handler(http.server.BaseHTTPRequestHandler):
    hubs = None
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            status, detail = self.hubs.take(self.path, self.headers, body), "ServerBusy: Injected."
        except Refused as refused:
            status, detail = refused.args
        if status is None:
            self.close_connection = True
            return
        text = b"" if status == 201 else f"<Error><Code>{status}</Code><Detail>{detail}</Detail></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass
