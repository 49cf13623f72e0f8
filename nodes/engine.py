"""The nodes' way to the engine: ComfyUI's own session, on the server's loop; a prompt runs on a loop of its own."""

from __future__ import annotations

import asyncio
from typing import Any

from ..core.errors import EngineError
from ..server_routes.mount import Mount, mounted, prompt_server


async def call(method: str, path: str, body: object = None) -> Any:
    """Ask the engine. Raises: StowError: what it answered, as the error it was."""
    server = prompt_server()
    mount = mounted(server) if server is not None else None
    if mount is None:
        raise EngineError("ComfyStow's routes are not mounted on this ComfyUI", hint="its log says why")
    asked = asyncio.run_coroutine_threadsafe(_ask(mount, method, path, body), server.loop)
    return await asyncio.wrap_future(asked)


async def _ask(mount: Mount, method: str, path: str, body: object) -> Any:
    link = await (await mount.gateway()).link()
    link.push.want()
    return await link.client.call(method, path, body)
