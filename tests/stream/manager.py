"""A service manager, as far as sd_notify knows it."""
import select
import socket

from broker import wait_until


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address, watchdog_ms=None):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.told = []
        self.environment = {"NOTIFY_SOCKET": address.replace("\0", "@")}
        if watchdog_ms:
            self.environment["WATCHDOG_USEC"] = str(watchdog_ms * 1000)

    def take(self):
        while select.select([self.socket], [], [], 0)[0]:
            self.told.append(self.socket.recv(4096).decode())
        return self.told

    def wait_for(self, line, times=1):
        wait_until(lambda: sum(line in datagram.split("\n") for datagram in self.take()) >= times)

    def starts(self):
        return [datagram.split("\n")[0] for datagram in self.take()]

    def start(self, program, *arguments):
        """Only this one has a manager, not the programs that look after it."""
        before = program.env
        program.env = before | self.environment
        try:
            return program.start(*arguments)
        finally:
            program.env = before
