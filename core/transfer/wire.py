"""One HTTP/1.1 connection on a bare non-blocking socket: the fast way from the network to the disk.

The loop only says when bytes are there; they are read into one buffer that all connections share, and given to a sink
that writes them at their place before the next read. No stream object, no copy, no task switch a chunk. TLS reads
straight from the socket, without asyncio's memory BIOs. Loopback, 2 GiB: bench/download.py compares.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

from ..errors import ServerError, StalledError, StowError, TruncatedBodyError
from .dial import once_ready, reason
from .head import MAX_HEAD_BYTES, Head, parse_head

#: Larger reads gain nothing; the buffer should stay in the processor's cache.
BUFFER_BYTES = 512 << 10

#: Takes the next bytes of a body; returns for how many seconds reading pauses (bandwidth limit), mostly 0.
Sink = Callable[[memoryview], float]

_WANTS = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Connection:
    """A connection to one checked address. One exchange at a time: `ask`, then `body` or `drop`."""

    __slots__ = (
        "_begun",
        "_buffer",
        "_future",
        "_left",
        "_loop",
        "_most",
        "_pause",
        "_reading",
        "_rest",
        "_sink",
        "_sock",
        "_tls",
        "address",
        "key",
        "reused",
    )

    def __init__(self, sock: socket.socket, key: tuple[str, str, int], address: str, buffer: memoryview) -> None:
        self._sock = sock
        self._tls = isinstance(sock, ssl.SSLSocket)
        self._loop = asyncio.get_running_loop()
        self._buffer = buffer
        self._future: asyncio.Future[None] | None = None
        self._sink: Sink | None = None
        self._left = 0
        self._most = len(buffer)
        self._rest = b""
        self._begun = False
        self._reading = False
        self._pause: asyncio.TimerHandle | None = None
        self.key = key
        self.address = address
        self.reused = False

    @property
    def closed(self) -> bool:
        """True when nothing more can be asked here."""
        return self._sock.fileno() < 0

    def fresh(self) -> bool:
        """Tell whether a connection that lay idle is still open: nothing to read, not even its end."""
        if self.closed:
            return False
        try:
            self._sock.recv(1)
        except _WANTS:
            return True
        except OSError:
            pass
        self.close()
        return False

    async def ask(self, request: bytes, timeout_seconds: float) -> Head:
        """Send a request and read the head of its answer; interim answers (1xx) are skipped.

        Raises: StalledError: no head in time; ServerError: no HTTP, or closed without an answer.
        """
        self._begun = False
        raw = bytearray()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._send(request)
                while True:
                    end = raw.find(b"\r\n\r\n")
                    if end < 0:
                        if len(raw) > MAX_HEAD_BYTES:
                            raise ServerError("the server sent an endless header", hint="it is tried again")
                        raw += await self._receive_some()
                        continue
                    head = parse_head(bytes(raw[:end]))
                    del raw[: end + 4]
                    if head.status >= 200:
                        break
        except TimeoutError as err:
            self.close()
            raise StalledError("the server did not answer in time", hint="it is tried again") from err
        except OSError as err:
            self.close()
            raise ServerError(f"the connection broke: {reason(err)}", hint="it is tried again") from err
        except StowError:
            self.close()
            raise
        self._rest = bytes(raw)
        return head

    @property
    def answered(self) -> bool:
        """True once a byte of the present answer has come: a kept connection that dies before was simply too old."""
        return self._begun

    async def body(self, length: int, sink: Sink, chunk_bytes: int | None = None) -> None:
        """Give a body of `length` bytes to the sink, at most `chunk_bytes` at once; any error closes the connection.

        Raises: TruncatedBodyError: it ended early; ServerError; what the sink raises, unchanged.
        """
        rest, self._rest = self._rest, b""
        self._sink, self._left = sink, length
        self._most = min(len(self._buffer), chunk_bytes or len(self._buffer))
        future = self._future = self._loop.create_future()
        try:
            if len(rest) > length:
                self._end(ServerError("the server sent more than it told", hint="it is tried again"))
            elif rest:
                self._feed(memoryview(rest))
            elif length == 0:
                self._end(None)
            if not future.done() and self._pause is None:
                self._resume()
            await future
        except BaseException:
            self.close()
            raise
        finally:
            self._quiet()
            self._sink = self._future = None

    async def drain(self, length: int | None, limit_bytes: int) -> bytes:
        """Return a small body (an error's text); one that is longer is cut, and costs the connection."""
        if length is None or length > limit_bytes:
            data = self._rest
            self.close()
            return data[:limit_bytes]
        parts = bytearray()

        def collect(view: memoryview) -> float:
            parts.extend(view)
            return 0.0

        await self.body(length, collect)
        return bytes(parts)

    def fail(self, error: BaseException) -> None:
        """End the running exchange with an error, from outside (a watchdog)."""
        future = self._future
        self.close()
        if future is not None and not future.done():
            future.set_exception(error)

    def close(self) -> None:
        """Close the socket; a second time does nothing."""
        if not self.closed:
            self._quiet()
            self._sock.close()

    def _quiet(self) -> None:
        """Neither read nor wake up for reading any more."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        self._stop_reading()

    def _stop_reading(self) -> None:
        if self._reading and not self.closed:
            self._loop.remove_reader(self._sock.fileno())
        self._reading = False

    def _on_readable(self) -> None:
        if self._future is None or self._future.done() or self._pause is not None:
            return
        want = min(self._most, self._left)
        got, ended = 0, False
        try:
            if not self._tls:
                got = self._sock.recv_into(self._buffer[:want])
                ended = got == 0
            else:
                got, ended = self._read_records(want)
        except _WANTS:
            return
        except ssl.SSLEOFError:
            # An end without close_notify may be an attacker's cut (RFC 8446 §6.1).
            self._end(TruncatedBodyError("the TLS connection was cut", hint="it is tried again"))
            return
        except OSError as err:
            self._end(TruncatedBodyError(f"the connection broke: {reason(err)}", hint="it is tried again"))
            return
        if got:
            self._feed(self._buffer[:got])
        if ended:
            self._end(TruncatedBodyError("the body ended early", hint="it is tried again"))

    def _read_records(self, want: int) -> tuple[int, bool]:
        """Read TLS records (16 KiB each) until none is there or the buffer is full."""
        got = 0
        while got < want:
            try:
                count = self._sock.recv_into(self._buffer[got:want])
            except _WANTS:
                break
            except (ssl.SSLError, OSError):
                if got:
                    break  # give what came; the error comes again with the next read
                raise
            if count == 0:
                return got, True
            got += count
        else:
            self._loop.call_soon(self._on_readable)
        return got, False

    def _feed(self, view: memoryview) -> None:
        if self._sink is None:
            return
        try:
            pause = self._sink(view)
        except BaseException as err:  # noqa: BLE001 - carried to the task that awaits the body
            self._end(err)
            return
        self._left -= len(view)
        if self._left == 0:
            self._end(None)
        elif pause > 0 and not self.closed:
            self._stop_reading()
            self._pause = self._loop.call_later(pause, self._resume)

    def _resume(self) -> None:
        self._pause = None
        if self._future is None or self._future.done() or self.closed:
            return
        self._reading = True
        self._loop.add_reader(self._sock.fileno(), self._on_readable)
        if self._tls:
            self._loop.call_soon(self._on_readable)  # OpenSSL may hold bytes that no selector sees

    def _end(self, error: BaseException | None) -> None:
        self._quiet()
        if self._future is not None and not self._future.done():
            if error is None:
                self._future.set_result(None)
            else:
                self._future.set_exception(error)

    async def _receive_some(self) -> bytes:
        while True:
            try:
                data = self._sock.recv(16 << 10)
            except _WANTS:
                await self._ready(self._loop.add_reader, self._loop.remove_reader)
                continue
            if not data:
                raise ServerError("the server closed the connection without an answer", hint="it is tried again")
            self._begun = True
            return data

    async def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._sock.send(view) :]
            except _WANTS:
                await self._ready(self._loop.add_writer, self._loop.remove_writer)

    async def _ready(self, add: Callable[..., object], remove: Callable[[int], object]) -> None:
        await once_ready(self._loop, self._sock, add, remove)
