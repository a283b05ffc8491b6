"""Stands between a client and an HTTP server: answers requests itself when it is told to, lends credentials, and can be gone for a while."""
import datetime
import http.client
import http.server
import json
import sys
import threading

from ports import free_ports


class Lender:
    """Credentials as a container's endpoint lends them. The proxy then takes these and no others, until they are told to end."""

    def __init__(self, make):
        self.make, self.lent, self.over, self.refused = make, [], set(), 0

    def lend(self):
        key, secret, token = self.make()
        self.lent.append(key)
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        return json.dumps({"AccessKeyId": key, "SecretAccessKey": secret, "Token": token,
                           "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ")}).encode()

    def end(self):
        """Before their time."""
        self.over = set(self.lent)

    def refusal(self, headers):
        if not any(f"Credential={key}/" in headers["Authorization"] for key in self.over):
            return None
        self.refused += 1
        if "X-Amz-Target" in headers:
            return 400, "application/x-amz-json-1.1", b'{"__type":"ExpiredTokenException","message":"The token is expired"}'
        return 403, "text/xml", b"<ErrorResponse><Error><Code>ExpiredToken</Code><Message>The token is expired</Message></Error></ErrorResponse>"


class Proxy:
    """`address`, on 127.0.0.1. Requests go on with the Host that they came with: signatures stay good."""

    def __init__(self, upstream_port):
        self.upstream, self.lock, self.answers, self.answered, self.lender = upstream_port, threading.Lock(), [], 0, None
        self.port = free_ports(1)[0]  # nobody else's, also while it is closed
        self.open()

    def open(self):
        handler = type("Handler", (Handler,), {"proxy": self})
        self.server = Server(("127.0.0.1", self.port), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        """From now on nobody answers there; kept connections end with their next request."""
        self.server.shutdown()
        self.server.server_close()

    def turn_away(self, names, status, kind, body, times):
        """The next requests that name one of these in their target or body get this answer."""
        self.take_over(names, lambda headers, body_, ask: (status, kind, body), times)

    def take_over(self, names, answer, times):
        """… are answered by answer(headers, body, ask), where ask(headers, body) is the server's answer; None: by the server, as if not asked."""
        with self.lock:
            self.answers += [(names, answer)] * times

    def answer_for(self, headers, body, ask):
        text = headers.get("X-Amz-Target", "") + body[:200].decode("latin-1")
        with self.lock:
            for each in self.answers:
                if any(name in text for name in each[0]):
                    break
            else:
                return None
            self.answers.remove(each)
        answer = each[1](headers, body, ask)
        with self.lock:
            if answer is None:
                self.answers.append(each)
            else:
                self.answered += 1
        return answer


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Clients that are killed go without a word."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(http.server.BaseHTTPRequestHandler):
    proxy = None
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.proxy.server.socket.fileno() < 0:  # closed meanwhile
            self.close_connection = True
            return
        refusal = self.proxy.lender and self.proxy.lender.refusal(self.headers)
        self._answer(*(refusal or self.proxy.answer_for(self.headers, body, self._ask) or self._ask(self.headers, body)))

    def do_GET(self):
        """Of credentials."""
        self._answer(200, "application/json", self.proxy.lender.lend())

    def _answer(self, status, kind, answer):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _ask(self, headers, body):
        upstream = http.client.HTTPConnection("127.0.0.1", self.proxy.upstream, timeout=60)
        try:
            upstream.request("POST", self.path, body, {name: value for name, value in headers.items()
                                                       if name.lower() not in ("connection", "content-length", "expect")})
            answer = upstream.getresponse()
            return answer.status, answer.getheader("Content-Type", "text/plain"), answer.read()
        finally:
            upstream.close()

    def log_message(self, *arguments):
        pass
