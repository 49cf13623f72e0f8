"""Where the bytes of one file come from: the walk from the source's address to the storage, and ranged requests there.

The first request for bytes is also the walk along the redirects, so that a small file costs no extra round trip. The
address it ends at is kept and asked directly, without a token; when it has expired, the walk is made again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urljoin, urlsplit

from ...errors import ServerError, SourceError, StowError
from ...net.answers import REDIRECTS, Answer, explain
from ...net.client import HttpClient, encoded_url, user_agent
from ...net.credentials import Credentials
from ...net.egress import MAX_HOPS, EgressGate, Endpoint
from ...net.secrets import redact
from .head import Head, Headers
from .pool import ConnectionPool
from .wire import Connection, Sink

if TYPE_CHECKING:
    import aiohttp

_MAX_ERROR_BODY_BYTES = 16 << 10
_CHUNK_BYTES = 256 << 10


class Reply(Protocol):
    """An answer whose body waits to be read."""

    url: str
    head: Head
    with_token: bool
    walked: bool  # the walk along the redirects ended here just now

    async def body(self, length: int | None, sink: Sink, chunk_bytes: int | None = None) -> None:
        """Give the body to the sink, at most `chunk_bytes` at once; length None: to its end."""

    async def text(self) -> bytes:
        """Return the beginning of an error's body."""

    def pace(self, rate_bytes_per_second: float) -> None:
        """Say how fast the bytes come (0: unknown, or none came for a while); only the cost of reading changes."""

    def fail(self, error: BaseException) -> None:
        """End the reading with an error, from outside."""

    async def close(self) -> None:
        """Keep the connection if the body was read to its end, else close it."""


class WireReply:
    """An answer on a connection of our own."""

    def __init__(self, pool: ConnectionPool, connection: Connection, head: Head, url: str, *, with_token: bool) -> None:
        self._pool, self._connection = pool, connection
        self._clean = self.walked = False
        self.head, self.url, self.with_token = head, url, with_token

    async def body(self, length: int | None, sink: Sink, chunk_bytes: int | None = None) -> None:
        """Give the body to the sink."""
        if length is None:
            raise ServerError("a body without a length", hint="it is tried again")
        await self._connection.body(length, sink, chunk_bytes)
        self._clean = True

    async def text(self) -> bytes:
        """Return the beginning of an error's body."""
        data = await self._connection.drain(self.head.length, _MAX_ERROR_BODY_BYTES)
        self._clean = True
        return data

    def pace(self, rate_bytes_per_second: float) -> None:
        """Pass it on."""
        self._connection.pace(rate_bytes_per_second)

    def fail(self, error: BaseException) -> None:
        """End the reading with an error."""
        self._connection.fail(error)

    async def close(self) -> None:
        """Give the connection back, or close it."""
        if self._clean and self.head.keep_alive:
            self._pool.give_back(self._connection)
        else:
            self._connection.close()


class PlainReply:
    """An answer through aiohttp: behind proxies, and for bodies that come in chunks or without a length."""

    def __init__(self, reply: aiohttp.ClientResponse, stack: AsyncExitStack, url: str, *, with_token: bool) -> None:
        self._reply, self._stack = reply, stack
        self._reading: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        fields: dict[str, str] = {}
        for name, value in reply.headers.items():
            key = name.lower()
            fields[key] = f"{fields[key]}, {value}" if key in fields else value
        self.head = Head(reply.status, Headers(fields), keep_alive=True)
        self.url, self.with_token, self.walked = url, with_token, False

    async def body(self, length: int | None, sink: Sink, chunk_bytes: int | None = None) -> None:
        """Give the body to the sink."""
        self._reading = asyncio.ensure_future(self._read(length, sink, chunk_bytes))
        try:
            await self._reading
        except asyncio.CancelledError:
            if self._failure is not None:
                raise self._failure from None
            raise

    async def _read(self, length: int | None, sink: Sink, chunk_bytes: int | None) -> None:
        from ...net.pinning import our_errors  # aiohttp takes 0.4 s to import, and few transfers need it

        left = length
        with our_errors(self.url):
            while chunk := await self._reply.content.read(chunk_bytes or _CHUNK_BYTES):
                view = memoryview(chunk)
                if left is not None:
                    view, left = view[:left], left - min(left, len(view))
                if view and (pause := sink(view)) > 0:
                    await asyncio.sleep(pause)
        if left:
            raise ServerError("the body ended early", hint="it is tried again")

    async def text(self) -> bytes:
        """Return the beginning of an error's body."""
        from ...net.pinning import our_errors

        with our_errors(self.url):
            return await self._reply.content.read(_MAX_ERROR_BODY_BYTES)

    def pace(self, rate_bytes_per_second: float) -> None:
        """Do nothing: aiohttp reads as it likes."""

    def fail(self, error: BaseException) -> None:
        """End the reading with an error."""
        self._failure = error
        if self._reading is not None:
            self._reading.cancel()

    async def close(self) -> None:
        """Let aiohttp keep or close the connection."""
        await self._stack.aclose()


