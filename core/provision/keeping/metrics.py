"""The library's numbers for Prometheus; counted again only when its index has changed."""

from __future__ import annotations

import asyncio

from ...library.index.index import LibraryIndex
from ...metrics.reading import Reading

_UNKNOWN = "unknown"


class LibraryNumbers:
    """Files and bytes by kind; nothing for a library that nobody has scanned. On the engine's loop."""

    def __init__(self, index: LibraryIndex) -> None:
        self._index = index
        self._counted_at: int | None = None
        self._readings: tuple[Reading, ...] = ()

    async def readings(self) -> tuple[Reading, ...]:
        """Return them. Raises: StorageError."""
        writes = self._index.writes
        if writes != self._counted_at:
            rows = await asyncio.to_thread(self._index.usage, "kind")
            self._readings = tuple(
                reading
                for row in rows
                for reading in (
                    Reading("library_files", row.files, (row.value or _UNKNOWN,)),
                    Reading("library_bytes", row.bytes, (row.value or _UNKNOWN,)),
                )
            )
            self._counted_at = writes
        return self._readings
