"""Small parts of a remote file, for its header."""

from __future__ import annotations

from ..errors import RangeRefusedError, TruncatedBodyError
from .client import HttpClient
from .credentials import Credentials
from .location import locate
from .secrets import redact

#: safetensors allows headers of 100 MB, and nothing larger is read this way.
MAX_RANGE_BYTES = 100_000_000


async def read_range(
    client: HttpClient, url: str, start: int, stop: int, credentials: Credentials | None = None
) -> bytes:
    """Return the bytes `[start, stop)`; fewer only where the file ends before `stop`.

    Raises: RangeRefusedError: the server sends something else; TruncatedBodyError; and the errors of a walk.
    """
    if not 0 <= start < stop or stop - start > MAX_RANGE_BYTES:
        raise ValueError(f"not a small range: {start}-{stop}")
    location = await locate(client, url, credentials=credentials, span=(start, stop))
    if location.status == 200 and start == 0:
        return location.body[:stop]
    if location.status != 206:
        raise RangeRefusedError(f"`{redact(url)}` does not serve parts of the file")
    size = location.size_bytes
    expected = (min(stop, size) if size is not None else stop) - start
    if len(location.body) != expected and (size is not None or not location.body):
        raise TruncatedBodyError(f"`{redact(url)}` sent {len(location.body)} of {expected} bytes")
    return location.body
