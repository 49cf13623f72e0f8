"""The head of an HTTP/1.1 response: read from hostile bytes, and judged against what was asked for (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from ...errors import ServerError

#: Signed Location headers run to 3 kB; nginx and CDNs send heads below 8 kB.
MAX_HEAD_BYTES = 64 << 10

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [^\r\n]*)?")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2, token
_CONTENT_RANGE = re.compile(r"bytes\s+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.IGNORECASE)
_UNSATISFIED = re.compile(r"bytes\s+\*/(\d{1,18})", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,18}")


class Headers(Mapping[str, str]):
    """Header fields by case-insensitive name; repeated ones are joined as RFC 9110 §5.3 has it."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, str] | None = None) -> None:
        self._fields = {name.lower(): value for name, value in (fields or {}).items()}

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"Headers({', '.join(self._fields)})"  # values may carry signatures


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers of one response."""

    status: int
    headers: Headers
    keep_alive: bool

    @property
    def chunked(self) -> bool:
        """True for a body in chunks, whose length is not told."""
        return "transfer-encoding" in self.headers

    @property
    def length(self) -> int | None:
        """The length of the body as told, None where the end of the connection or of the chunks is its end."""
        text = self.headers.get("content-length", "").strip()
        return int(text) if not self.chunked and _NUMBER.fullmatch(text) else None

    @property
    def encoded(self) -> bool:
        """True where the body is not the file itself but a compressed form of it."""
        return self.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}

    @property
    def etag(self) -> str | None:
        """The entity tag when it is a strong one: only those name bytes (RFC 9110 §8.8.1)."""
        tag = self.headers.get("etag", "").strip()
        return tag if len(tag) > 2 and tag.startswith('"') and tag.endswith('"') and tag.isprintable() else None


def parse_head(raw: bytes) -> Head:
    """Read a head, without its empty line. Raises: ServerError: it is no HTTP/1.x, or it contradicts itself."""
    lines = raw.split(b"\r\n")
    status = _STATUS.fullmatch(lines[0])
    if status is None:
        raise ServerError("the server does not speak HTTP/1.1", hint="it is tried again")
    fields: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or _NAME.fullmatch(name) is None:
            raise ServerError("the server sent a malformed header", hint="it is tried again")
        key, text = name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1")
        if key == "content-length" and fields.get(key, text) != text:
            raise ServerError("the server told two lengths of one body", hint="it is tried again")
        fields[key] = f"{fields[key]}, {text}" if key in fields and key != "content-length" else text
    connection = fields.get("connection", "").lower()
    keep_alive = "close" not in connection if status[1] == b"1" else "keep-alive" in connection
    return Head(int(status[2]), Headers(fields), keep_alive)


class Meaning(Enum):
    """What an answer to a range request is."""

    RANGE = "range"  # the range that was asked for
    WHOLE = "whole"  # the whole file from its first byte, the range was ignored
    REFUSED = "refused"  # an answer that must not be taken
    CHANGED = "changed"  # another file than the one begun
    END = "end"  # nothing is there from `start` on: the file is `size_bytes` long
    ERROR = "error"  # 4xx or 5xx
    REDIRECT = "redirect"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer judged: which bytes of the file its body holds (`stop` None: to an unknown end), or why not."""

    meaning: Meaning
    start: int = 0
    stop: int | None = None
    size_bytes: int | None = None
    reason: str = ""


def judge(
    head: Head, *, start: int, stop: int | None, size_bytes: int | None, etag: str | None, conditional: bool
) -> Verdict:
    """Judge the answer to a request for `[start, stop)` of a file of known or unknown size and tag.

    `conditional` tells that If-Range was sent, so that 200 may mean a changed file. Nothing is believed that is not
    consistent: a range must begin where it was asked for, end within, fit its own length, total and tag.
    """
    if head.status in {301, 302, 303, 307, 308}:
        return Verdict(Meaning.REDIRECT)
    if head.status == 206:
        return _judge_range(head, start=start, stop=stop, size_bytes=size_bytes, etag=etag)
    if head.status == 416:
        return _judge_unsatisfied(head, size_bytes)
    if head.status == 200:
        return _judge_whole(head, size_bytes=size_bytes, etag=etag, conditional=conditional)
    if head.status >= 400:
        return Verdict(Meaning.ERROR)
    return Verdict(Meaning.REFUSED, reason=f"HTTP {head.status}")


def _judge_range(head: Head, *, start: int, stop: int | None, size_bytes: int | None, etag: str | None) -> Verdict:
    if head.encoded:
        return Verdict(Meaning.REFUSED, reason="a compressed part")
    match = _CONTENT_RANGE.fullmatch(head.headers.get("content-range", "").strip())
    if match is None:
        return Verdict(Meaning.REFUSED, reason="a part without a proper Content-Range")
    first, last = int(match[1]), int(match[2])
    total = int(match[3]) if match[3] != "*" else None
    if size_bytes is not None and total is not None and total != size_bytes:
        return Verdict(Meaning.CHANGED, size_bytes=total, reason=f"{total} bytes instead of {size_bytes}")
    if etag is not None and head.etag is not None and head.etag != etag:
        return Verdict(Meaning.CHANGED, size_bytes=total, reason="another ETag")
    if first != start or last < first or (stop is not None and last >= stop) or (total is not None and last >= total):
        return Verdict(Meaning.REFUSED, reason=f"bytes {first}-{last} instead of those from {start}")
    if head.length is not None and head.length != last + 1 - first:
        return Verdict(Meaning.REFUSED, size_bytes=total, reason="a part whose length contradicts its Content-Range")
    return Verdict(Meaning.RANGE, start=first, stop=last + 1, size_bytes=total)


def _judge_unsatisfied(head: Head, size_bytes: int | None) -> Verdict:
    match = _UNSATISFIED.fullmatch(head.headers.get("content-range", "").strip())
    total = int(match[1]) if match else None
    if total is not None and size_bytes in {None, total}:
        return Verdict(Meaning.END, size_bytes=total)
    if total is not None and total != size_bytes:
        return Verdict(Meaning.CHANGED, size_bytes=total, reason=f"{total} bytes instead of {size_bytes}")
    return Verdict(Meaning.REFUSED, reason="HTTP 416")


def _judge_whole(head: Head, *, size_bytes: int | None, etag: str | None, conditional: bool) -> Verdict:
    if head.encoded:
        return Verdict(Meaning.REFUSED, reason="a compressed body")
    if etag is not None and head.etag is not None and head.etag != etag:
        return Verdict(Meaning.CHANGED, size_bytes=head.length, reason="another ETag")
    if size_bytes is not None and head.length is not None and head.length != size_bytes:
        return Verdict(Meaning.CHANGED, size_bytes=head.length, reason=f"{head.length} bytes instead of {size_bytes}")
    if conditional and etag is not None and head.etag is None:
        return Verdict(Meaning.CHANGED, size_bytes=head.length, reason="no longer the same ETag")
    return Verdict(Meaning.WHOLE, stop=head.length, size_bytes=head.length)
