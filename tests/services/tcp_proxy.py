"""Stands between a client and a server, and cuts connections at random bytes when it is told to."""
import contextlib
import random
import socket
import socketserver
import struct
import threading

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: the next close() is a reset, and what was not sent is lost


class TcpProxy(socketserver.ThreadingTCPServer):
    """Passes 127.0.0.1:PORT on to 127.0.0.1:UPSTREAM. `cuts`: how many connections it has cut."""

    allow_reuse_address = daemon_threads = True
    request_queue_size = 64

    def __init__(self, port, upstream):
        super().__init__(("127.0.0.1", port), _Connection)
        self.upstream, self.lock, self.cuts = upstream, threading.Lock(), 0
        self.mean, self.rng = None, None
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def cut(self, mean, seed):
        """From now on each connection, old or new, ends after a random number of bytes: `mean` on average, of both ways."""
        with self.lock:
            self.mean, self.rng = mean, random.Random(seed)

    def heal(self):
        with self.lock:
            self.mean = None

    def allowance(self, left):
        """How many bytes a connection may pass until it is cut, if it was `left`: None is any number."""
        with self.lock:
            if self.mean is None:
                return None
            return left if left is not None else int(self.rng.expovariate(1 / self.mean))

    def count_cut(self):
        """Whether that cut is to be a reset."""
        with self.lock:
            self.cuts += 1
            return self.cuts % 2 == 0

    def handle_error(self, request, client_address):
        pass  # one side has gone: the other one's connection goes, too

    def close(self):
        self.shutdown()
        self.server_close()


class _Connection(socketserver.BaseRequestHandler):
    def handle(self):
        with socket.create_connection(("127.0.0.1", self.server.upstream), timeout=10) as server:
            server.settimeout(None)
            self.left, self.both = None, (self.request, server)
            for end in self.both:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=self._pass, args=(server, self.request), daemon=True)
            back.start()
            self._pass(self.request, server)
            back.join()

    def _pass(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                self.left = self.server.allowance(self.left)
                if self.left is not None and len(data) > self.left:
                    target.sendall(data[:self.left])
                    self._cut()
                    break
                if self.left is not None:
                    self.left -= len(data)
                target.sendall(data)
        for end in self.both:  # the other way ends with this one
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _cut(self):
        if self.server.count_cut():
            for end in self.both:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