class Origin:
    """Asks for ranges of one file, wherever its source sends us."""

    def __init__(
        self,
        url: str,
        *,
        client: HttpClient,
        gate: EgressGate,
        pool: ConnectionPool,
        credentials: Credentials | None,
        response_timeout_seconds: float,
    ) -> None:
        self._client, self._gate, self._pool = client, gate, pool
        self._credentials = credentials
        self._response_timeout_seconds = response_timeout_seconds
        self._walk = asyncio.Lock()  # guards _place: one walk at a time, the others use what it found
        self._place: str | None = None
        self.url = url
        self.plain = False
        """Set for bodies that only aiohttp reads (chunked)."""

    @property
    def host(self) -> str:
        """The host that the bytes come from, as far as is known."""
        return urlsplit(self._place or self.url).netloc

    def is_current(self, reply: Reply) -> bool:
        """Tell whether an answer came from the address that is asked now, or that a walk ended at just now."""
        return reply.walked or reply.url == self._place

    def forget(self) -> None:
        """Make the walk again with the next request: the address was signed, and has expired."""
        self._place = None

    async def ask(self, *, start: int, stop: int | None, etag: str | None, ranged: bool = True) -> Reply:
        """Ask for `[start, stop)`, under the condition that the file still has the tag.

        Raises: EgressError, ServerError and the errors of connections.
        """
        headers: dict[str, str] = {}
        if ranged:
            headers["Range"] = f"bytes={start}-{stop - 1 if stop is not None else ''}"
            if etag is not None:
                headers["If-Range"] = etag
        if (place := self._place) is not None:
            # A token goes out again only where no redirect was followed.
            return await self._hop(place, headers, self._credentials if place == self.url else None)
        async with self._walk:
            if self._place is None:
                return await self._follow(headers)
        return await self.ask(start=start, stop=stop, etag=etag, ranged=ranged)

    async def refusal(self, reply: Reply) -> StowError:
        """Return the error that an answer of 400 and above stands for."""
        try:
            body = await reply.text()
        except StowError:
            body = b""
        answer = Answer(
            url=reply.url, status=reply.head.status, headers=reply.head.headers, body=body, with_token=reply.with_token
        )
        return explain(answer, tuple(self._client.explainers))

    async def _follow(self, headers: Mapping[str, str]) -> Reply:
        here, credentials = self.url, self._credentials
        owner = credentials.provider_of(here) if credentials is not None else None
        for _ in range(MAX_HOPS + 1):
            # As in `net.location`: the tokens of one provider, and none after the first host that is not its own.
            if credentials is not None and credentials.provider_of(here) != owner:
                credentials = None
            reply = await self._hop(here, headers, credentials)
            target = reply.head.headers.get("location")
            if reply.head.status not in REDIRECTS or not target:
                if reply.head.status < 400:
                    self._place = here
                reply.walked = True
                return reply
            await reply.text()
            await reply.close()
            try:
                here = urljoin(here, target.encode("latin-1").decode("utf-8", "replace"))
            except ValueError:
                raise ServerError(f"`{redact(here)}` redirects to something that is no URL") from None
        raise SourceError(f"`{redact(self.url)}` redirects more than {MAX_HOPS} times", hint="the link is broken")

    async def _hop(self, url: str, headers: Mapping[str, str], credentials: Credentials | None) -> Reply:
        endpoint = await self._gate.check(url)
        token = credentials.headers_for(url) if credentials is not None else {}
        if (endpoint.proxy_url is not None and endpoint.socks is None) or self.plain:
            stack = AsyncExitStack()
            reply = await stack.enter_async_context(
                self._client.open("GET", url, credentials=credentials, headers=headers)
            )
            return PlainReply(reply, stack, url, with_token=bool(token))
        request = _request(url, endpoint, {**headers, **token})
        connection = await self._pool.take(endpoint)
        try:
            head = await connection.ask(request, self._response_timeout_seconds)
        except ServerError:
            if not connection.reused or connection.answered:
                raise
            connection = await self._pool.take(endpoint, new=True)
            head = await connection.ask(request, self._response_timeout_seconds)
        except BaseException:
            connection.close()
            raise
        return WireReply(self._pool, connection, head, url, with_token=bool(token))


def _request(url: str, endpoint: Endpoint, headers: Mapping[str, str]) -> bytes:
    parts = urlsplit(encoded_url(url))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = f"[{endpoint.hostname}]" if ":" in endpoint.hostname else endpoint.hostname
    if endpoint.port != (443 if endpoint.secure else 80):
        host += f":{endpoint.port}"
    fields = {
        "Host": host,
        "User-Agent": user_agent(),
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        **headers,
    }
    lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    if any("\r" in line or "\n" in line for line in lines):
        raise ServerError("a header would hold a line break")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
