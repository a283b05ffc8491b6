"""HTTP/1.1 for the double: plain, TLS or a Unix socket; one thread a connection; keep-alive.

An answer of more than 2,048 bytes goes out in chunks, as Go's server does it, a smaller one with its length. Before it is sent the
control may change, delay, cut or drop it: see control.py.
"""
import http.server
import pathlib
import socket
import socketserver
import ssl
import subprocess
import threading
import time
import urllib.parse

from core import Request


def make_certificates(folder, names=("localhost",), addresses=("127.0.0.1",)):
    """A CA, a server's and a client's certificate (CN sealstream, DNS client.test) by the openssl program; the folder."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
            "/CN=sealstream test CA", "-addext", "basicConstraints=critical,CA:TRUE", "-addext",
            "keyUsage=critical,keyCertSign", "-keyout", "ca.key", "-out", "ca.pem")
    places = ",".join([f"DNS:{name}" for name in names] + [f"IP:{address}" for address in addresses])
    for name, subject, extensions in (("server", "localhost", f"subjectAltName={places}\nextendedKeyUsage=serverAuth\n"),
                                      ("client", "sealstream", "subjectAltName=DNS:client.test\nextendedKeyUsage=clientAuth\n")):
        (folder / f"{name}.ext").write_text(extensions)
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={subject}",
                "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
                "-out", f"{name}.pem", "-extfile", f"{name}.ext")
    return folder


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


class Listener:
    """One address of the double. `away()` closes it and all its connections, `back()` opens the same one again."""

    def __init__(self, core, control, port=0, tls=None, client_certificates=False, unix=None, host="127.0.0.1"):
        self.core, self.control, self.host, self.port, self.unix = core, control, host, port, unix
        self.standby_to = None  # where a standby sends its clients
        self.agent_token = None  # an Agent's: requests without a token get it
        self.require_request_header = False
        self.context = self.tls_context(tls, client_certificates) if tls else None
        self.connections = set()
        self.server = None
        self.held = None  # keeps the port while it is away: another test's double, of another CA, would be taken for it
        self.back()

    @staticmethod
    def tls_context(folder, client_certificates):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pathlib.Path(folder) / "server.pem", pathlib.Path(folder) / "server.key")
        if client_certificates:  # asked for, and looked at by auth/cert alone
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(pathlib.Path(folder) / "ca.pem")
        return context

    @property
    def address(self):
        if self.unix:
            return f"unix://{self.unix}"
        return f"{'https' if self.context else 'http'}://{self.host}:{self.port}"

    def back(self):
        if self.server:
            return
        handler = type("Handler", (Handler,), {"listener": self})
        if self.unix:
            pathlib.Path(self.unix).unlink(missing_ok=True)
            self.server = UnixServer(str(self.unix), handler)
        else:
            self.server = Server((self.host, self.port), handler)
            self.port = self.server.server_address[1]
        if self.held:
            self.held.close()
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def away(self):
        server, self.server = self.server, None
        if server:
            server.shutdown()
            server.server_close()
            if not self.unix:
                self.held = socket.socket()
                self.held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of it are still about
                self.held.bind((self.host, self.port))
        self.hang_up()

    def end(self):
        """For good."""
        self.away()
        if self.held:
            self.held.close()

    def hang_up(self):
        """Ends all connections, as a killed server does."""
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "double", ""
    wbufsize = 0
    listener = None

    def setup(self):
        if not self.listener.unix:
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.listener.connections.add(self.request)
        self.listener.control.connected()
        if self.listener.context:
            plain = self.request
            self.request = self.listener.context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
            self.listener.connections.discard(plain)
            self.listener.connections.add(self.request)
        super().setup()

    def handle(self):
        try:
            if self.listener.context:
                self.request.settimeout(20)
                self.request.do_handshake()
                self.request.settimeout(None)
            super().handle()
        except (OSError, ValueError):  # the other side left
            pass

    def finish(self):
        self.listener.connections.discard(self.request)
        try:
            super().finish()
        except OSError:
            pass
        try:  # TLS hands the socket over, so that the server cannot close it
            self.request.close()
        except OSError:
            pass

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                parts.append(self.rfile.read(size))
                self.rfile.readline()
                if not size:
                    return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def serve(self):
        if not self.listener.server:  # the connection was made as it went away
            raise OSError("away")
        url = urllib.parse.urlsplit(self.path)
        request = Request(self.command, urllib.parse.unquote(url.path).removeprefix("/v1/"),
                          urllib.parse.parse_qs(url.query, keep_blank_values=True),
                          {name.lower(): value for name, value in self.headers.items()}, self.body(), self.listener,
                          tls=self.listener.context is not None)
        if self.listener.context:
            request.peer_cert = self.request.getpeercert(binary_form=True)
        control = self.listener.control
        fault = control.begin(request)
        try:
            status, headers, body = control.answer(self.listener, request, fault, self.path)
            self.send(fault, status, headers, body)
        finally:
            control.end(request)

    do_GET = do_POST = do_PUT = do_DELETE = do_LIST = do_HEAD = do_PATCH = do_SCAN = serve

    def send(self, fault, status, headers, body):
        lines = [f"HTTP/1.1 {status} {self.responses.get(status, ('Status',))[0]}"]
        chunked = len(body) > 2048 if fault is None or fault.framing is None else fault.framing == "chunked"
        if chunked:
            headers = {**headers, "Transfer-Encoding": "chunked"}
        elif status != 204 and (fault is None or fault.framing != "close"):
            headers = {**headers, "Content-Length": str(len(body))}
        if fault is not None and fault.framing == "close":
            headers = {**headers, "Connection": "close"}
            self.close_connection = True
        lines += [f"{name}: {value}" for name, value in headers.items()] + [f"Date: {self.date_time_string()}"]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode()
        if self.command == "HEAD":
            body = b""
        elif chunked:
            body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in
                            (body[at:at + 4096] for at in range(0, len(body), 4096))) + b"0\r\n\r\n"
        self.write(fault, head, body)

    def write(self, fault, head, body):
        whole = head + body
        if fault is None:
            self.request.sendall(whole)
            return
        if fault.stall:
            self.pause(fault.stall)
        end = len(whole)
        if fault.cut is not None:
            end = fault.cut if fault.cut_from == "start" else min(len(head) + fault.cut, len(whole))
        if fault.stall_body and end > len(head):
            middle = len(head) + (end - len(head)) // 2
            self.request.sendall(whole[:middle])
            self.pause(fault.stall_body)
            self.request.sendall(whole[middle:end])
        elif fault.drip:
            for at in range(0, end, fault.drip):
                self.request.sendall(whole[at:min(at + fault.drip, end)])
                time.sleep(fault.drip_pause)
        else:
            self.request.sendall(whole[:end])
        if end < len(whole) or fault.cut is not None:
            self.close_connection = True
            self.request.shutdown(socket.SHUT_RDWR)

    def pause(self, seconds):
        """Waits, but ends when the double does or the fault is lifted."""
        self.listener.control.released.wait(seconds)
