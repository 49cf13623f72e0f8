"""Connections through SOCKS proxies (RFC 1928, RFC 1929; SOCKS 4 and 4a after their authors' papers).

`socks5://` and `socks4://` resolve names here, so that the egress gate has judged the address that the proxy is asked
for. `socks5h://` and `socks4a://` leave names to the proxy, as HTTP proxies do: there only scheme, host and port are
judged, and what the name leads to is the proxy's to refuse.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from urllib.parse import unquote, urlsplit

from ..errors import ConfigError, ConnectFailedError

#: The schemes, and whether the proxy resolves names.
SCHEMES = {"socks4": False, "socks4a": True, "socks5": False, "socks5h": True}
_DEFAULT_PORT = 1080


@dataclass(frozen=True, slots=True, kw_only=True)
class SocksProxy:
    """Where the proxy listens and what it asks for; version 4 knows a user name only."""

    version: int
    resolves_names: bool
    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> SocksProxy | None:
        """Return the proxy of a URL, None where it is one of another kind. Raises: ConfigError: no host or port."""
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES:
            return None
        try:
            port = _DEFAULT_PORT if parts.port is None else parts.port
        except ValueError:
            port = 0
        if not parts.hostname or not port:
            raise ConfigError("the SOCKS proxy has no proper host and port", hint="write socks5h://host:1080")
        return cls(
            version=5 if parts.scheme.startswith("socks5") else 4,
            resolves_names=SCHEMES[parts.scheme],
            host=parts.hostname,
            port=port,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )

    async def connect(self, host: str, port: int, timeout_seconds: float) -> socket.socket:
        """Return a non-blocking socket that the proxy has connected to a checked address, or to a name if it resolves.

        Raises: ConfigError: the package is missing, or the proxy refuses us; ConnectFailedError.
        """
        api = _package()
        kinds = api.ProxyType
        proxy = import_module("python_socks.async_.asyncio").Proxy(
            proxy_type=kinds.SOCKS5 if self.version == 5 else kinds.SOCKS4,
            host=self.host,
            port=self.port,
            username=self.username,
            password=self.password,
            rdns=self.resolves_names,
        )
        try:
            sock: socket.socket = await proxy.connect(dest_host=host, dest_port=port, timeout=timeout_seconds)
        except api.ProxyError as err:
            text = str(err)[:160]
            if "uthenticat" in text:
                raise ConfigError(
                    f"the SOCKS proxy refuses this user: {text}", hint="put user and password into ALL_PROXY"
                ) from err
            raise ConnectFailedError(f"the SOCKS proxy cannot reach `{host}`: {text}", hint="check ALL_PROXY") from err
        except TimeoutError as err:
            raise ConnectFailedError("the SOCKS proxy did not answer in time", hint="check ALL_PROXY") from err
        except (OSError, ValueError) as err:
            raise ConnectFailedError(
                f"cannot connect through the SOCKS proxy: {str(err)[:160]}", hint="check ALL_PROXY and NO_PROXY"
            ) from err
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock


def _package() -> Any:
    try:
        return import_module("python_socks")
    except ImportError:
        raise ConfigError(
            "a SOCKS proxy needs the package aiohttp-socks", hint="pip install 'comfystow[proxy]', or use an HTTP proxy"
        ) from None
