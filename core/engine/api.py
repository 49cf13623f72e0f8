"""The route table over HTTP: reads and checks a request, calls its handler, writes JSON, errors too."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from ..errors import (
    AccessError,
    EngineError,
    MethodNotAllowedError,
    NotAttachedError,
    NotFoundHereError,
    StowError,
    UsageError,
)
from ..records.download import ErrorInfo
from ..records.json import from_json, to_json
from ..records.session import Session
from ..runtime import Runtime
from .handlers import HANDLERS
from .handlers.call import Accepted, Call, Handler, Text
from .presence import Presence
from .protocol import LOCAL_HEADER, SESSION_HEADER, EngineStatus
from .routes import ROUTES, Route, Where
from .stream import stream_events

_log = logging.getLogger("comfystow.engine")

_WebHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """What the routes stand on. `token` is asked for where the engine listens on a port instead of a socket."""

    runtime: Runtime
    presence: Presence
    status: Callable[[], EngineStatus]
    leave: Callable[[str], None]
    leaving: asyncio.Event
    token: str | None = None
    _begun: set[asyncio.Task[web.Response]] = field(default_factory=set, repr=False)

    def application(self) -> web.Application:
        """Mount the engine's rows."""
        app = web.Application(middlewares=[self._guarded])
        for route in ROUTES:
            if route.where is Where.ENGINE:
                app.router.add_route(route.method, route.path, self._mounted(route))
        return app

    def _mounted(self, route: Route) -> _WebHandler:
        if route.name == "events":
            return self._events
        handler = HANDLERS[route.name]

        async def answer(request: web.Request) -> web.StreamResponse:
            return await self._answer(request, route, handler)

        return answer

    @web.middleware
    async def _guarded(self, request: web.Request, handler: _WebHandler) -> web.StreamResponse:
        """Check the token, and turn errors into JSON: the one middleware."""
        try:
            self._check_token(request)
            return await handler(request)
        except StowError as err:
            return error_response(err)
        except web.HTTPMethodNotAllowed as err:
            methods = ", ".join(sorted(err.allowed_methods))
            shown = f"`{request.path[:120]}` takes {methods}, not {request.method[:20]}"
            return error_response(MethodNotAllowedError(shown))
        except web.HTTPNotFound:
            return error_response(NotFoundHereError(f"there is no `{request.path[:120]}`"))
        except (web.HTTPException, ConnectionResetError):
            raise  # the protocol's own, and callers who went away
        except Exception:  # noqa: BLE001 - the one place, beside workers, where everything is caught
            _log.exception("%s %s failed", request.method, request.path)
            return error_response(StowError("something unexpected happened", hint="the engine's log says what"))

    async def _answer(self, request: web.Request, route: Route, handler: Handler) -> web.StreamResponse:
        body = await read_body(request, route)
        if route.abandoned:
            return await self._carried_out(request, route, handler, body)
        # A caller that goes away takes its own request with it only up to here: what began is brought to its end.
        task = asyncio.create_task(self._carried_out(request, route, handler, body), name=route.name)
        self._begun.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[web.Response]) -> None:
        self._begun.discard(task)
        if not task.cancelled():
            task.exception()  # seen, also when nobody waits for it any more

    async def _carried_out(self, request: web.Request, route: Route, handler: Handler, body: Any) -> web.Response:
        session_id = request.headers.get(SESSION_HEADER)
        with self.presence.request(session_id):
            if not route.name.startswith("engine."):
                self._check_attached(None if route.request is Session else session_id)
            call = Call(
                runtime=self.runtime,
                presence=self.presence,
                status=self.status,
                leave=self.leave,
                parameters=request.match_info,
                query=request.query,
                body=body,
                session_id=session_id,
                local=LOCAL_HEADER in request.headers,
            )
            answer = await handler(call)
            if isinstance(answer, Text):
                return web.Response(body=answer.body, headers={"Content-Type": answer.content_type})
            if isinstance(answer, Accepted):
                return web.json_response(answer.data, status=web.HTTPAccepted.status_code)
            return web.json_response(answer, status=route.status)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        self._check_attached(request.headers.get(SESSION_HEADER))
        return await stream_events(request, self.runtime, self.presence, self.leaving)

    def _check_attached(self, session_id: str | None) -> None:
        if self.presence.leaving:
            raise EngineError("the engine is leaving", hint="ask the next one")
        if session_id is not None and self.runtime.sessions.get(session_id) is None:
            raise NotAttachedError("this session is not attached", hint="POST /host/attach first")

    def _check_token(self, request: web.Request) -> None:
        if self.token is None:
            return
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.token}".encode()):
            raise AccessError("this engine answers its own callers only")


async def read_body(request: web.Request, route: Route) -> Any:
    """Read a body as the record of its route. Raises: UsageError: too large, no JSON, not that record."""
    if route.request is None:
        return None
    if (request.content_length or 0) > route.max_body_bytes:
        raise _too_large(route)
    try:
        text = await request.content.read(route.max_body_bytes + 1) if request.can_read_body else b""
        while len(text) <= route.max_body_bytes and (more := await request.content.read(1 << 16)):
            text += more
        if len(text) > route.max_body_bytes:
            raise _too_large(route)
        data = json.loads(text or b"{}")
    except (ValueError, RecursionError):
        raise UsageError("the body is no JSON, or nested too deep") from None
    return from_json(route.request, data)


def _too_large(route: Route) -> UsageError:
    return UsageError(f"the body is larger than {route.max_body_bytes >> 20} MiB")


def error_response(error: StowError) -> web.Response:
    """Write an error of our tree."""
    headers = {}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after_seconds)))
    return web.json_response({"error": to_json(ErrorInfo.of(error))}, status=error.http_status, headers=headers)
