"""Mounts the route table on ComfyUI's server while ComfyUI imports the pack; registers, and starts nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ..core.engine.protocol import HTTP_PREFIX
from ..core.engine.routes import ROUTES, Route, Where
from ..core.errors import StowError
from ..core.records.download import ErrorInfo
from ..core.records.json import to_json
from .gate import Facts, judge
from .host import ComfyHost, prompt_server
from .proxy import pass_on
from .push import Push

if TYPE_CHECKING:
    from ..core.config import Settings
    from ..core.engine.client import EngineClient

_log = logging.getLogger("comfystow.host")

_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "CF-Connecting-IP")


@dataclass(slots=True)
class Mount:
    """One ComfyUI's side of the engine. Opens with the first request or with unfinished downloads."""

    host: ComfyHost
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)  # guards the opening of _open
    _open: _Open | None = None

    def register(self, routes: Any) -> None:
        """Add every row that browsers may ask."""
        for route in ROUTES:
            if not route.internal:
                routes.route(route.method, HTTP_PREFIX + route.path)(self._handler(route))

    async def on_startup(self, _app: web.Application) -> None:
        """Let unfinished downloads go on: a restart of ComfyUI, or of the machine, is no reason to stop."""
        from ..core.downloads.unfinished import has_unfinished

        if await asyncio.to_thread(has_unfinished, self.host.state_dir):
            task = asyncio.create_task(self._go_on(), name="comfystow-go-on")
            task.add_done_callback(lambda done: None if done.cancelled() else done.exception())

    async def _go_on(self) -> None:
        try:
            opened = await self.open()
            await opened.client.ready()
        except StowError as err:
            _log.warning("unfinished downloads cannot go on: %s (%s)", err.message, err.hint)
        else:
            opened.push.want()

    async def on_cleanup(self, _app: web.Application) -> None:
        """Leave the engine; it goes on with what it has."""
        if self._open is not None:
            await self._open.push.close()
            await self._open.client.close()

    async def open(self) -> _Open:
        """Read settings and secret, and describe this ComfyUI to the engine, once. Raises: StowError."""
        async with self._opening:
            if self._open is None:
                self._open = await self._opened()
            return self._open

    async def _opened(self) -> _Open:
        from ..core.config import load_settings
        from ..core.engine.client import EngineClient
        from ..core.engine.secret import access_secret

        state_dir = self.host.state_dir
        settings = await asyncio.to_thread(load_settings, None, state_dir / "settings.json")
        secret = await asyncio.to_thread(access_secret, state_dir)
        session = to_json(await asyncio.to_thread(self.host.session))
        client = EngineClient(state_dir, settings, session=session)
        return _Open(settings=settings, secret=secret, client=client, push=Push(client, self.host))

    def _handler(self, route: Route) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            try:
                opened = await self.open()
                judge(_facts(request, route), opened.settings, opened.secret)
                if route.where is Where.HOST:
                    return await self._on_host(route)
                opened.push.want()
                return await pass_on(request, route, opened.client)
            except StowError as err:
                return _error(err)
            except Exception:  # noqa: BLE001 - the one place of this layer where everything is caught
                _log.exception("%s %s failed", route.method, route.path)
                return _error(StowError("something unexpected happened", hint="ComfyUI's log says what"))

        return handler

    async def _on_host(self, route: Route) -> web.Response:
        if route.name == "system.free":
            self.host.free_memory()
            return web.json_response({"accepted": True}, status=route.status)
        raise StowError(f"`{route.name}` has nobody to answer it")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    settings: Settings
    secret: str
    client: EngineClient
    push: Push


def _facts(request: web.Request, route: Route) -> Facts:
    headers = request.headers
    return Facts(
        changes=route.changes,
        peer=request.remote,
        host=headers.get("Host"),
        origin=headers.get("Origin"),
        sec_fetch_site=headers.get("Sec-Fetch-Site"),
        content_type=headers.get("Content-Type"),
        our_header=headers.get("X-ComfyStow"),
        secret=headers.get("X-ComfyStow-Secret"),
        forwarded=any(name in headers for name in _FORWARDED),
    )


def _error(error: StowError) -> web.Response:
    return web.json_response({"error": to_json(ErrorInfo.of(error))}, status=error.http_status)


def mount(server: Any) -> None:
    """Register routes and hooks on ComfyUI's server. The routes of a pack must be there before its import ends."""
    made = server.app[_KEY] = Mount(ComfyHost(server))
    made.register(server.routes)
    server.app.on_startup.append(made.on_startup)
    server.app.on_cleanup.append(made.on_cleanup)


def mounted() -> Mount | None:
    """Return what was mounted on this process's ComfyUI: the nodes reach the engine through it."""
    server = prompt_server()
    return server.app.get(_KEY) if server is not None else None


_KEY = web.AppKey("comfystow", Mount)
