"""The middleware that stands before all of ComfyUI where a password is asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from ..core.errors import AccessError, SecretRequiredError, StowError
from ..core.records.download import ErrorInfo
from ..core.records.json import to_json
from .gate import allowed_origin, is_local
from .gateway import facts_of
from .password import COOKIE, LOGGED_IN, LOGIN_PATH, Shown, has_cookie, knows, log_in, page

if TYPE_CHECKING:
    from .gateway import Gateway, Link

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def guarded(request: web.Request, handler: Handler, gateway: Gateway) -> web.StreamResponse:
    """Let in who is on this machine or shows the secret; show everybody else a page, or an error as JSON."""
    facts = facts_of(request)
    if is_local(facts):
        return await handler(request)
    try:
        link = await gateway.link()
    except StowError as err:
        return _refused(err)
    if request.path == LOGIN_PATH and request.method == "POST":
        return await log_in(request, link.secret)
    shown = Shown(
        cookie=request.cookies.get(COOKIE),
        secret=facts.secret,
        authorization=request.headers.get("Authorization"),
    )
    if knows(shown, link.secret):
        request[LOGGED_IN] = True
        return await handler(request)
    if has_cookie(shown, link.secret):
        return await _with_cookie(request, handler, link)
    if "text/html" in request.headers.get("Accept", "") and request.method == "GET":
        return page()
    return _refused(
        SecretRequiredError(
            "this ComfyUI asks for its access secret", hint="open it in a browser, or send `X-ComfyStow-Secret`"
        )
    )


async def _with_cookie(request: web.Request, handler: Handler, link: Link) -> web.StreamResponse:
    """A browser sends a cookie along with what another page asks for; who asks shows in `Origin`.

    Neighbours below a provider's proxy count as the same site, so that `SameSite` keeps them out of nothing.
    """
    facts = facts_of(request)
    if not allowed_origin(facts, link.settings):
        return _refused(AccessError("a page of another origin asked for this", hint="open ComfyUI itself"))
    request[LOGGED_IN] = True
    return await handler(request)


def _refused(error: StowError) -> web.Response:
    status = 401 if isinstance(error, SecretRequiredError) else error.http_status
    return web.json_response({"error": to_json(ErrorInfo.of(error))}, status=status)
