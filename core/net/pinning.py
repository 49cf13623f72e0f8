"""An aiohttp session that connects to the addresses the gate has checked, and to no other."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from ..errors import CertificateError, ConnectFailedError, ServerError, StalledError, StowError, TruncatedBodyError
from .secrets import redact, scrub
from .socks import SocksProxy
from .tls import ssl_context

if TYPE_CHECKING:
    from .client import HttpLimits


class PinnedResolver(AbstractResolver):
    """Answers with checked addresses. Names that were never checked are those of proxies, which the user has set.

    `names_go_on` gives names as they are, to a SOCKS proxy that resolves them.
    """

    def __init__(self, *, names_go_on: bool = False) -> None:
        self._names_go_on = names_go_on
        self._addresses: dict[str, tuple[str, ...]] = {}
        self._proxies = aiohttp.ThreadedResolver()
        self._proxy_hosts: set[str] = set()

    def pin(self, host: str, addresses: tuple[str, ...]) -> None:
        """Let the host be reached at these addresses only."""
        self._addresses[host] = addresses

    def trust_proxy(self, host: str) -> None:
        """Let a proxy's name be looked up."""
        self._proxy_hosts.add(host)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Give the pinned addresses."""
        name = host.removesuffix(".").lower()
        if name not in self._addresses and name in self._proxy_hosts:
            return await self._proxies.resolve(host, port, family)
        rows: list[ResolveResult] = [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
            for address in ((host,) if self._names_go_on else self._addresses.get(name, ()))
        ]
        if not rows:
            raise OSError(f"{host} was not checked")
        return rows

    async def close(self) -> None:
        """Nothing is held."""


class SocksConnector(aiohttp.TCPConnector):
    """Opens its connections through a SOCKS proxy, each to what the resolver gave."""

    def __init__(self, proxy: SocksProxy, **options: Any) -> None:
        super().__init__(**options)
        self._socks = proxy

    async def _wrap_create_connection(self, *args: Any, **options: Any) -> Any:
        # aiohttp-socks overrides the same method; its own version checks the certificate against the address.
        place, timeout = options.pop("addr_infos")[0][4], options.pop("timeout")
        for name in ("req", "client_error"):
            options.pop(name, None)
        sock = await self._socks.connect(place[0], place[1], timeout.sock_connect)
        try:
            return await self._loop.create_connection(*args, **options, sock=sock)
        except BaseException:
            sock.close()
            raise


@dataclass(frozen=True, slots=True)
class PinnedSession:
    """A session and the resolver that its connections ask."""

    session: aiohttp.ClientSession
    resolver: PinnedResolver


def open_session(limits: HttpLimits, agent: str, socks: SocksProxy | None = None) -> PinnedSession:
    """Open a session for the running loop; with `socks` all its connections go through that proxy."""
    resolver = PinnedResolver(names_go_on=socks is not None and socks.resolves_names)
    options: dict[str, Any] = {
        "resolver": resolver,
        "use_dns_cache": False,
        "ssl": ssl_context(),
        "limit": limits.connections_total,
        "limit_per_host": limits.connections_per_host,
    }
    connector = aiohttp.TCPConnector(**options) if socks is None else SocksConnector(socks, **options)
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=limits.connect_timeout_seconds, sock_read=limits.stall_timeout_seconds
    )
    session = aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": agent},
        trust_env=False,
        # Signed Location headers run to 2-3 kB; aiohttp refuses lines above 8190 bytes unless told.
        max_line_size=32 << 10,
        max_field_size=32 << 10,
    )
    return PinnedSession(session, resolver)


@contextmanager
def our_errors(url: str) -> Iterator[None]:
    """Turn aiohttp's errors and time-outs into ours."""
    try:
        yield
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as err:
        raise _ours(err, f"`{redact(url)}`") from err


def _ours(err: Exception, where: str) -> StowError:
    again = "it is tried again"
    match err:
        case aiohttp.ConnectionTimeoutError():
            return ConnectFailedError(f"cannot connect to {where}: no answer in time", hint="check the network")
        case TimeoutError():
            return StalledError(f"{where} did not answer in time", hint=again)
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError() | ssl.SSLCertVerificationError():
            return CertificateError(f"the TLS certificate of {where} cannot be trusted: {scrub(str(err))[:160]}")
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return ConnectFailedError("cannot connect through the proxy", hint="check HTTPS_PROXY and NO_PROXY")
        case aiohttp.ClientConnectorError():
            reason = err.os_error.strerror or "no connection"
            return ConnectFailedError(f"cannot connect to {where}: {reason}", hint="check the network")
        case aiohttp.ClientPayloadError():
            return TruncatedBodyError(f"the answer of {where} ended early", hint=again)
        case aiohttp.ServerDisconnectedError() | ConnectionError():
            return ServerError(f"{where} closed the connection without an answer", hint=again)
        case aiohttp.ClientError() | ValueError():
            return ServerError(f"{where} answered with something that is no proper HTTP", hint=again)
        case _:
            return ConnectFailedError(f"cannot talk to {where}: {scrub(str(err))[:160]}", hint="check the network")
