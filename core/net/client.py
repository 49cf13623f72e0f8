"""Small HTTP requests: APIs, walks along redirects, ranged reads. Bodies of files are the transfer's work."""

from __future__ import annotations

import json as jsonlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from ..config import Settings
from ..errors import ServerError, StowError
from .answers import Answer, Explainer, explain
from .credentials import Credentials
from .egress import EgressGate
from .secrets import redact

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    import aiohttp

    from .pinning import PinnedSession
    from .socks import SocksProxy

MAX_BODY_BYTES = 16 << 20
_MAX_ERROR_BODY_BYTES = 16 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """The numbers of the client."""

    connect_timeout_seconds: float = 15.0
    response_timeout_seconds: float = 60.0
    stall_timeout_seconds: float = 30.0
    connections_per_host: int = 32
    connections_total: int = 64

    @classmethod
    def of(cls, settings: Settings) -> HttpLimits:
        """Take the numbers from the settings."""
        return cls(
            connect_timeout_seconds=settings.connect_timeout_seconds,
            response_timeout_seconds=settings.response_timeout_seconds,
            stall_timeout_seconds=settings.stall_timeout_seconds,
            connections_per_host=settings.connections_per_host,
            connections_total=settings.connections_total,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A whole answer. Header names are case-insensitive."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Parse the body. Raises: ServerError: it is no JSON, or nested too deeply."""
        try:
            return jsonlib.loads(self.body)
        except (ValueError, RecursionError) as err:
            raise ServerError(
                f"`{redact(self.url)}` answered with something that is no JSON", hint="it is tried again"
            ) from err


def user_agent() -> str:
    """Return our one User-Agent: Civitai's Cloudflare answers 403 to those of bare HTTP libraries."""
    from ... import __version__

    return f"comfystow/{__version__}"


def encoded_url(url: str) -> str:
    """Return the URL in ASCII; what is percent-encoded already stays as it is: signatures cover the exact bytes."""
    return quote(url, safe="%/:=&?~#+!$,;'@()*[]")


class HttpClient:
    """Sends requests through the gate, to the checked addresses only; follows no redirect by itself.

    `explainers` know the providers' own refusals. One client serves several event loops, each with a session of its
    own; `close` closes that of the running one.
    """

    def __init__(self, limits: HttpLimits, gate: EgressGate) -> None:
        self.gate = gate
        self.limits = limits
        self.explainers: list[Explainer] = []
        self._sessions: dict[tuple[AbstractEventLoop, SocksProxy | None], PinnedSession] = {}

    async def request(
        self,
        method: str,
        url: str,
        *,
        credentials: Credentials | None = None,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> Response:
        """Send one request and read its whole answer, whatever its status.

        Raises:
            EgressError: the host is not allowed.
            ConnectFailedError, StalledError, TruncatedBodyError: no answer, or not all of it.
            ServerError: no HTTP, or a body above `max_body_bytes`.
        """
        async with self.open(method, url, credentials=credentials, headers=headers, json=json) as reply:
            body = await self.read(reply, max_body_bytes + 1)
            if len(body) > max_body_bytes:
                raise ServerError(f"`{redact(url)}` answered with more than {max_body_bytes} bytes")
            return Response(url=url, status=reply.status, headers=reply.headers, body=body)

    @asynccontextmanager
    async def open(
        self,
        method: str,
        url: str,
        *,
        credentials: Credentials | None = None,
        headers: Mapping[str, str] | None = None,
        json: object = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send one request and yield the answer; a body that is not read is dropped with its connection."""
        import asyncio

        import yarl

        from .pinning import our_errors

        endpoint = await self.gate.check(url)
        sent = {"Accept-Encoding": "identity", **(headers or {})}
        if credentials is not None:
            sent |= credentials.headers_for(url)
        socks = endpoint.socks
        pinned = self._session(socks)
        if endpoint.addresses:
            pinned.resolver.pin(endpoint.hostname, endpoint.addresses)
        elif endpoint.proxy_url is not None:
            pinned.resolver.trust_proxy(urlsplit(endpoint.proxy_url).hostname or "")
        with our_errors(url):
            async with asyncio.timeout(self.limits.response_timeout_seconds):
                reply = await pinned.session.request(
                    method,
                    yarl.URL(encoded_url(url), encoded=True),
                    headers=sent,
                    json=json,
                    allow_redirects=False,
                    proxy=endpoint.proxy_url if socks is None else None,
                )
        try:
            yield reply
        finally:
            if reply.content.at_eof():
                reply.release()
            else:
                reply.close()

    async def read(self, reply: aiohttp.ClientResponse, limit_bytes: int) -> bytes:
        """Read at most `limit_bytes` of an open answer, within the time for an answer."""
        import asyncio

        from .pinning import our_errors

        chunks, left = [], limit_bytes
        with our_errors(str(reply.url)):
            async with asyncio.timeout(self.limits.response_timeout_seconds):
                while left > 0 and (chunk := await reply.content.read(min(left, 1 << 16))):
                    chunks.append(chunk)
                    left -= len(chunk)
        return b"".join(chunks)

    async def refusal(self, reply: aiohttp.ClientResponse, url: str, *, with_token: bool) -> StowError:
        """Return the error that an open answer of 400 and above stands for."""
        try:
            body = await self.read(reply, _MAX_ERROR_BODY_BYTES)
        except StowError:
            body = b""
        answer = Answer(url=url, status=reply.status, headers=reply.headers, body=body, with_token=with_token)
        return explain(answer, tuple(self.explainers))

    async def close(self) -> None:
        """Close the running loop's connections."""
        import asyncio

        loop = asyncio.get_running_loop()
        for key in [key for key in self._sessions if key[0] is loop]:
            await self._sessions.pop(key).session.close()

    def _session(self, socks: SocksProxy | None) -> PinnedSession:
        import asyncio

        key = (asyncio.get_running_loop(), socks)
        pinned = self._sessions.get(key)
        if pinned is None:
            from .pinning import open_session

            pinned = self._sessions[key] = open_session(self.limits, user_agent(), socks)
        return pinned
