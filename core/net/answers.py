"""What a server's refusal means, as far as every server means the same by it.

A provider knows its own refusals better; its `Explainer` is asked first (`HttpClient.explainers`).
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..errors import (
    AuthRequiredError,
    GoneError,
    NotFoundError,
    RateLimitedError,
    ServerError,
    SourceError,
    StowError,
)
from .secrets import redact, scrub

REDIRECTS = frozenset({301, 302, 303, 307, 308})

#: Longest pause that a server may ask for; more is treated as this (Civitai's and the Hub's windows are minutes).
MAX_RETRY_AFTER_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer, with as much of its body as explains it. Header names are case-insensitive."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    with_token: bool = False

    def text(self, limit: int = 300) -> str:
        """Return the body's beginning as one safe line, without secrets."""
        line = " ".join(self.body[: 4 * limit].decode("utf-8", "replace").split())
        return scrub("".join(char for char in line if char.isprintable()))[:limit]


Explainer = Callable[[Answer], StowError | None]


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Read how long a server asks us to wait: Retry-After (RFC 9110 §10.2.3), else the end of a used-up window.

    The Hub sends `RateLimit: "api";r=0;t=55` (draft-ietf-httpapi-ratelimit-headers), with `r` above 0 on every answer.
    """
    seconds = _retry_after(headers.get("Retry-After", ""))
    if seconds is None and (match := re.search(r";\s*r=0\s*;\s*t=(\d{1,6})\b", headers.get("RateLimit", ""))):
        seconds = float(match[1])
    return None if seconds is None else min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _retry_after(text: str) -> float | None:
    if not text:
        return None
    try:
        seconds = float(text)
        return seconds if math.isfinite(seconds) else None
    except ValueError:
        pass
    from email.utils import parsedate_to_datetime  # 30 ms to import, and dates are rare

    try:
        return parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None


def explain(answer: Answer, explainers: tuple[Explainer, ...] = ()) -> StowError:
    """Return the error for an answer of 400 and above."""
    for explainer in explainers:
        if (known := explainer(answer)) is not None:
            return known
    where, status, pause = f"`{redact(answer.url)}`", answer.status, retry_after_seconds(answer.headers)
    if status == 401 or status == 407:
        hint = "check the token" if answer.with_token else "store a token with `comfystow auth set`"
        return AuthRequiredError(f"{where} wants a token (HTTP {status})", hint=hint)
    if status == 404:
        return NotFoundError(f"{where} does not exist (HTTP 404)", hint="check the link")
    if status == 410:
        return GoneError(f"{where} was removed (HTTP 410)", hint="look for another source")
    if status == 429:
        told = f" for {pause:.0f} s" if pause is not None else ""
        return RateLimitedError(
            f"{where} asks us to slow down{told} (HTTP 429)", hint="it is tried again", retry_after_seconds=pause
        )
    if status in {408, 425} or status >= 500:
        return ServerError(f"{where} failed (HTTP {status})", hint="it is tried again", retry_after_seconds=pause)
    return SourceError(f"{where} refused (HTTP {status})", hint="open the link in a browser to see why")
