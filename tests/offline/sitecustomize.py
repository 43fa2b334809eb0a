"Python imports this at its start where PYTHONPATH names this folder: sockets connect to this machine alone."
import ipaddress
import socket
from functools import wraps


def is_local(family, address):
    "Is `address` on this machine?"
    if family == getattr(socket, "AF_UNIX", None):
        return True
    try:
        return ipaddress.ip_address(str(address[0])).is_loopback
    except ValueError:
        return address[0] == "localhost"


def guarded(connect):
    "`connect`, to this machine alone."
    @wraps(connect)
    def connect_here(self, address):
        if not is_local(self.family, address):
            raise ConnectionRefusedError(f"lessons run offline, but this one asked for {address}")
        return connect(self, address)
    return connect_here


for name in ("connect", "connect_ex"):
    setattr(socket.socket, name, guarded(getattr(socket.socket, name)))
