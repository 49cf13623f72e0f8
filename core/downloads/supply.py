"""What the queue asks of a store that machines share: is a file to come from there, or from its source?"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from ..net.credentials import Credentials
from ..records.source import ResolvedFile
from .network import Network
from .placement import Existing, Placement


class Turn(Protocol):
    """Our turn to bring a file. `stored` says that `file` is the store's copy, and `renew` gives it a fresh address."""

    @property
    def file(self) -> ResolvedFile:
        """What to fetch."""

    @property
    def stored(self) -> bool:
        """True where it comes from the store."""

    async def renew(self) -> ResolvedFile:
        """Return the stored copy with a fresh address."""

    async def put(self, placement: Placement) -> Existing | None:
        """Link or copy the stored copy to its place; None where it has to be transferred. Raises: StowError."""

    async def keep(self, path: Path) -> None:
        """Give a file that came from its source to the others. Never fails: it is in its place already."""


class Supply(Protocol):
    """`provision.shared.SharedSupply`; a protocol because the layers forbid the import."""

    def turn(self, file: ResolvedFile, network: Network, credentials: Credentials) -> AbstractAsyncContextManager[Turn]:
        """Wait until a store has the file, or until it is our turn to bring it. What fails in a store is passed by."""
