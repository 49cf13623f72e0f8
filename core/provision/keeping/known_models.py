"""The lists of known models, read once, when somebody first asks. On the engine's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from ...sources.catalogue import Catalogue


class KnownModels:
    """The one catalogue of an engine."""

    def __init__(self, base_path: Callable[[], Path | None], state_dir: Path) -> None:
        self._base_path = base_path
        self._state_dir = state_dir
        self._reading: asyncio.Task[Catalogue] | None = None

    async def get(self) -> Catalogue:
        """Return it; a reading that failed is tried again."""
        if self._reading is None or (self._reading.done() and self._reading.exception() is not None):
            load = asyncio.to_thread(Catalogue.load, base_path=self._base_path(), state_dir=self._state_dir)
            self._reading = asyncio.create_task(load, name="catalogue")
        return await asyncio.shield(self._reading)

    def close(self) -> None:
        """End a reading that goes on."""
        if self._reading is not None:
            self._reading.cancel()
