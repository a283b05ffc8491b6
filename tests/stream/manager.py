"""A service manager, as far as sd_notify knows it."""
import socket
import threading

from broker import wait_until

END = b"\0"  # no datagram of sd_notify's


class Manager:
    """The other end of NOTIFY_SOCKET. It reads at once: the kernel keeps ten datagrams, and the program waits for nobody."""

    def __init__(self, address, watchdog_ms=None):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.address = address
        self.told = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.environment = {"NOTIFY_SOCKET": address.replace("\0", "@")}
        if watchdog_ms:
            self.environment["WATCHDOG_USEC"] = str(watchdog_ms * 1000)

    def read(self):
        while (datagram := self.socket.recv(4096)) != END:
            self.told.append(datagram.decode())

    def wait_for(self, line, times=1):
        wait_until(lambda: sum(line in datagram.split("\n") for datagram in list(self.told)) >= times)

    def starts(self):
        """The first lines of all that a program has told that has ended."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(END, self.address)
        self.reader.join(timeout=120)
        return [datagram.split("\n")[0] for datagram in self.told]

    def start(self, program, *arguments):
        """Only this one has a manager, not the programs that look after it."""
        before = program.env
        program.env = before | self.environment
        try:
            return program.start(*arguments)
        finally:
            program.env = before
