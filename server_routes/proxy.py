"""Requests of browsers on their way to the engine: read within bounds, passed on as bytes, never parsed here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from aiohttp import web

from ..core.engine.routes import Route
from ..core.errors import UsageError

if TYPE_CHECKING:
    from ..core.engine.client import EngineClient


async def pass_on(
    request: web.Request, route: Route, parameters: Mapping[str, str], client: EngineClient
) -> web.Response:
    """Ask the engine and give its answer as it is. Raises: UsageError: the body is too large; EngineError."""
    body = await _body(request, route) if route.changes else None
    answer = await client.relay(route.method, _path(request, route, parameters), body)
    headers = {"Retry-After": answer.retry_after} if answer.retry_after else {}
    return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type, headers=headers)


def _path(request: web.Request, route: Route, parameters: Mapping[str, str]) -> str:
    """Fill the row's path again, quoted: what a client wrote as `%2e%2e` stays one segment."""
    path = route.path
    for name, value in parameters.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    query = request.rel_url.raw_query_string  # `query_string` is half decoded: `%2541` would become `A`, `%23` the end
    return f"{path}?{query}" if query else path


async def _body(request: web.Request, route: Route) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.content.iter_chunked(1 << 16):
        size += len(chunk)
        if size > route.max_body_bytes:
            raise UsageError(f"the body is larger than {route.max_body_bytes >> 20} MiB")
        chunks.append(chunk)
    return b"".join(chunks)
