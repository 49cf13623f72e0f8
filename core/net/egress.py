"""The gate: every hop of every request passes here before a connection is made.

A URL passes when its scheme, host and port are allowed and its name resolves to addresses that are public, or that
the user listed. Who connects must use one of `Endpoint.addresses`: a second look-up could give another answer (DNS
rebinding). Behind a proxy that resolves names only scheme, host and port are judged (`socks` says which those are).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from ipaddress import ip_address
from urllib.parse import urlsplit

from ..errors import ConnectFailedError, EgressError
from .addresses import Address, is_metadata, is_public
from .hosts import AllowList, HostRule, normalise_host
from .proxies import Proxies
from .socks import SocksProxy

#: A walk along redirects is longer only in a loop; browsers stop at 20, curl at 50.
MAX_HOPS = 10
_CACHE_SECONDS = 30.0
_CACHE_ENTRIES = 256

Lookup = Callable[[str, int], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A checked place to connect to; `addresses` is empty only behind a proxy that resolves names."""

    scheme: str
    hostname: str
    port: int
    addresses: tuple[str, ...]
    proxy_url: str | None = None

    @property
    def socks(self) -> SocksProxy | None:
        """The SOCKS proxy on the way, if there is one."""
        return SocksProxy.parse(self.proxy_url) if self.proxy_url is not None else None

    @property
    def secure(self) -> bool:
        """True for TLS."""
        return self.scheme == "https"


@dataclass(frozen=True, slots=True)
class _Target:
    scheme: str
    host: str
    port: int


class EgressGate:
    """Decides where we may connect to; shared by all that send requests, from any thread or loop."""

    def __init__(
        self,
        allow: AllowList,
        *,
        proxies: Proxies | None = None,
        lookup: Lookup | None = None,
        timeout_seconds: float = 15.0,
    ) -> None:
        self._allow = allow
        self._proxies = proxies or Proxies()
        self._lookup = lookup or _system_lookup
        self._timeout_seconds = timeout_seconds
        self._cache: dict[tuple[str, int], tuple[float, tuple[Address, ...]]] = {}

    async def check(self, url: str) -> Endpoint:
        """Judge one hop.

        Raises:
            EgressError: the scheme, host, port or address is not allowed.
            ConnectFailedError: the name does not resolve.
        """
        target = _parse(url)
        listed = self._allow.is_added(target.host, target.port)
        provider = self._allow.is_provider(target.host, target.port)
        if not listed and not provider and not self._allow.networks:
            raise _not_allowed(target)
        literal = _literal(target.host)
        proxy_url = self._proxy_for(target, literal) if listed or provider else None
        if proxy_url is not None:
            socks = SocksProxy.parse(proxy_url)
            if socks is None or socks.resolves_names:
                return _endpoint(target, proxy_url=proxy_url)
        candidates = (literal,) if literal is not None else await self._resolve(target)
        usable = self._usable(target, candidates, listed=listed, provider=provider)
        return _endpoint(target, addresses=tuple(map(str, usable)), proxy_url=proxy_url)

    def trust(self, url: str) -> None:
        """Take the host and port of a URL into the list as if the user had: for what the user's own settings lead to.

        Raises: EgressError: it is no proper URL.
        """
        target = _parse(url)
        if not self._allow.is_added(target.host, target.port):
            rule = HostRule(target.host, target.port)
            self._allow = replace(self._allow, added=(*self._allow.added, rule))

    def _proxy_for(self, target: _Target, literal: Address | None) -> str | None:
        """Plain http and private addresses never go through a proxy: only a listed machine nearby may be either."""
        if target.scheme == "http" or (literal is not None and not is_public(literal)):
            return None
        return self._proxies.for_host(target.host)

    def _usable(
        self, target: _Target, candidates: tuple[Address, ...], *, listed: bool, provider: bool
    ) -> list[Address]:
        usable = [
            address
            for address in candidates
            if not is_metadata(address)
            and (listed or self._allow.in_network(address) or (provider and is_public(address)))
        ]
        if not usable:
            if not listed and not provider:
                raise _not_allowed(target)
            raise EgressError(
                f"`{target.host}` leads to {candidates[0]}, which is no public address",
                hint="if that machine is yours, list it in COMFYSTOW_ALLOW_HOSTS",
            )
        if target.scheme == "http" and any(is_public(address) for address in usable):
            raise EgressError(
                f"`{target.host}` is asked for over plain http",
                hint="use https; only a listed host in a private network may be plain http",
            )
        return usable

    async def _resolve(self, target: _Target) -> tuple[Address, ...]:
        import asyncio

        key = (target.host, target.port)
        cached = self._cache.get(key)
        if cached is not None and cached[0] > time.monotonic():
            return cached[1]
        try:
            async with asyncio.timeout(self._timeout_seconds):
                texts = await self._lookup(target.host, target.port)
        except (OSError, UnicodeError) as err:  # TimeoutError is an OSError
            raise ConnectFailedError(
                f"cannot resolve `{target.host}`: {_reason(err)}", hint="check the name and this machine's network"
            ) from err
        addresses = tuple(dict.fromkeys(ip_address(text.partition("%")[0]) for text in texts))
        if not addresses:
            raise ConnectFailedError(f"`{target.host}` has no address", hint="check the name")
        if len(self._cache) >= _CACHE_ENTRIES:
            self._cache.clear()
        self._cache[key] = (time.monotonic() + _CACHE_SECONDS, addresses)
        return addresses


def _parse(url: str) -> _Target:
    shown = "".join(char if char.isprintable() else "?" for char in url.split("?")[0][:120])
    if any(char <= " " or char in "\\\x7f" for char in url):
        raise EgressError(f"`{shown}` holds a space, a control character or a backslash", hint="write a plain URL")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise EgressError(f"`{shown}` is no URL", hint="write https://host/path") from None
    if parts.scheme not in {"http", "https"}:
        raise EgressError(f"`{parts.scheme[:20]}` URLs are not fetched", hint="write https://host/path")
    if "@" in parts.netloc:
        raise EgressError(
            f"the URL for `{(parts.hostname or '')[:80]}` carries a user name or password",
            hint="leave it out; store a token with `comfystow auth set`",
        )
    host = normalise_host(parts.hostname or "")
    if host is None or port == 0:
        raise EgressError(f"`{(parts.hostname or shown)[:80]}` is no proper host name", hint="write https://host/path")
    return _Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80))


def _endpoint(target: _Target, *, addresses: tuple[str, ...] = (), proxy_url: str | None = None) -> Endpoint:
    return Endpoint(
        scheme=target.scheme, hostname=target.host, port=target.port, addresses=addresses, proxy_url=proxy_url
    )


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _not_allowed(target: _Target) -> EgressError:
    default = 443 if target.scheme == "https" else 80
    name = f"[{target.host}]" if ":" in target.host else target.host
    place = name if target.port == default else f"{name}:{target.port}"
    return EgressError(
        f"`{place}` is not on the list of hosts that models are fetched from",
        hint=f"if you trust it, set COMFYSTOW_ALLOW_HOSTS={place}",
    )


def _reason(err: BaseException) -> str:
    return "no answer in time" if isinstance(err, TimeoutError) else str(getattr(err, "strerror", None) or err)[:120]


async def _system_lookup(host: str, port: int) -> list[str]:
    import asyncio

    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(row[4][0]) for row in found]
