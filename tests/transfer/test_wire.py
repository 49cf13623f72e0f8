"""One connection on a bare socket: bytes that are gathered before they wake us never wait for more than there will be."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trustme
from comfystow.core.errors import CertificateError, TruncatedBodyError
from comfystow.core.transfer.connections.dial import dial
from comfystow.core.transfer.connections.wire import Connection

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PACE = 20 << 20


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@asynccontextmanager
async def connected(serve: Serve, authority: trustme.CA | None, name: str = "localhost") -> AsyncIterator[Connection]:
    """Give a connection to a server that does `serve`; with an authority over TLS."""
    here, there = None, None
    if authority is not None:
        there = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(there)
        here = ssl.create_default_context()
        authority.configure_trust(here)
    patience = 0.5 if there is not None else None  # of its goodbye, which nobody here answers
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=there, ssl_shutdown_timeout=patience)
    try:
        key = ("https" if here else "http", name, server.sockets[0].getsockname()[1])
        sock, channel = await dial(key, "127.0.0.1", tls=here, timeout_seconds=5)
        connection = Connection(sock, channel, key, "127.0.0.1", memoryview(bytearray(512 << 10)))
        yield connection
        connection.close()
    finally:
        server.close()


def answer(length: int) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode()


async def read(connection: Connection, chunk_bytes: int | None = None, *, pace: int = PACE) -> bytes:
    """Ask and read one body, gathering as for a connection of middling speed; no watchdog reads what is left lying."""
    head = await connection.ask(b"GET / HTTP/1.1\r\n\r\n", 5)
    assert head.length is not None
    got = bytearray()

    def take(view: memoryview) -> float:
        got.extend(view)
        connection.pace(pace)
        return 0.0

    await connection.body(head.length, take, chunk_bytes)
    return bytes(got)


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("chunk_bytes", [None, 5000])
async def test_bodies_come_whole_however_they_are_cut(authority, secure, chunk_bytes):
    draw = random.Random(7)
    bodies = [draw.randbytes(draw.choice([0, 1, 300, 16_384, 16_385, 70_000, 400_001])) for _ in range(24)]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for body in bodies:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer(len(body)))
            at = 0
            while at < len(body):
                step = draw.choice([1, 100, 16_000, 16_384, 33_000, 200_000])
                writer.write(body[at : at + step])
                await writer.drain()
                await asyncio.sleep(draw.choice([0, 0.001]))
                at += step
        writer.close()

    async with connected(serve, authority if secure else None) as connection:
        for body in bodies:
            assert await read(connection, chunk_bytes) == body


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_end_before_the_promised_length_is_told(authority, secure):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(300_000) + bytes(200_000))
        await writer.drain()
        writer.close()

    async with connected(serve, authority if secure else None) as connection:
        with pytest.raises(TruncatedBodyError):
            # What says goodbye over TLS is short, and its sender waits for an answer: the watchdog's work in a download.
            await read(connection, pace=0)
        assert connection.closed


async def test_cut_without_a_word_is_told(authority):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(300_000) + bytes(200_000))
        await writer.drain()
        writer.transport.abort()

    async with connected(serve, authority) as connection:
        with pytest.raises(TruncatedBodyError):
            await read(connection)


async def test_slowing_down_frees_what_was_gathered():
    """A connection that falls from fast to slow is read at once when it is told so, not when enough has come."""
    seen: list[int] = []
    more = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(600_000) + bytes(400_000))
        await writer.drain()
        await more.wait()
        writer.write(bytes(200_000))
        writer.close()

    async with connected(serve, None) as connection:
        head = await connection.ask(b"GET / HTTP/1.1\r\n\r\n", 5)

        def take(view: memoryview) -> float:
            seen.append(len(view))
            connection.pace(PACE)
            return 0.0

        reading = asyncio.ensure_future(connection.body(head.length or 0, take))
        while sum(seen) < 400_000:
            connection.pace(0)
            await asyncio.sleep(0.01)
        more.set()
        await reading
    assert sum(seen) == 600_000


async def test_certificate_of_another_name_is_refused(authority):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    with pytest.raises(CertificateError, match=r"models\.test") as caught:
        async with connected(serve, authority, name="models.test"):
            pass
    assert "SSL_CERT_FILE" in (caught.value.hint or "")
