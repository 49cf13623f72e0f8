"""Connections of all transfers: kept alive between requests, spread over a host's addresses, closed when idle."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from ...errors import ConnectFailedError
from ...net.tls import ssl_context
from .dial import dial
from .wire import BUFFER_BYTES, Connection

if TYPE_CHECKING:
    from ...net.egress import Endpoint

Key = tuple[str, str, int]


class ConnectionPool:
    """Hands out connections to gate-checked endpoints. How many there may be is the budget's business."""

    def __init__(self, *, connect_timeout_seconds: float, idle_seconds: float) -> None:
        self._connect_timeout_seconds = connect_timeout_seconds
        self._idle_seconds = idle_seconds
        self._idle: dict[Key, list[tuple[float, Connection]]] = {}
        self._turn = itertools.count()
        self._buffer = memoryview(bytearray(BUFFER_BYTES))

    async def take(self, endpoint: Endpoint, *, new: bool = False) -> Connection:
        """Return a kept connection, else open one; `new` after a kept one turned out to be dead.

        Raises: ConnectFailedError, CertificateError.
        """
        key = (endpoint.scheme, endpoint.hostname, endpoint.port)
        kept = self._idle.get(key, [])
        while kept and not new:
            _, connection = kept.pop()
            # An address that the gate would no longer give is not used again.
            if connection.address in _places(endpoint) and connection.fresh():
                connection.reused = True
                return connection
            connection.close()
        return await self._open(key, endpoint)

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose answer was read to its end."""
        if connection.closed:
            return
        now = asyncio.get_running_loop().time()
        self._idle.setdefault(connection.key, []).append((now + self._idle_seconds, connection))

    def sweep(self) -> None:
        """Close what lay idle for too long."""
        now = asyncio.get_running_loop().time()
        for key, kept in list(self._idle.items()):
            for _, connection in (item for item in kept if item[0] <= now):
                connection.close()
            kept[:] = [item for item in kept if not item[1].closed]
            if not kept:
                del self._idle[key]

    def close(self) -> None:
        """Close all idle connections."""
        for kept in self._idle.values():
            for _, connection in kept:
                connection.close()
        self._idle.clear()

    async def _open(self, key: Key, endpoint: Endpoint) -> Connection:
        addresses, socks = _places(endpoint), endpoint.socks
        begin = next(self._turn) % max(1, len(addresses))
        last: ConnectFailedError | None = None
        for address in (*addresses[begin:], *addresses[:begin]):
            try:
                tls = ssl_context() if endpoint.secure else None
                sock, channel = await dial(
                    key, address, tls=tls, socks=socks, timeout_seconds=self._connect_timeout_seconds
                )
                return Connection(sock, channel, key, address, self._buffer)
            except ConnectFailedError as err:
                last = err
        raise last or ConnectFailedError(f"`{endpoint.hostname}` has no address", hint="check the name")


def _places(endpoint: Endpoint) -> tuple[str, ...]:
    """Return what to connect to: checked addresses, or a name that the proxy resolves."""
    return endpoint.addresses or ((endpoint.hostname,) if endpoint.socks is not None else ())
