"""Waiting for bare sockets on the running loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable


async def readable(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    """Wait until a read would not block. Raises: ConnectionAbortedError: closed meanwhile."""
    await _once(loop, sock, loop.add_reader, loop.remove_reader)


async def writable(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    """Wait until a write would not block. Raises: ConnectionAbortedError: closed meanwhile."""
    await _once(loop, sock, loop.add_writer, loop.remove_writer)


async def _once(
    loop: asyncio.AbstractEventLoop,
    sock: socket.socket,
    add: Callable[..., object],
    remove: Callable[[int], object],
) -> None:
    future: asyncio.Future[None] = loop.create_future()
    descriptor = sock.fileno()
    if descriptor < 0:
        raise ConnectionAbortedError("closed")
    add(descriptor, _settle, future)
    try:
        await future
    finally:
        if sock.fileno() == descriptor:
            with contextlib.suppress(OSError, ValueError):
                remove(descriptor)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
