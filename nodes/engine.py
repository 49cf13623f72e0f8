"""The nodes' way to the engine: ComfyUI's own session, on the server's loop; a prompt runs on a loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from ..core.errors import EngineError
from ..server_routes.mount import Mount, mounted, prompt_server

T = TypeVar("T")


async def call(method: str, path: str, body: object = None, *, local: bool = False) -> Any:
    """Ask the engine; `local` as a program of this machine, for what no browser is shown.

    Raises: StowError: what it answered, as the error it was.
    """
    from ..core.engine.protocol import LOCAL_HEADER  # late: this module is imported while ComfyUI starts

    return await _on_server(_ask(_mount(), method, path, body, {LOCAL_HEADER: "1"} if local else {}))


@asynccontextmanager
async def waiting() -> AsyncIterator[None]:
    """Let the engine know that the running prompt waits for it: a download that is held while ComfyUI works is not."""
    mount = _mount()
    await _on_server(_count(mount, 1))
    try:
        yield
    finally:
        await _on_server(_count(mount, -1))


def _mount() -> Mount:
    server = prompt_server()
    mount = mounted(server) if server is not None else None
    if mount is None:
        raise EngineError("ComfyStow's routes are not mounted on this ComfyUI", hint="its log says why")
    return mount


async def _on_server(work: Coroutine[Any, Any, T]) -> T:
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, prompt_server().loop))


async def _ask(mount: Mount, method: str, path: str, body: object, headers: dict[str, str]) -> Any:
    link = await (await mount.gateway()).link()
    link.push.want()
    return await link.client.call(method, path, body, headers=headers)


async def _count(mount: Mount, change: int) -> None:
    (await mount.gateway()).host.nodes_waiting += change
