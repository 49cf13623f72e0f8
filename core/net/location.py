"""The walk from a link to the place that holds the bytes, redirect by redirect, by hand.

Every hop passes the gate. A token is sent while the walk stays on the hosts of one provider; after the first foreign
host none is sent any more, not even when a redirect leads back: who controls the foreign host chose that URL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from ..errors import RangeRefusedError, ServerError
from ..paths import PathComponent
from .answers import REDIRECTS
from .client import MAX_BODY_BYTES, HttpClient, Response
from .credentials import Credentials
from .disposition import suggested_name
from .egress import MAX_HOPS
from .hosts import origin_of
from .secrets import redact

if TYPE_CHECKING:
    import aiohttp

#: The span that shows size and ranges.
FIRST_BYTE = (0, 1)

_CONTENT_RANGE = re.compile(r"bytes\s+(?:(\d{1,19})-(\d{1,19})|\*)/(\d{1,19}|\*)", re.IGNORECASE)
_MAX_LENGTH_DIGITS = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One redirect that was followed: where from, and what its answer's headers said."""

    url: str
    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """The end of a walk. `body` holds what was read of the answer: the first bytes, or all when asked for.

    `accepts_ranges` is True only when this answer was the range that was asked for.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    hops: tuple[Hop, ...]
    size_bytes: int | None
    etag: str | None
    accepts_ranges: bool | None
    filename: PathComponent | None
    body: bytes = b""

    @property
    def response(self) -> Response:
        """The answer as a whole, when its body was read."""
        return Response(url=self.url, status=self.status, headers=self.headers, body=self.body)

    def header(self, name: str) -> str | None:
        """Return a header from the last answer that has it, the end or a hop before."""
        answers = (self.headers, *(hop.headers for hop in reversed(self.hops)))
        found = (headers.get(name) for headers in answers)
        return next((value for value in found if value is not None), None)


async def locate(
    client: HttpClient,
    url: str,
    *,
    credentials: Credentials | None = None,
    span: tuple[int, int] | None = None,
    method: str = "GET",
    json: object = None,
    max_body_bytes: int = 0,
    stay: bool = False,
) -> Location:
    """Follow redirects to the first answer that is none, and read the `span` or at most `max_body_bytes` of it.

    By GET unless told, as Civitai answers HEAD with 401 whatever the token. `stay` ends the walk at a redirect that
    leaves the origin of the URL: a hub tells all about a file before it points at its storage.
    Raises: EgressError, ServerError (redirect loop), and the errors of `HttpClient` and of refusals.
    """
    headers = {"Range": f"bytes={span[0]}-{span[1] - 1}"} if span else {}
    limit = span[1] - span[0] if span else max_body_bytes
    hops: list[Hop] = []
    here = url
    owner = credentials.provider_of(url) if credentials is not None else None
    while True:
        if credentials is not None and credentials.provider_of(here) != owner:
            credentials = None
        async with client.open(method, here, credentials=credentials, headers=headers, json=json) as reply:
            if reply.status in REDIRECTS and reply.headers.get("Location"):
                there = _next_url(here, reply.headers["Location"])
                if stay and origin_of(there) != origin_of(url):
                    return _arrived(reply, here, tuple(hops), b"", span=None)
                hops.append(Hop(url=here, status=reply.status, headers=reply.headers))
                if len(hops) > MAX_HOPS:
                    raise ServerError(f"`{redact(url)}` redirects more than {MAX_HOPS} times")
                here = there
                continue
            if reply.status >= 400 and not (reply.status == 416 and span):
                raise await client.refusal(
                    reply, here, with_token=credentials is not None and bool(credentials.headers_for(here))
                )
            body = await client.read(reply, limit) if limit else b""
            return _arrived(reply, here, tuple(hops), body, span=span)


async def get_json(
    client: HttpClient, url: str, *, credentials: Credentials | None = None, method: str = "GET", json: object = None
) -> Any:
    """Ask an API; redirects are followed, and a refusal is raised as its own error."""
    location = await locate(
        client, url, credentials=credentials, method=method, json=json, max_body_bytes=MAX_BODY_BYTES
    )
    return location.response.json()


def _next_url(here: str, target: str) -> str:
    """Join a Location to the URL it came from; header bytes that are no ASCII come as Latin-1 or surrogates."""
    try:
        return urljoin(here, target)
    except ValueError:
        raise ServerError(f"`{redact(here)}` redirects to something that is no URL") from None


def _arrived(
    reply: aiohttp.ClientResponse, url: str, hops: tuple[Hop, ...], body: bytes, *, span: tuple[int, int] | None
) -> Location:
    size, ranged = _size(reply, url, span)
    return Location(
        url=url,
        status=reply.status,
        headers=reply.headers,
        hops=hops,
        size_bytes=size,
        etag=reply.headers.get("ETag"),
        accepts_ranges=ranged if span else None,
        filename=suggested_name(reply.headers, url),
        body=body,
    )


def _size(reply: aiohttp.ClientResponse, url: str, span: tuple[int, int] | None) -> tuple[int | None, bool]:
    """Return the file's size, and whether the server serves ranges."""
    if reply.headers.get("Content-Encoding", "identity").lower() not in {"", "identity"}:
        return None, False  # the length is that of the compressed form
    if reply.status not in {200, 206, 416}:
        return None, False
    if reply.status in {206, 416}:
        match = _CONTENT_RANGE.fullmatch(reply.headers.get("Content-Range", "").strip())
        start = span[0] if span else 0
        if match is None or (reply.status == 206 and (match[1] is None or int(match[1]) != start)):
            raise RangeRefusedError(f"`{redact(url)}` answered with another range than asked for")
        return (int(match[3]) if match[3] != "*" else None), True
    length = reply.headers.get("Content-Length", "")
    return (int(length) if length.isdigit() and len(length) <= _MAX_LENGTH_DIGITS else None), False
