"""Any HTTPS file on an allowed host: GitHub releases, a web server, a mirror."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from ..errors import AuthRequiredError, NotAModelError
from ..headers.sniff import SNIFF_BYTES, Content, sniff
from ..net.client import HttpClient
from ..net.credentials import Credentials
from ..net.location import Location, locate
from ..net.secrets import redact
from ..paths import has_model_suffix
from ..records.source import Digest, ResolvedFile, UrlSource


async def resolve_url(client: HttpClient, source: UrlSource, credentials: Credentials | None) -> ResolvedFile:
    """Look at the first bytes of what a URL leads to.

    Raises: NotAModelError: a page, a pointer or an error; AuthRequiredError: a login page; and refusals.
    """
    location = await locate(client, source.url, credentials=credentials, span=(0, SNIFF_BYTES))
    refuse_page(location, source.url)
    name = location.filename
    if name is None:
        raise NotAModelError(f"`{redact(source.url)}` gives no file name", hint="link the file itself, or give --name")
    return ResolvedFile(
        source=source,
        url=source.url,
        filename=name,
        size_bytes=location.size_bytes,
        digest=digest_of(location.headers),
        etag=location.etag,
        accepts_ranges=location.accepts_ranges,
    )


def refuse_page(location: Location, url: str) -> None:
    """Refuse what is no file. Raises: NotAModelError, AuthRequiredError."""
    content = sniff(location.body)
    if not content.is_refusal:
        return
    where, path = f"`{redact(url)}`", urlsplit(location.url).path.lower()
    if content is Content.LFS_POINTER:
        raise NotAModelError(
            f"{where} is a Git LFS pointer, not the file",
            hint="link the file itself: /resolve/ on Hugging Face, media.githubusercontent.com on GitHub",
        )
    if content is Content.HTML and re.search(r"/(?:log[-_]?in|sign[-_]?in|auth|sso)\b", path):
        raise AuthRequiredError(f"{where} leads to a login page", hint="store a token for it, or use another source")
    what = "a web page" if content is Content.HTML else "an XML error"
    hint = "link the file itself, not the page about it"
    if location.hops and not has_model_suffix(path):
        hint = "the site may want a login, or the file is gone"
    raise NotAModelError(f"{where} gives {what} instead of a file", hint=hint)


def digest_of(headers: Mapping[str, str]) -> Digest | None:
    """Read a SHA-256 of the whole file: Repr-Digest (RFC 9530), or S3's checksum of an object sent in one piece."""
    match = re.search(r"sha-256=:([A-Za-z0-9+/=]{44}):", headers.get("Repr-Digest", ""))
    text = match[1] if match else headers.get("x-amz-checksum-sha256", "")
    if headers.get("x-amz-checksum-type", "FULL_OBJECT") != "FULL_OBJECT":
        return None
    try:
        raw = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    return Digest("sha256", raw.hex()) if len(raw) == 32 else None
