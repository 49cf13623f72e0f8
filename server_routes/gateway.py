"""From a browser's request to an answer: the row of the table, the gate, the engine or ComfyUI itself."""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from ..core.config import Settings, load_settings
from ..core.downloads.unfinished import has_unfinished
from ..core.engine.client import EngineClient
from ..core.engine.routes import ROUTES, Route, Where
from ..core.engine.secret import access_secret
from ..core.errors import MethodNotAllowedError, NotFoundHereError, SecretRequiredError, StowError
from ..core.idle.mode import policy_wanted
from ..core.records.download import ErrorInfo
from ..core.records.json import to_json
from .attempts import Attempts
from .gate import Facts, is_local, judge
from .host import ComfyHost
from .password import LOGGED_IN
from .proxy import pass_on
from .push import Push

_log = logging.getLogger("comfystow.host")

_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "CF-Connecting-IP")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One ComfyUI's way to the engine, with what decides who may use it."""

    settings: Settings
    secret: str
    client: EngineClient
    push: Push


class Gateway:
    """Opens the link with the first request or for unfinished downloads; never before."""

    def __init__(self, host: ComfyHost) -> None:
        self.host = host
        self._link: Link | None = None
        self.attempts = Attempts()
        self._opening = asyncio.Lock()  # guards the opening of _link

    async def link(self) -> Link:
        """Read settings and secret, and describe this ComfyUI, once. Raises: StowError."""
        async with self._opening:
            if self._link is None:
                settings, secret, session = await asyncio.to_thread(self._read)
                client = EngineClient(self.host.state_dir, settings, session=session)
                self._link = Link(settings=settings, secret=secret, client=client, push=Push(client, self.host))
            return self._link

    def _read(self) -> tuple[Settings, str, dict[str, object]]:
        state_dir = self.host.state_dir
        settings = load_settings(None, state_dir / "settings.json")
        return settings, access_secret(state_dir), to_json(self.host.session())

    async def go_on(self) -> None:
        """Start the engine when its queue holds downloads that an end of the machine interrupted.

        On a rented machine it looks whether anybody uses it, and needs our word for that.
        """
        if not await asyncio.to_thread(self._has_work):
            return
        try:
            link = await self.link()
            await link.client.ready()
        except StowError as err:
            _log.warning("the engine cannot go on with its work: %s (%s)", err.message, err.hint)
        else:
            link.push.want()

    def _has_work(self) -> bool:
        if has_unfinished(self.host.state_dir):
            return True
        try:
            settings = load_settings(None, self.host.state_dir / "settings.json")
        except StowError as err:
            _log.warning("settings cannot be used: %s (%s)", err.message, err.hint)
            return False
        return policy_wanted(settings, os.environ)

    async def close(self) -> None:
        """Leave the engine."""
        if self._link is not None:
            await self._link.push.close()
            await self._link.client.close()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request; every error becomes JSON here."""
        try:
            link = await self.link()
            self._admit(facts_of(request), link)
            route, parameters = find_route(request.method, f"/{request.match_info['path']}")
            if route.where is Where.HOST:
                return await self._on_host(route)
            link.push.want()
            return await pass_on(request, route, parameters, link.client)
        except StowError as err:
            return error_response(err)
        except Exception:  # noqa: BLE001 - the one place of this layer where everything is caught
            _log.exception("%s %s failed", request.method, request.path)
            return error_response(StowError("something unexpected happened", hint="ComfyUI's log says what"))

    def _admit(self, facts: Facts, link: Link) -> None:
        """Let a request pass. Raises: AccessError and its kinds."""
        free = is_local(facts) or link.settings.allow_remote or facts.logged_in
        guesses = facts.secret is not None and not free
        if guesses:
            self.attempts.check(facts.peer, facts.caller)
        try:
            judge(facts, link.settings, link.secret)
        except SecretRequiredError:
            if guesses:
                self.attempts.wrong(facts.peer, facts.caller)
            raise
        if guesses:
            self.attempts.right(facts.peer, facts.caller)

    async def _on_host(self, route: Route) -> web.Response:
        if route.name == "system.free":
            self.host.free_memory()
            return web.json_response({}, status=route.status)
        raise StowError(f"`{route.name}` has nobody to answer it")


def find_route(method: str, path: str) -> tuple[Route, Mapping[str, str]]:
    """Return the row of a request and what fills its braces. Raises: NotFoundHereError, MethodNotAllowedError."""
    segments = path.split("/")
    others: list[str] = []
    # Rows without braces first: `/downloads/pause-all` is no id.
    for route in sorted(ROUTES, key=lambda row: len(row.parameters)):
        found = _match(route.path.split("/"), segments)
        if found is None or route.internal:
            continue
        if route.method == method or (method == "HEAD" and route.method == "GET"):
            return route, found
        others.append(route.method)
    if others:
        raise MethodNotAllowedError(f"`{path[:120]}` takes {', '.join(sorted(set(others)))}, not {method[:20]}")
    raise NotFoundHereError(f"there is no `{path[:120]}`", hint="openapi.json lists what there is")


def _match(pattern: list[str], segments: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(segments):
        return None
    found = {}
    for expected, segment in zip(pattern, segments, strict=True):
        if expected.startswith("{") and segment:
            found[expected[1:-1]] = segment
        elif expected != segment:
            return None
    return found


def facts_of(request: web.Request) -> Facts:
    """Return what gate and guard look at."""
    headers = request.headers
    return Facts(
        changes=request.method not in {"GET", "HEAD"},
        peer=request.remote,
        host=headers.get("Host"),
        origin=headers.get("Origin"),
        sec_fetch_site=headers.get("Sec-Fetch-Site"),
        content_type=headers.get("Content-Type"),
        our_header=headers.get("X-ComfyStow"),
        secret=headers.get("X-ComfyStow-Secret"),
        forwarded=any(name in headers for name in _FORWARDED),
        caller=" ".join(f"{name}={headers[name]}" for name in _FORWARDED if name in headers),
        logged_in=request.get(LOGGED_IN, False),
    )


def error_response(error: StowError, status: int | None = None) -> web.Response:
    """Write an error of our tree; `status` in place of its own."""
    wait = error.retry_after_seconds
    headers = {"Retry-After": str(math.ceil(wait))} if wait is not None else None
    return web.json_response(
        {"error": to_json(ErrorInfo.of(error))}, status=status or error.http_status, headers=headers
    )
