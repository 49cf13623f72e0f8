"""What Hugging Face's refusals mean.

Header names and codes: huggingface_hub `utils/_http.py` (hf_raise_for_status). Without a token the site answers 401
for private, gated and missing repositories alike, so only a token tells them apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from ..errors import (
    AuthRequiredError,
    DownloadsDisabledError,
    LicenceRequiredError,
    NotFoundError,
    StowError,
)
from ..net.answers import Answer

_REPO = re.compile(r"^/(?:api/)?(?:resolve-cache/)?(?:models/|datasets/|spaces/)?([^/]+/[^/]+)")
_GET_ACCESS = "make a token at https://huggingface.co/settings/tokens and run `comfystow auth set huggingface`"


def hub_explainer(is_hub: Callable[[str], bool]) -> Callable[[Answer], StowError | None]:
    """Return the explainer for answers of the URLs that `is_hub` knows."""

    def explain(answer: Answer) -> StowError | None:
        return explain_hub(answer) if is_hub(answer.url) else None

    return explain


def explain_hub(answer: Answer) -> StowError | None:
    """Return the error for a refusal of Hugging Face, None when it says nothing of its own."""
    code = answer.headers.get("X-Error-Code", "")
    match = _REPO.match(urlsplit(answer.url).path)
    repo = unquote(match[1]) if match else "this repository"
    match answer.status, code:
        case _, "GatedRepo":
            return _gated(answer, repo)
        case 404, "EntryNotFound":
            return NotFoundError(f"`{repo}` has no such file", hint="look at the repository's file list")
        case 404, "RevisionNotFound":
            return NotFoundError(f"`{repo}` has no such branch, tag or commit", hint="`main` is the usual branch")
        case 401, _:
            return _unauthorized(answer, repo)
        case 404, _:
            if answer.with_token:
                hint = "check the name; if it is private, its owner must let your account in"
                return NotFoundError(f"`{repo}` does not exist, or your token may not see it", hint=hint)
            return NotFoundError(f"`{repo}` does not exist", hint="check owner and name")
        case 403, _:
            return _forbidden(answer, repo)
        case _:
            return None


def _gated(answer: Answer, repo: str) -> StowError:
    page = f"https://huggingface.co/{repo}"
    if answer.status == 401 or not answer.with_token:
        hint = f"accept its licence at {page}, then {_GET_ACCESS}"
        return AuthRequiredError(f"`{repo}` is gated and wants a token", hint=hint)
    return LicenceRequiredError(
        f"`{repo}` is gated, and your account has not accepted its licence",
        hint=f"accept it at {page}; a fine-grained token also needs the permission to read gated repositories",
    )


def _unauthorized(answer: Answer, repo: str) -> StowError:
    if answer.with_token:
        hint = f"it is wrong or was withdrawn; {_GET_ACCESS}"
        return AuthRequiredError("Hugging Face does not take the token", hint=hint)
    return AuthRequiredError(
        f"`{repo}` does not exist, or it is private or gated",
        hint=f"check owner and name; if it is not public, {_GET_ACCESS}",
    )


def _forbidden(answer: Answer, repo: str) -> StowError:
    message = answer.headers.get("X-Error-Message", "") or answer.text()
    if "disabled" in message.lower():
        return DownloadsDisabledError(f"Hugging Face has disabled `{repo}`", hint="look for another source")
    if answer.with_token:
        hint = "a fine-grained token needs the permission to read this repository's contents"
        return AuthRequiredError(f"the token may not read `{repo}`", hint=hint)
    return AuthRequiredError(f"`{repo}` is not public", hint=_GET_ACCESS)
