"""One HTTP/1.1 connection on a bare non-blocking socket: the fast way from the network to the disk.

The loop only says when bytes are there; they are read into one buffer that all connections share, and given to a sink
that writes them at their place before the next read. No stream object, no copy, no task switch a chunk. A connection
of middling speed lets the kernel gather some milliseconds of bytes before it wakes us (`pace`).
bench/download.py compares.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import Callable

from ...errors import ServerError, StalledError, StowError, TruncatedBodyError
from .dial import reason
from .head import MAX_HEAD_BYTES, Head, parse_head
from .ready import readable, writable
from .secure import MOST_HELD_BYTES, SecureChannel

#: Larger reads gain nothing; the buffer should stay in the processor's cache.
BUFFER_BYTES = 512 << 10

# Paced at 20 MiB/s, bytes wake a reader 1,000 times a second and connection; gathering makes that 100.
_GATHER_SECONDS = 0.01
_MOST_GATHERED_BYTES = 128 << 10
_ROOM_PARTS = 8
#: Faster than this there is always something to read, and gathering would only hold the sender up.
_FAST_BYTES_PER_SECOND = 48 << 20

#: Takes the next bytes of a body; returns for how many seconds reading pauses (bandwidth limit), mostly 0.
Sink = Callable[[memoryview], float]

_GATHERS = sys.platform == "linux"
_WANTS = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Connection:
    """A connection to one checked address. One exchange at a time: `ask`, then `body` or `drop`."""

    __slots__ = (
        "_begun",
        "_buffer",
        "_channel",
        "_future",
        "_gathered",
        "_left",
        "_loop",
        "_most",
        "_pause",
        "_reading",
        "_rest",
        "_sink",
        "_sock",
        "_wakes_at",
        "address",
        "key",
        "reused",
    )

    def __init__(
        self,
        sock: socket.socket,
        channel: SecureChannel | None,
        key: tuple[str, str, int],
        address: str,
        buffer: memoryview,
    ) -> None:
        self._sock = sock
        self._channel = channel
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
        self._gathered = self._wakes_at = 1
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
            self._receive(self._buffer[:1])  # session tickets of TLS are swallowed by the way
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
        self._wake_at_most(length)
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
        try:
            got = self._receive(self._buffer[:want])
        except _WANTS:
            return
        except ssl.SSLEOFError:
            self._end(TruncatedBodyError("the TLS connection was cut", hint="it is tried again"))
            return
        except OSError as err:
            self._end(TruncatedBodyError(f"the connection broke: {reason(err)}", hint="it is tried again"))
            return
        if got:
            if got == want and self._channel is not None:
                self._loop.call_soon(self._on_readable)  # it may hold bytes that no selector sees
            self._feed(self._buffer[:got])
        else:
            self._end(TruncatedBodyError("the body ended early", hint="it is tried again"))

    def _receive(self, view: memoryview) -> int:
        """Read what is there; 0 at the end. Raises: the errors of `_WANTS`: nothing yet; OSError."""
        return self._sock.recv_into(view) if self._channel is None else self._channel.read_into(view)

    def pace(self, rate_bytes_per_second: float) -> None:
        """Say how fast the bytes come (0: unknown, or none came for a while), so that each wake-up brings enough.

        What has come in the meantime is read at once when less is gathered than before.
        """
        wanted = 1
        if 0 < rate_bytes_per_second < _FAST_BYTES_PER_SECOND and _GATHERS and not self.closed:
            # What waits here counts against the sender's window: it must stay a small part of it.
            room = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // _ROOM_PARTS
            wanted = max(1, min(_MOST_GATHERED_BYTES, room, int(rate_bytes_per_second * _GATHER_SECONDS)))
        if wanted == 1 or not self._gathered * 2 // 3 <= wanted <= self._gathered * 3 // 2:
            less, self._gathered = wanted < self._gathered, wanted
            if self._reading and self._sink is not None:
                self._wake_at_most(self._left)
                if less:
                    self._loop.call_soon(self._on_readable)

    def _wake_at_most(self, left: int) -> None:
        """Let the kernel wake us at `_gathered` bytes, or at the last ones of this body.

        A full window or an end of the connection wakes us at any rate (Linux, `tcp_data_ready`). OpenSSL may hold the
        beginning of the last record.
        """
        if self._channel is not None:
            left -= MOST_HELD_BYTES
        wanted = max(1, min(self._gathered, left))
        if wanted != self._wakes_at:
            self._wakes_at = wanted
            with contextlib.suppress(OSError):
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wanted)

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
            return
        if self._wakes_at > 1:
            self._wake_at_most(self._left)
        if pause > 0 and not self.closed:
            self._stop_reading()
            self._pause = self._loop.call_later(pause, self._resume)

    def _resume(self) -> None:
        self._pause = None
        if self._future is None or self._future.done() or self.closed:
            return
        self._reading = True
        self._loop.add_reader(self._sock.fileno(), self._on_readable)
        if self._channel is not None:
            self._loop.call_soon(self._on_readable)  # it may hold bytes that no selector sees

    def _end(self, error: BaseException | None) -> None:
        self._quiet()
        if self._future is not None and not self._future.done():
            if error is None:
                self._future.set_result(None)
            else:
                self._future.set_exception(error)

    async def _receive_some(self) -> bytes:
        room = self._buffer[: 16 << 10]
        self._wake_at_most(1)
        while True:
            try:
                count = self._receive(room)
            except _WANTS:
                await readable(self._loop, self._sock)
                continue
            if not count:
                raise ServerError("the server closed the connection without an answer", hint="it is tried again")
            self._begun = True
            return bytes(room[:count])

    async def _send(self, data: bytes) -> None:
        if self._channel is not None:
            await self._channel.send(self._loop, data)
            return
        view = memoryview(data)
        while view:
            try:
                view = view[self._sock.send(view) :]
            except _WANTS:
                await writable(self._loop, self._sock)
