"""A password before ComfyUI itself, which has none: on a pod whoever knows its address could run workflows there.

Switched on by COMFYSTOW_COMFYUI_PASSWORD (`pod up` sets it). The password is the access secret. A browser gives it
once on a page of ours and keeps a cookie; programs send `X-ComfyStow-Secret`, or `Authorization: Bearer` or `Basic`.
What comes from this machine, as the gate sees it, needs none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import html
import math
from dataclasses import dataclass

from aiohttp import web

LOGIN_PATH = "/comfystow/login"
COOKIE = "comfystow_access"

#: Set on a request that came with the right cookie: the panel's own routes ask for no more.
LOGGED_IN = "comfystow_logged_in"

_MONTH_SECONDS = 30 * 24 * 3600
_MOST_FORM_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a request shows to be let in; what it did not send is None."""

    cookie: str | None = None
    secret: str | None = None
    authorization: str | None = None


def cookie_of(secret: str) -> str:
    """Return what a cookie holds: it proves the secret and does not tell it."""
    return hmac.new(secret.encode(), b"comfystow access cookie", hashlib.sha256).hexdigest()


def given_by(shown: Shown) -> list[str]:
    """Return what headers give for the secret."""
    return [text for text in (shown.secret, _authorized(shown.authorization)) if text is not None]


def knows(shown: Shown, secret: str) -> bool:
    """Tell whether a header shows the secret."""
    return any(hmac.compare_digest(text.encode(), secret.encode()) for text in given_by(shown))


def has_cookie(shown: Shown, secret: str) -> bool:
    """Tell whether the cookie is the right one."""
    return shown.cookie is not None and hmac.compare_digest(shown.cookie.encode(), cookie_of(secret).encode())


def _authorized(header: str | None) -> str | None:
    kind, _, rest = (header or "").partition(" ")
    if kind.lower() == "bearer":
        return rest.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, ValueError):
            return None
    return None


async def password_of(request: web.Request) -> str:
    """Return what the form of the page holds."""
    from urllib.parse import parse_qs

    body = await request.content.read(_MOST_FORM_BYTES)
    return parse_qs(body.decode("utf-8", "replace")).get("password", [""])[0].strip()


def welcome(request: web.Request, secret: str) -> web.Response:
    """Return the answer to the right password: a cookie, and the way to ComfyUI."""
    response = web.Response(status=303, headers={"Location": "/", "Cache-Control": "no-store"})
    secure = request.secure or request.headers.get("X-Forwarded-Proto", "").startswith("https")
    response.set_cookie(
        COOKIE, cookie_of(secret), max_age=_MONTH_SECONDS, httponly=True, samesite="Lax", secure=secure, path="/"
    )
    return response


def page(problem: str = "", *, wait_seconds: float | None = None) -> web.Response:
    """Return the page that asks; it loads nothing from anywhere. `wait_seconds` says when it may be tried again."""
    again = {"Retry-After": str(math.ceil(wait_seconds))} if wait_seconds is not None else {}
    return web.Response(
        status=401 if wait_seconds is None else 429,
        text=_PAGE.replace("{problem}", html.escape(problem)),
        content_type="text/html",
        headers={
            **again,
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
        },
    )


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>ComfyUI</title><style>
body { font: 16px system-ui, sans-serif; background: #202020; color: #eee; display: grid; place-items: center;
  min-height: 100vh; margin: 0 }
form { display: grid; gap: 12px; width: min(340px, 90vw) }
input, button { font: inherit; padding: 10px; border-radius: 6px; border: 1px solid #666 }
input { background: #2b2b2b; color: inherit } button { background: #2f6fd6; color: #fff; border: 0 }
p { margin: 0; color: #bbb } p[role=alert] { color: #ff9b9b }
</style></head><body><form method="post" action="/comfystow/login">
<label for="password">Access secret of this ComfyUI</label>
<input id="password" name="password" type="password" autocomplete="current-password" autofocus required>
<button>Open</button><p role="alert">{problem}</p>
<p>The pod showed it at its first start; <code>comfystow auth secret</code> shows it again.</p>
</form></body></html>
"""
