"""Ports of 127.0.0.1 for the servers of tests."""
import fcntl
import os
import pathlib
import random
import socket
import tempfile

_OURS = set()
_LOCKS = pathlib.Path(tempfile.gettempdir()) / f"sealstream-test-ports-{os.getuid()}"
_held = None  # closing it would give all of them back


def _first_of_others():
    """From this one on the kernel gives ports to outgoing connections."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        return int(file.read().split()[0])


def _is_locked_now(port):
    """One byte of the file stands for each port; its lock ends with this process."""
    global _held
    _held = _held or open(_LOCKS, "a")
    try:
        fcntl.lockf(_held, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(n):
    """Free ports that are this process's until it ends, also while its server is down: no outgoing connection and no test of another
    process is given one of them."""
    found = []
    while len(found) < n:
        port = random.randrange(10_000, _first_of_others())
        if port not in _OURS and _is_locked_now(port) and _is_free(port):
            _OURS.add(port)
            found.append(port)
    return found
