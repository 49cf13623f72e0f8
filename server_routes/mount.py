"""What happens while ComfyUI imports the pack: one route and two hooks are registered, nothing else is even imported.

The table of routes, with all that it names, is read when the first request comes.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from .gateway import Gateway

#: The same as `core.engine.protocol.HTTP_PREFIX`; a test compares.
PREFIX = "/comfystow/v1"

#: `1` puts a password before ComfyUI. Read here and not as a setting: middlewares must be there before the import of
#: the pack ends, and settings are read when the first request comes.
PASSWORD_VARIABLE = "COMFYSTOW_COMFYUI_PASSWORD"  # noqa: S105 - a name

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def prompt_server() -> Any:
    """Return ComfyUI's server, None where this is no ComfyUI."""
    return getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)


class Mount:
    """Stands in ComfyUI's server for everything below the prefix."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._gateway: Gateway | None = None
        self._making = asyncio.Lock()  # guards the making of _gateway
        self._starting: asyncio.Task[None] | None = None

    async def gateway(self) -> Gateway:
        """Return what answers, made with the first request; its imports run in a thread."""
        async with self._making:
            if self._gateway is None:
                self._gateway = await asyncio.to_thread(_make_gateway, self._server)
            return self._gateway

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request below the prefix."""
        return await (await self.gateway()).answer(request)

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Ask for the password before anything of ComfyUI."""
        from .guard import guarded

        return await guarded(request, handler, await self.gateway())

    async def on_startup(self, _app: web.Application) -> None:
        """Let unfinished downloads go on: a restart of ComfyUI, or of the machine, is no reason to stop."""
        self._starting = asyncio.create_task(self._start(), name="comfystow-start")

    async def _start(self) -> None:
        await (await self.gateway()).go_on()

    async def on_cleanup(self, _app: web.Application) -> None:
        """Leave the engine; it goes on with what it has."""
        if self._starting is not None:
            self._starting.cancel()
        if self._gateway is not None:
            await self._gateway.close()


def _make_gateway(server: Any) -> Gateway:
    from .gateway import Gateway
    from .host import ComfyHost

    return Gateway(ComfyHost(server))


def mount(server: Any) -> None:
    """Register on ComfyUI's server. The routes of a pack must be there before its import ends."""
    made = server.app[_KEY] = Mount(server)
    if os.environ.get(PASSWORD_VARIABLE) == "1":
        # First of all: what ComfyUI's own middlewares answer is behind the password too.
        server.app.middlewares.insert(0, made.guard)
    server.routes.route("*", PREFIX + "/{path:.*}")(made.answer)
    server.app.on_startup.append(made.on_startup)
    server.app.on_cleanup.append(made.on_cleanup)


def mounted(server: Any) -> Mount | None:
    """Return what was mounted on a server: the nodes reach the engine through it."""
    found: Mount | None = server.app.get(_KEY)
    return found


_KEY = web.AppKey("comfystow", Mount)
