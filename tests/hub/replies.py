"""Requests and replies as the three origins see them, and which bytes of a file a request asks for."""

from __future__ import annotations

import email.message
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .blobs import Blob, BytesBlob

Header = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One parsed request."""

    origin: str
    method: str
    target: str
    path: str
    query: dict[str, list[str]]
    headers: email.message.Message
    body: bytes

    def first(self, name: str) -> str | None:
        """Give the first value of a query parameter."""
        values = self.query.get(name)
        return values[0] if values else None

    def flag(self, name: str) -> bool:
        return (self.first(name) or "").lower() in {"true", "1"}

    @property
    def bearer(self) -> str | None:
        """Give the token of the Authorization header, if it is a bearer token."""
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None

    def json(self) -> Any:
        return json.loads(self.body or b"null")


@dataclass(slots=True, kw_only=True)
class Reply:
    """What goes back: a status, headers and a run of a blob."""

    status: int = 200
    headers: list[Header] = field(default_factory=list)
    blob: Blob = field(default=BytesBlob(b""))
    start: int = 0
    length: int = 0
    # Which file this request is about (also on the redirects that lead to it), and whether its bytes are in here.
    file: str = ""
    carries_file: bool = False
    # Answers the same request with another content or validator, or as if it had asked for no range.
    remake: Callable[[Blob, str, bool], Reply] | None = None

    def set(self, name: str, value: str) -> None:
        """Set one header, replacing any of that name."""
        self.drop(name)
        self.headers.append((name, value))

    def drop(self, name: str) -> None:
        self.headers = [row for row in self.headers if row[0].lower() != name.lower()]


def text(
    body: str, status: int = 200, content_type: str = "text/plain; charset=utf-8", headers: Sequence[Header] = ()
) -> Reply:
    """Make a reply from text."""
    data = body.encode()
    return Reply(
        status=status, headers=[("Content-Type", content_type), *headers], blob=BytesBlob(data), length=len(data)
    )


def as_json(value: Any, status: int = 200, headers: Sequence[Header] = ()) -> Reply:
    return text(json.dumps(value, ensure_ascii=False), status, "application/json; charset=utf-8", headers)


def redirect(location: str, status: int, headers: Sequence[Header] = ()) -> Reply:
    """Make a redirect with the short text body that Express (and so the Hub) writes."""
    return text(f"Found. Redirecting to {location}", status, headers=[("Location", location), *headers])


def html(title: str, status: int = 200) -> Reply:
    body = f"<!doctype html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return text(body, status, "text/html; charset=utf-8")


def xml_error(status: int, code: str, message: str) -> Reply:
    """Make an error as object stores write it (S3 API reference, Error Responses)."""
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return text(body, status, "application/xml")


_RANGE = re.compile(r"^bytes=(\d*)-(\d*)$")


def file_reply(
    request: Request,
    blob: Blob,
    *,
    file: str,
    etag: str,
    modified: str,
    headers: Sequence[Header] = (),
    honour_range: bool = True,
) -> Reply:
    """Answer a request for a file: validators, one range, or the whole (RFC 9110 sections 13 and 14).

    Several ranges at once are answered with the whole file, as S3 does (GetObject: one range per request).
    """

    def remake(other: Blob, other_etag: str, honour: bool) -> Reply:
        return file_reply(
            request, other, file=file, etag=other_etag, modified=modified, headers=headers, honour_range=honour
        )

    reply = Reply(file=file, carries_file=True, blob=blob, length=blob.size, remake=remake)
    reply.headers = [
        ("Content-Type", "application/octet-stream"),
        ("ETag", etag),
        ("Last-Modified", modified),
        ("Accept-Ranges", "bytes"),
        *headers,
    ]
    if request.headers.get("If-None-Match", "") == etag:
        return Reply(status=304, headers=[("ETag", etag)], file=file)
    match = _RANGE.match(request.headers.get("Range", "").replace(" ", ""))
    if_range = request.headers.get("If-Range")
    # If-Range compares strongly: a weak tag never matches (RFC 9110 section 13.1.5).
    stale = if_range is not None and if_range not in (etag if not etag.startswith("W/") else None, modified)
    if not honour_range or match is None or match.group(0) == "bytes=-" or stale:
        return reply
    first, last = match.groups()
    if first:
        start, end = int(first), min(int(last) if last else blob.size, blob.size - 1)
        if last and int(last) < int(first):
            return reply
    else:
        start, end = max(0, blob.size - int(last)), blob.size - 1
    if start >= blob.size or start > end:
        refusal = xml_error(416, "InvalidRange", "The requested range is not satisfiable")
        refusal.set("Content-Range", f"bytes */{blob.size}")
        refusal.file = file
        return refusal
    reply.status, reply.start, reply.length = 206, start, end - start + 1
    reply.headers.append(("Content-Range", f"bytes {start}-{end}/{blob.size}"))
    return reply
