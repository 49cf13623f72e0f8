"""The middleware that stands before all of ComfyUI where a password is asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from ..core.errors import AccessError, SecretRequiredError, StowError
from .gate import Facts, allowed_origin, is_local
from .gateway import error_response, facts_of
from .password import COOKIE, LOGGED_IN, LOGIN_PATH, Shown, given_by, has_cookie, knows, page, password_of, welcome

if TYPE_CHECKING:
    from .gateway import Gateway, Link

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_UNAUTHORIZED = 401


async def guarded(request: web.Request, handler: Handler, gateway: Gateway) -> web.StreamResponse:
    """Let in who is on this machine or shows the secret; show everybody else a page, or an error as JSON."""
    facts = facts_of(request)
    if is_local(facts):
        return await handler(request)
    try:
        link = await gateway.link()
        if not link.settings.allow_remote:
            if request.path == LOGIN_PATH and request.method == "POST":
                return await _log_in(request, gateway, link)
            _admit(request, facts, gateway, link)
    except SecretRequiredError as err:
        if "text/html" in request.headers.get("Accept", "") and request.method == "GET":
            return page()
        return error_response(err, _UNAUTHORIZED)
    except StowError as err:
        return error_response(err)
    return await handler(request)


def _admit(request: web.Request, facts: Facts, gateway: Gateway, link: Link) -> None:
    """Let a request pass. Raises: SecretRequiredError, TooManyTriesError; AccessError: another origin's page asked.

    A browser sends the cookie along with what other pages ask for, and neighbours below a provider's proxy count as
    the same site, so that `SameSite` keeps them out of nothing: who asks shows in `Origin`.
    """
    shown = Shown(
        cookie=request.cookies.get(COOKIE), secret=facts.secret, authorization=request.headers.get("Authorization")
    )
    if has_cookie(shown, link.secret):
        if not allowed_origin(facts, link.settings):
            raise AccessError(
                "a page of another origin asked for this",
                hint="if that is how you reach ComfyUI, list it in COMFYSTOW_ALLOW_ORIGINS",
            )
    elif given_by(shown):
        _try(knows(shown, link.secret), facts, gateway)
    else:
        raise SecretRequiredError("this ComfyUI asks for its access secret", hint=_HINT)
    request[LOGGED_IN] = True


async def _log_in(request: web.Request, gateway: Gateway, link: Link) -> web.StreamResponse:
    """Take the form of the page: set the cookie and go on, or show the page again."""
    given = await password_of(request)
    try:
        _try(knows(Shown(secret=given), link.secret), facts_of(request), gateway)
    except StowError as err:
        return page(f"{err.message}. {err.hint or ''}", wait_seconds=err.retry_after_seconds)
    return welcome(request, link.secret)


def _try(right: bool, facts: Facts, gateway: Gateway) -> None:  # noqa: FBT001 - the outcome itself
    """Count a try. Raises: TooManyTriesError: there were too many; SecretRequiredError: it was wrong."""
    gateway.attempts.check(facts.peer, facts.caller)
    if not right:
        gateway.attempts.wrong(facts.peer, facts.caller)
        raise SecretRequiredError("that is not the access secret", hint=_HINT)
    gateway.attempts.right(facts.peer, facts.caller)


_HINT = "`comfystow auth secret` on the server shows it; programs send it in `X-ComfyStow-Secret`"
