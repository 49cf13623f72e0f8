"""What Civitai's refusals mean.

Statuses and texts: civitai/civitai, `src/pages/api/download/models/[modelVersionId].ts` and
`src/server/services/file.service.ts` (getFileForModelVersion).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlsplit

from ..errors import (
    AuthRequiredError,
    DownloadsDisabledError,
    EarlyAccessError,
    GoneError,
    NotFoundError,
    SourceError,
    StowError,
)
from ..net.answers import Answer
from ..net.secrets import scrub

_GET_ACCESS = "make an API key at https://civitai.com/user/account and run `comfystow auth set civitai`"


def civitai_explainer(is_civitai: Callable[[str], bool]) -> Callable[[Answer], StowError | None]:
    """Return the explainer for answers of the URLs that `is_civitai` knows."""

    def explain(answer: Answer) -> StowError | None:
        return explain_civitai(answer) if is_civitai(answer.url) else None

    return explain


def explain_civitai(answer: Answer) -> StowError | None:
    """Return the error for a refusal of Civitai, None when it says nothing of its own."""
    body = _fields(answer.body)
    message = body.get("message") or body.get("error") or answer.text()
    match answer.status:
        case 401:
            return _unauthorized(message, with_token=answer.with_token)
        case 403:
            return _forbidden(message, body.get("deadline"))
        case 404:
            return NotFoundError(
                f"Civitai has no such {_thing(answer.url)}", hint="check the ids; it may be unpublished or removed"
            )
        case 410:
            return GoneError("Civitai has archived this model", hint="its files cannot be downloaded any more")
        case _:
            return None


def login_required(*, with_token: bool) -> AuthRequiredError:
    """Return the error for a file that only members get."""
    if with_token:
        return AuthRequiredError("Civitai does not take the token", hint=f"it may be withdrawn; {_GET_ACCESS}")
    return AuthRequiredError("Civitai gives this file to logged-in members only", hint=_GET_ACCESS)


def downloads_disabled() -> DownloadsDisabledError:
    """Return the error for a model that may be used on the site only."""
    return DownloadsDisabledError(
        "the creator has switched downloads of this file off", hint="it can be used on Civitai's own generator only"
    )


def _unauthorized(message: str, *, with_token: bool) -> StowError:
    return downloads_disabled() if "disabled" in message.lower() else login_required(with_token=with_token)


def _forbidden(message: str, deadline: str | None) -> StowError:
    if deadline is not None or "early access" in message.lower():
        until = f" until {deadline[:10]}" if deadline else ""
        return EarlyAccessError(
            f"this version is in early access{until}",
            hint="buy it on its page with the account of your token, or wait until it is free",
        )
    return SourceError(f"Civitai refused: {message[:160]}", hint="open the model's page to see why")


def _thing(url: str) -> str:
    path = urlsplit(url).path
    return "file" if "/download/" in path else "version" if "model-versions" in path else "model"


def _fields(body: bytes) -> dict[str, str]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(data, dict):
        return {}
    return {str(name): scrub(value)[:300] for name, value in data.items() if isinstance(value, str)}
