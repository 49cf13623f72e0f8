"""The shared store as the queue sees it (`downloads.supply.Supply`)."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

from ...downloads.network import Network
from ...downloads.placement import Existing, Placement
from ...errors import ConfigError
from ...net.credentials import Credentials
from ...net.egress import EgressGate
from ...records.source import ResolvedFile
from ...sources import store
from ...sources.store import Served, SharedStore
from .shared_copy import put_copy

_log = logging.getLogger("comfystow.store")

_Environment = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedTurn:
    """A turn of a store; without a store, or while it fails, the source's own file."""

    file: ResolvedFile
    turn: store.Turn | None = None

    @property
    def stored(self) -> bool:
        """True where the file comes from the store."""
        return self.turn is not None and self.turn.served is Served.STORE

    async def renew(self) -> ResolvedFile:
        """Return the stored copy with a fresh address."""
        return await self.turn.renew() if self.turn is not None else self.file

    async def put(self, placement: Placement) -> Existing | None:
        """Link or copy the file of a store that is a folder."""
        import asyncio

        if self.turn is None or self.turn.local_path is None:
            return None
        left = threading.Event()
        try:
            return await asyncio.to_thread(put_copy, self.turn.local_path, placement, self.file, left.is_set)
        finally:
            left.set()

    async def keep(self, path: Path) -> None:
        """Give a file that came from its source to the others."""
        if self.turn is not None:
            await self.turn.keep(path)


class SharedSupply:
    """Opens each caller's store once: it knows what it has lately failed at."""

    def __init__(self) -> None:
        self._stores: WeakKeyDictionary[EgressGate, dict[_Environment, SharedStore | None]] = WeakKeyDictionary()

    @asynccontextmanager
    async def turn(self, file: ResolvedFile, network: Network, credentials: Credentials) -> AsyncIterator[SharedTurn]:
        """Wait until the store has the file, or until it is our turn to bring it."""
        found = self._store(network, credentials)
        if found is None:
            yield SharedTurn(file=file)
            return
        async with found.turn(file) as turn:
            yield SharedTurn(file=turn.file, turn=turn)

    def _store(self, network: Network, credentials: Credentials) -> SharedStore | None:
        opened = self._stores.setdefault(network.gate, {})
        environment = credentials.environment
        key = frozenset(environment.items())
        if key not in opened:
            try:
                opened[key] = SharedStore.open(network.settings, environment, network.gate)
            except ConfigError as err:
                _log.warning("the shared store cannot be used: %s%s", err.message, f" ({err.hint})" if err.hint else "")
                opened[key] = None
        return opened[key]
