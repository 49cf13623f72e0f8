"""A real SOCKS server (versions 4, 4a and 5 with or without a password) on loopback, for tests."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class SocksServer:
    """Connects everything it is asked for to 127.0.0.1 at the same port, and remembers what it was asked for."""

    user: tuple[str, str] | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    """How and what: (`name`, host) or (`address`, IP)."""
    port: int = 0
    _ends: list[socket.socket] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self._ends.append(client)
            threading.Thread(target=self._client, args=(client,), daemon=True).start()

    def close(self) -> None:
        """Cut everything."""
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _client(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError):
            port = self._version_5(client) if _take(client, 1) == b"\x05" else self._version_4(client)
            if port is None:
                client.close()
                return
            far = socket.create_connection(("127.0.0.1", port))
            self._ends.append(far)
            threading.Thread(target=_pump, args=(client, far), daemon=True).start()
            _pump(far, client)

    def _version_5(self, client: socket.socket) -> int | None:
        methods = _take(client, _take(client, 1)[0])
        wanted = 2 if self.user is not None else 0
        if wanted not in methods:
            client.sendall(b"\x05\xff")
            return None
        client.sendall(bytes((5, wanted)))
        if self.user is not None:
            _take(client, 1)
            name = _take(client, _take(client, 1)[0]).decode()
            password = _take(client, _take(client, 1)[0]).decode()
            client.sendall(b"\x01\x00" if (name, password) == self.user else b"\x01\x01")
            if (name, password) != self.user:
                return None
        kind = _take(client, 4)[3]
        if kind == 3:
            self.asked.append(("name", _take(client, _take(client, 1)[0]).decode()))
        else:
            family, size = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
            self.asked.append(("address", socket.inet_ntop(family, _take(client, size))))
        port = int(struct.unpack("!H", _take(client, 2))[0])
        client.sendall(b"\x05\x00\x00\x01" + bytes(6))
        return port

    def _version_4(self, client: socket.socket) -> int:
        _take(client, 1)
        port = int(struct.unpack("!H", _take(client, 2))[0])
        address = _take(client, 4)
        _until_zero(client)
        if address[:3] == bytes(3) and address[3]:
            self.asked.append(("name", _until_zero(client).decode()))
        else:
            self.asked.append(("address", socket.inet_ntop(socket.AF_INET, address)))
        client.sendall(b"\x00\x5a" + bytes(6))
        return port


def _take(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _until_zero(sock: socket.socket) -> bytes:
    data = b""
    while (byte := _take(sock, 1)) != b"\x00":
        data += byte
    return data


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def socks_server(user: tuple[str, str] | None = None) -> Iterator[SocksServer]:
    """Run a server for the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = SocksServer(user, port=listener.getsockname()[1])
        thread = threading.Thread(target=server.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join(5)
            server.close()
