"""Secrets: how they are held, and how they are kept out of whatever people and files see."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

MASK = "********"

# Parameters that carry a secret: Civitai's `token`, presigned S3/R2/GCS/Azure URLs, CloudFront's signature.
_PARAMETER = re.compile(
    r"(?i)\b(token|api_?key|access_token|key|password|secret|signature|sig|policy|key-pair-id"
    r"|x-(?:amz|goog)-(?:signature|credential|security-token))=[^\s&\"'<>]+"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}")
_KNOWN_TOKEN = re.compile(r"\b(?:hf_[A-Za-z0-9]{6,}|gh[pousr]_[A-Za-z0-9]{20,}|rpa_[A-Za-z0-9]{20,})")
# A model and its version in our own spelling, `civitai://MODEL@VERSION`, are no name and password.
_USERINFO = re.compile(r"(?i)\b(?!civitai://\d+@\d)([a-z][a-z0-9+.-]*://)[^\s/@]+@")


class Secret:
    """A text that is shown only by `reveal()`: `str`, `repr`, formatting and pickling do not give it away."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text; call it where a header is made, and nowhere else."""
        return self._text

    def __repr__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a secret is not written anywhere")


def redact(url: str) -> str:
    """Return a URL without query, fragment and userinfo: fit for logs and messages."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return MASK
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{port}{parts.path}" if parts.scheme else f"{shown}{port}{parts.path}"


def scrub(text: str) -> str:
    """Return a free text (a server's message, an exception's words) without what looks like a secret."""
    # A pattern is tried only where the text has what it cannot match without: each row of a queue has three texts.
    if "=" in text:
        text = _PARAMETER.sub(lambda match: f"{match[1]}={MASK}", text)
    if len(text.split(maxsplit=1)) > 1:
        text = _BEARER.sub(lambda match: f"{match[1]} {MASK}", text)
    if "@" in text:
        text = _USERINFO.sub(lambda match: f"{match[1]}{MASK}@", text)
    return _KNOWN_TOKEN.sub(MASK, text) if "_" in text else text
