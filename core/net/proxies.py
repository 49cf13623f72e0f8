"""The proxy of the environment: HTTPS_PROXY, ALL_PROXY and NO_PROXY, in either case.

HTTP_PROXY plays no part: plain http is spoken only with listed machines nearby, which no proxy stands before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import ConfigError
from .socks import SCHEMES, SocksProxy


@dataclass(frozen=True, slots=True)
class Proxies:
    """Which proxy a request goes through; by default none."""

    url: str | None = field(default=None, repr=False)  # it may hold a password
    exempt: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Proxies:
        """Read the variables; the lower-case one wins, as in curl. Raises: ConfigError: a proxy of another kind."""

        def value(name: str) -> str:
            return environment.get(name) or environment.get(name.upper()) or ""

        url = value("https_proxy") or value("all_proxy")
        exempt = tuple(part.strip().lower() for part in value("no_proxy").split(",") if part.strip())
        return cls(_checked(url) if url else None, exempt)

    def for_host(self, host: str) -> str | None:
        """Return the proxy for a host, or None; `localhost` never has one."""
        if host == "localhost" or any(_covers(entry, host) for entry in self.exempt):
            return None
        return self.url


def _covers(entry: str, host: str) -> bool:
    """Judge one entry of NO_PROXY: `*`, `host`, `.domain`, `*.domain`, each perhaps with a port."""
    if entry == "*":
        return True
    name = entry.rpartition(":")[0] if entry.count(":") == 1 else entry
    bare = name.removeprefix("*").removeprefix(".")
    return bare != "" and (host == bare or host.endswith(f".{bare}"))


def _checked(url: str) -> str:
    full = url if "://" in url else f"http://{url}"
    kind = full.partition(":")[0].lower()
    if kind in SCHEMES:
        SocksProxy.parse(full)
    elif kind not in {"http", "https"}:
        raise ConfigError(
            f"a `{kind[:20]}` proxy is not supported", hint="use http://, https://, socks5h://, socks5:// or socks4://"
        )
    return full
