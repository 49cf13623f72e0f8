"""Who may ask: judged by what a browser cannot forge for another site's page, and by the access secret (pure).

ComfyUI itself has no authentication, and its own origin check covers loopback only (0.3.75, server.py,
`create_origin_only_middleware`). A simple cross-site form or image sends no header of its own, so a header that no
foreign page can set without a preflight keeps such pages out; a DNS name that was rebound to 127.0.0.1 shows in `Host`.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from ..core.config import Settings
from ..core.errors import AccessError, SecretRequiredError


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the gate looks at of one request; a header that was not sent is None."""

    changes: bool
    peer: str | None
    host: str | None
    origin: str | None = None
    sec_fetch_site: str | None = None
    content_type: str | None = None
    our_header: str | None = None
    secret: str | None = None
    forwarded: bool = False
    caller: str = ""
    """What proxies say of who asks; a caller can write it himself."""
    logged_in: bool = False
    """True where the guard before ComfyUI has seen the secret, or the cookie that proves it."""


def judge(facts: Facts, settings: Settings, secret: str) -> None:
    """Let a request pass. Raises: AccessError, SecretRequiredError: with what to do."""
    if facts.changes:
        _check_form(facts)
    if facts.sec_fetch_site == "cross-site" and not _origin_allowed(facts.origin, settings):
        raise AccessError("a page of another site asked for this", hint="open ComfyUI itself")
    if not allowed_origin(facts, settings):
        raise AccessError(
            f"pages of `{(facts.origin or '')[:80]}` may change nothing here",
            hint="if that is how you reach ComfyUI, list it in COMFYSTOW_ALLOW_ORIGINS",
        )
    if is_local(facts) or settings.allow_remote or facts.logged_in:
        return
    if facts.secret is None or not hmac.compare_digest(facts.secret.encode(), secret.encode()):
        said = "the access secret is missing" if facts.secret is None else "that is not the access secret"
        raise SecretRequiredError(
            f"{said}: this request comes from another machine",
            hint="`comfystow auth secret` on the server shows it",
        )


def allowed_origin(facts: Facts, settings: Settings) -> bool:
    """Tell whether a request comes from our own page, from one that the owner listed, or from no page at all."""
    return facts.origin is None or _same_origin(facts) or _origin_allowed(facts.origin, settings)


def is_local(facts: Facts) -> bool:
    """Tell whether the request was made on this machine: by its peer and by the name it used.

    A client chooses its `Host`, and a proxy on this machine is our peer for everybody: both must speak of loopback,
    and no proxy may have said that it passes on.
    """
    return not facts.forwarded and _is_loopback(facts.peer) and _is_loopback(_hostname(facts.host))


def _check_form(facts: Facts) -> None:
    media_type = (facts.content_type or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise AccessError("changes are asked for as JSON", hint="send `Content-Type: application/json`")
    if facts.our_header != "1":
        raise AccessError("the header `X-ComfyStow: 1` is missing", hint="it keeps other sites' pages out")


def _same_origin(facts: Facts) -> bool:
    if facts.origin is None or facts.host is None:
        return False
    try:
        parts = urlsplit(facts.origin)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and parts.netloc.lower() == facts.host.lower()


def _origin_allowed(origin: str | None, settings: Settings) -> bool:
    allowed = (*settings.allow_origins, *((settings.proxy_origin,) if settings.proxy_origin else ()))
    return origin is not None and origin.rstrip("/").lower() in {entry.rstrip("/").lower() for entry in allowed}


def _hostname(host: str | None) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname if host else None
    except ValueError:
        return None


def _is_loopback(name: str | None) -> bool:
    if name is None:
        return False
    if name.lower() == "localhost":
        return True
    try:
        address = ip_address(name.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
