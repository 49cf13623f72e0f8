"""The sockets: a thread a connection on the standard library's HTTP server.

Faults below HTTP (half a reply, a reset, a byte a second, a paced socket) need the connection itself, which a web
framework keeps for itself; blocking threads keep `sendfile` and pacing simple, and fast enough (README.md has the
figures).
"""

from __future__ import annotations

import contextlib
import email.utils
import fcntl
import http.client
import http.server
import os
import select
import socket
import ssl
import struct
import sys
import termios
import time
import urllib.parse
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from .blobs import FileBlob
from .damage import damaged, replaced
from .faults import Facts, Faults, Strikes
from .journal import Entry, Journal
from .replies import Reply, Request

# Linux asm-generic/socket.h; Python 3.11 has no name for it. The kernel then spaces the packets itself.
SO_MAX_PACING_RATE = 47
UNPACED = 0xFFFFFFFF
BLOCK_BYTES = 1 << 20
MAX_BODY_BYTES = 8 << 20
# How long a client may take to fetch what was sent before its connection is closed on purpose.
HANG_UP_PATIENCE_SECONDS = 30
App = Callable[[Request], Reply]


class _GoneError(Exception):
    """The connection ends here, on purpose or because the client left."""


class Origin(http.server.ThreadingHTTPServer):
    """One port, one application, its faults and its journal."""

    daemon_threads = True
    request_queue_size = 256
    # Two hubs on one port would be a silent mix-up; the address may still be taken over from a hub that has ended.
    allow_reuse_port = False

    def __init__(
        self, name: str, port: int, app: App, faults: Faults, journal: Journal, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.name, self.app, self.faults, self.journal, self.tls = name, app, faults, journal, tls

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent when a client leaves; anything else is a bug of the hub and is shown."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, ssl.SSLError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Origin
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        if self.server.tls is not None:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()
        self.number = self.server.journal.connected(self.server.name, self._has_left)
        self.paced = False

    def finish(self) -> None:
        self.server.journal.disconnected(self.server.name, self.number)
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, *args: object) -> None:
        """Write nothing: the journal has it."""

    def _serve(self) -> None:
        target = urllib.parse.urlsplit(self.path)
        request = Request(
            origin=self.server.name,
            method=self.command,
            target=self.path,
            path=target.path,
            query=urllib.parse.parse_qs(target.query, keep_blank_values=True),
            headers=self.headers,
            body=self.rfile.read(min(int(self.headers.get("Content-Length") or 0), MAX_BODY_BYTES)),
        )
        if request.path.startswith("/__hub__/"):
            self._send(self.server.app(request), Strikes(), None)
            return
        entry = self.server.journal.begin(
            origin=self.server.name,
            connection=self.number,
            method=self.command,
            target=self.path,
            headers=list(self.headers.items()),
            range=self.headers.get("Range"),
            body=request.body[:10_000].decode("utf-8", "replace"),
        )
        strikes = Strikes()
        try:
            reply = self.server.app(request)
            facts = Facts(
                origin=request.origin,
                method=request.method,
                path=request.path,
                file=reply.file,
                carries_file=reply.carries_file,
                range_start=reply.start,
            )
            strikes = self.server.faults.strike(facts)
            entry.file, entry.faults = reply.file, list(strikes.by_kind)
            self._send(reply, strikes, entry)
        except (_GoneError, ConnectionError, ssl.SSLError, TimeoutError):
            self.close_connection = True
        finally:
            self.server.faults.release(strikes)
            self.server.journal.end(entry)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = _serve  # noqa: N815

    def _send(self, reply: Reply, strikes: Strikes, entry: Entry | None) -> None:
        if (delay := strikes.get("delay")) is not None:
            self._wait(delay["seconds"])
        if (silent := strikes.get("no_reply")) is not None:
            self._hang_up(reset=silent["reset"])
        reply = replaced(reply, self.path, strikes) or damaged(reply, strikes)
        if entry is not None:
            entry.status, entry.carries_file = reply.status, reply.carries_file
        self._pace(strikes)
        declared: int | None = reply.length
        if (short := strikes.get("short_body")) is not None:
            reply.length = max(0, reply.length - short["missing_bytes"])
            declared = reply.length if short["declared"] == "short" else declared
        packed = strikes.get("gzip") if reply.length else None
        if packed is not None:
            reply.set("Content-Encoding", "gzip")
            reply.drop("Accept-Ranges")
        if packed is not None or strikes.get("no_length") is not None:
            declared = None
        head = self._head(reply, declared, strikes)
        if self.command == "HEAD" or reply.status in (204, 304):
            self._push(head)
        elif declared is None:
            self._push(head)
            self._send_chunked(reply, packed, entry)
        else:
            self._send_body(head, reply, strikes, entry)
            if reply.length != declared:
                self._hang_up(reset=False)

    def _head(self, reply: Reply, declared: int | None, strikes: Strikes) -> bytes:
        if (changes := strikes.get("headers")) is not None:
            for name in changes["remove"]:
                reply.drop(name)
            for name, value in changes["set"].items():
                reply.set(name, str(value))
        if (huge := strikes.get("huge_header")) is not None:
            reply.set("X-Huge", "x" * huge["bytes"])
        if reply.status not in (204, 304):
            framing = ("Transfer-Encoding", "chunked") if declared is None else ("Content-Length", str(declared))
            reply.headers.append(framing)
        reply.set("Date", email.utils.formatdate(usegmt=True))
        if self.close_connection:
            reply.set("Connection", "close")
        reason = http.client.responses.get(reply.status, "")
        lines = [f"HTTP/1.1 {reply.status} {reason}", *(f"{name}: {value}" for name, value in reply.headers)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")

    def _send_body(self, head: bytes, reply: Reply, strikes: Strikes, entry: Entry | None) -> None:
        drop, stall, loris = strikes.get("drop"), strikes.get("stall"), strikes.get("slow_loris")
        stops = sorted({fault["after_bytes"] for fault in (drop, stall, loris) if fault} | {reply.length})
        rate = strikes.get("rate")
        bucket = rate["bytes_per_second"] if rate is not None and not self.paced else None
        if reply.length <= 1 << 16 and stops == [reply.length] and bucket is None:
            # One segment for small replies.
            self._count(entry, reply.length)
            self._push(head + b"".join(bytes(chunk) for chunk in reply.blob.chunks(reply.start, reply.length)))
            return
        self._push(head)
        sent = 0
        for stop in stops:
            if stop > reply.length:
                break
            self._send_run(reply, sent, stop, entry, bucket)
            sent = stop
            if stall is not None and stall["after_bytes"] == sent:
                self._wait(stall["seconds"])
            if drop is not None and drop["after_bytes"] == sent and sent < reply.length:
                self._hang_up(reset=drop["reset"])
            if loris is not None and loris["after_bytes"] == sent:
                self._dribble(reply, sent, loris, entry)
                return

    def _send_run(self, reply: Reply, sent: int, stop: int, entry: Entry | None, bucket: int | None) -> None:
        """Send bytes `sent` to `stop` of a reply's body, at most `bucket` bytes a second."""
        begun, block = time.monotonic(), BLOCK_BYTES if bucket is None else max(1, min(BLOCK_BYTES, bucket // 50))
        done = 0
        if isinstance(reply.blob, FileBlob) and self.server.tls is None:
            descriptor = os.open(reply.blob.path, os.O_RDONLY)
            try:
                while sent + done < stop:
                    wanted = min(block, stop - sent - done)
                    self._count(entry, wanted)
                    count = os.sendfile(self.connection.fileno(), descriptor, reply.start + sent + done, wanted)
                    self._count(entry, count - wanted)
                    if not count:
                        raise _GoneError
                    done += count
                    self._keep_rate(begun, done, bucket)
            finally:
                os.close(descriptor)
            return
        for chunk in reply.blob.chunks(reply.start + sent, stop - sent):
            view = memoryview(chunk)
            for at in range(0, len(view), block):
                piece = view[at : at + block]
                self._count(entry, len(piece))
                self._push(piece)
                done += len(piece)
                self._keep_rate(begun, done, bucket)

    @staticmethod
    def _keep_rate(begun: float, done: int, bucket: int | None) -> None:
        if bucket is not None and (ahead := begun + done / bucket - time.monotonic()) > 0:
            time.sleep(ahead)

    def _dribble(self, reply: Reply, sent: int, loris: dict[str, Any], entry: Entry | None) -> None:
        for chunk in reply.blob.chunks(reply.start + sent, reply.length - sent):
            view = memoryview(chunk)
            for at in range(0, len(view), loris["chunk_bytes"]):
                piece = view[at : at + loris["chunk_bytes"]]
                self._count(entry, len(piece))
                self._push(piece)
                self._wait(loris["interval_seconds"])

    def _send_chunked(self, reply: Reply, packed: dict[str, Any] | None, entry: Entry | None) -> None:
        for piece in _packed(reply, packed):
            self._count(entry, len(piece))
            self._push(b"%x\r\n%b\r\n" % (len(piece), piece))
        self._push(b"0\r\n\r\n")

    def _push(self, data: bytes | memoryview) -> None:
        self.connection.sendall(data)

    def _count(self, entry: Entry | None, count: int) -> None:
        """Count body bytes before they go out, so that a client that has them all never reads an older count."""
        if entry is not None:
            self.server.journal.sent(entry, count)

    def _pace(self, strikes: Strikes) -> None:
        rate = strikes.get("rate")
        if rate is None and not self.paced:
            return
        with contextlib.suppress(OSError):
            limit = min(rate["bytes_per_second"], UNPACED - 1) if rate is not None else UNPACED
            # As bytes: the value is unsigned, and Python would refuse to make a C int of it.
            self.connection.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, struct.pack("I", limit))
            self.paced = rate is not None

    def _wait(self, seconds: float | None) -> None:
        """Do nothing for a while (None: for good), but notice when the client leaves."""
        if self._has_left(seconds):
            raise _GoneError

    def _has_left(self, within_seconds: float | None = 0.0) -> bool:
        """Tell whether the client has closed the connection, as the kernel knows it."""
        if self.connection.fileno() < 0:
            return True
        poller = select.poll()
        poller.register(self.connection, select.POLLRDHUP)
        return bool(poller.poll(None if within_seconds is None else within_seconds * 1000))

    def _hang_up(self, *, reset: bool) -> None:
        """Close the connection here, by FIN or by RST, after the client has what was sent so far."""
        deadline = time.monotonic() + HANG_UP_PATIENCE_SECONDS
        while time.monotonic() < deadline:
            unsent = fcntl.ioctl(self.connection.fileno(), termios.TIOCOUTQ, b"\0" * 4)
            if not struct.unpack("i", unsent)[0]:
                break
            time.sleep(0.005)
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # shutdown_request() of the server would send a FIN first.
            os.close(self.connection.detach())
        raise _GoneError


def _packed(reply: Reply, packed: dict[str, Any] | None) -> Iterator[bytes]:
    chunks = reply.blob.chunks(reply.start, reply.length)
    if packed is None:
        yield from (bytes(chunk) for chunk in chunks if len(chunk))
        return
    packer = zlib.compressobj(packed["level"], wbits=31)
    for chunk in chunks:
        if piece := packer.compress(chunk):
            yield piece
    yield packer.flush()
