"""Stands between a client and a Vault server, over TLS, and cuts the answers to batches: at each byte in turn.

The n-th batch that is asked for is answered up to byte n and the connection dropped; its next try goes through whole. What is cut
is a valid answer, in one of three framings: with a length, in chunks, or ended by the connection's end.
"""
import contextlib
import http.client
import http.server
import socket
import socketserver
import ssl
import struct
import threading
import urllib.parse

FRAMINGS = ("length", "chunks", "end")


def frame(framing, status, body):
    """The bytes of an answer."""
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n".encode()
    if framing == "length":
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    if framing == "chunks":
        parts = [body[at:at + 50] for at in range(0, len(body), 50)]
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"
    return head + b"Connection: close\r\n\r\n" + body


class CuttingProxy(socketserver.ThreadingTCPServer):
    """At https://127.0.0.1:PORT with the server's own certificate. `cuts`: how many were made; `done` when each byte was."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, node, path, framing, reset):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urllib.parse.urlsplit(node.address).netloc
        self.trust = ssl.create_default_context(cafile=node.ca)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(node.folder / "server.crt", node.folder / "server.key")
        self.path, self.framing, self.reset = f"/v1/{path}", framing, reset
        self.lock, self.cuts, self.done, self.seen = threading.Lock(), 0, False, set()
        self.address = f"https://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def cut(self, path, request, answer):
        """How many bytes of the answer to pass on: None is all. A request that comes again has been cut before."""
        with self.lock:
            if path != self.path or self.done or request in self.seen:
                return None
            self.seen.add(request)
            if self.cuts >= len(answer):
                self.done = True
                return None
            self.cuts += 1
            return self.cuts - 1

    def handle_error(self, request, client_address):
        pass  # clients that drop a connection

    def __exit__(self, *exception):
        self.shutdown()
        super().__exit__(*exception)


class _Handler(socketserver.StreamRequestHandler):
    def setup(self):
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        self.request.settimeout(60)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()

    def finish(self):
        super().finish()
        if not self.server.reset:
            with contextlib.suppress(OSError):  # TLS's own end as well, so that a cut looks like a whole answer's end
                self.request.unwrap()
        self.request.close()

    def handle(self):
        upstream = http.client.HTTPSConnection(self.server.upstream, context=self.server.trust)
        try:
            while self._exchange(upstream):
                pass
        finally:
            upstream.close()

    def _exchange(self, upstream):
        """Passes one request on; False when the connection is over."""
        line = self.rfile.readline()
        if not line:
            return False
        method, path, _ = line.decode().split()
        headers = http.client.parse_headers(self.rfile)
        if headers.get("Expect"):
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self.rfile.read(int(headers.get("Content-Length", 0)))
        upstream.request(method, path, body, {k: v for k, v in headers.items() if k.lower() not in ("expect", "connection")})
        answer = upstream.getresponse()
        content = answer.read()
        framed = frame(self.server.framing, answer.status, content)
        keep = self.server.cut(path, body, framed)
        if keep is None:
            self.wfile.write(frame("length", answer.status, content))
            return True
        self.wfile.write(framed[:keep])
        if self.server.reset:  # the next close() is a reset
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
