"""A client on a raw socket: everything that comes over the wire, and how it ends."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import urllib.parse
from dataclasses import dataclass

#: What the file behind a fault holds.
SIZE = 200_000
CONTENT = hashlib.shake_256(b"faults").digest(SIZE)


@dataclass
class Seen:
    """Everything that came over the wire until the end of the reply or of the connection."""

    status: int | None
    headers: dict[str, str]
    body: bytes
    end: str  # "whole", "closed", "reset", "timeout"


class Wire:
    """A client that knows no more HTTP than it needs to look at it."""

    def __init__(self, url: str) -> None:
        self._url = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((self._url.hostname, self._url.port), timeout=10)

    def ask(self, *headers: str, method: str = "GET") -> None:
        """Send a request."""
        target = f"{self._url.path}?{self._url.query}" if self._url.query else self._url.path
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._url.netloc}", *headers, "", ""]
        self.socket.sendall("\r\n".join(lines).encode())

    def read(self) -> Seen:
        """Read its answer to whatever end."""
        data, end, head_end = b"", "whole", -1
        length: int | None = None
        while head_end < 0 or length is None or len(data) < head_end + 4 + length:
            try:
                piece = self.socket.recv(1 << 16)
            except ConnectionResetError:
                end = "reset"
                break
            except TimeoutError:
                end = "timeout"
                break
            if not piece:
                end = "closed"
                break
            data += piece
            head_end = data.find(b"\r\n\r\n")
            if head_end >= 0 and length is None:
                told = parse(data[:head_end])[1].get("content-length")
                length = int(told) if told else None
            if head_end >= 0 and data.endswith(b"0\r\n\r\n") and length is None:
                break
        if head_end < 0:
            return Seen(None, {}, data, end)
        status, headers = parse(data[:head_end])
        return Seen(status, headers, data[head_end + 4 :], end)


def parse(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}


def get(url: str, *headers: str, method: str = "GET") -> Seen:
    wire = Wire(url)
    with contextlib.closing(wire.socket):
        wire.ask(*headers, method=method)
        return wire.read()


def unchunked(body: bytes) -> bytes:
    content = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        content += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return content
