"""What services write, on the container's own output: each line with the service's name, and bounded."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path

_LOOK_SECONDS = 0.5
#: A service that floods its log must not flood the container's, whose reader may be slow or charge for bytes.
_MOST_BYTES_A_LOOK = 64 << 10


class Tail:
    """Follows the files of the logs; a file that was rotated away is followed in its new form."""

    def __init__(self, files: Mapping[str, Path], write: Callable[[str], None]) -> None:
        self._files = dict(files)
        self._write = write
        self._at: dict[str, tuple[int, int]] = {}
        self._rest: dict[str, bytes] = {}

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Write what is new in each file."""
        for name, path in self._files.items():
            try:
                self._look_at(name, path)
            except OSError:
                continue  # it was never written to, or is being rotated

    def _look_at(self, name: str, path: Path) -> None:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            inode, at = self._at.get(name, (found.st_ino, 0))
            if inode != found.st_ino or at > found.st_size:
                at = 0
            left_out = max(0, found.st_size - at - _MOST_BYTES_A_LOOK)
            file.seek(at + left_out)
            data = file.read(_MOST_BYTES_A_LOOK)
        self._at[name] = (found.st_ino, at + left_out + len(data))
        if left_out:
            self._rest.pop(name, None)
            self._write(f"{name} | … {left_out} bytes are left out here; they stand in {path}")
        *lines, rest = (self._rest.get(name, b"") + data).split(b"\n")
        self._rest[name] = rest[-_MOST_BYTES_A_LOOK:]
        for line in lines:
            self._write(f"{name} | {line.decode('utf-8', 'replace').rstrip()}")
