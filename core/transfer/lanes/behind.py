"""Writes behind the reading, in large aligned blocks, by a thread: for volumes where a write crosses a network.

MooseFS, NFS and FUSE pay for each write and for each block that is written in parts; and a write that waits for
another machine must not hold up the loop that serves all sockets.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Executor

from ...units import MIB
from ..part.part import Part
from .plan import Piece
from .state import State

BLOCK_BYTES = MIB
_MOST_WAITING = 2
_PAUSE_SECONDS = 0.005


class WriteBehind:
    """Takes the bytes of one piece in order; the piece's position follows the disk, not the network."""

    def __init__(self, state: State, piece: Piece, executor: Executor) -> None:
        self._state, self._piece, self._executor = state, piece, executor
        self._part: Part = state.part
        self._loop = asyncio.get_running_loop()
        self._block = bytearray()
        self._waiting: deque[bytearray] = deque()
        self._writer: asyncio.Task[None] | None = None
        self.received = piece.position

    def put(self, view: memoryview) -> float:
        """Take bytes; return how long to pause so that no more than a few blocks wait."""
        if self._writer is not None and self._writer.done():
            self._writer.result()  # raises what the disk said
        while view:
            room = BLOCK_BYTES - self.received % BLOCK_BYTES
            self._block += view[:room]
            self.received += min(room, len(view))
            view = view[room:]
            if self.received % BLOCK_BYTES == 0:
                self._submit()
        return _PAUSE_SECONDS if len(self._waiting) >= _MOST_WAITING else 0.0

    async def flush(self) -> None:
        """Write the rest, and wait until all is written. Raises: StorageError."""
        self._submit()
        if self._writer is not None:
            await self._writer

    async def abandon(self) -> None:
        """Drop what waits; return when no write is under way, so that the part may be cut or closed."""
        self._waiting.clear()
        self._block = bytearray()
        if self._writer is not None:
            await asyncio.wait([self._writer])
            self._writer.exception()  # seen: whoever abandons has an error of its own

    def _submit(self) -> None:
        if self._block:
            self._waiting.append(self._block)
            self._block = bytearray()
        if self._waiting and (self._writer is None or self._writer.done()):
            self._writer = self._loop.create_task(self._write())

    async def _write(self) -> None:
        while self._waiting:
            block, piece = self._waiting.popleft(), self._piece
            start = piece.position
            await self._loop.run_in_executor(self._executor, self._part.write, start, memoryview(block))
            end = start + len(block)
            piece.position = end if piece.stop is None else min(end, piece.stop)
            self._state.on_bytes(piece, piece.position - start)
