"""The header of a remote safetensors or GGUF file, read by small ranged requests before anything is downloaded."""

from __future__ import annotations

from ..errors import HeaderError, NotAModelError
from ..headers.gguf import parse_gguf
from ..headers.model_header import MAX_HEADER_BYTES, ModelHeader
from ..headers.safetensors import parse_safetensors
from ..headers.sniff import Content, sniff
from ..net.client import HttpClient
from ..net.credentials import Credentials
from ..net.location import locate
from ..net.ranged import read_range
from ..net.secrets import redact
from ..records.source import ResolvedFile

#: One round trip takes what most LoRA, VAE and text encoder headers need (their median is about 30 kB).
FIRST_READ_BYTES = 64 << 10
#: A GGUF header holds the vocabulary of a language model, so its length is known only by reading it.
_GGUF_STEP_BYTES = 1 << 20


async def read_remote_header(client: HttpClient, file: ResolvedFile, credentials: Credentials | None) -> ModelHeader:
    """Read the header of a file: two requests for safetensors (one when it is short), a few for GGUF.

    Raises: HeaderError: a format without a header that we read, or a damaged one; NotAModelError; and refusals.
    """
    first = await locate(client, file.url, credentials=credentials, span=(0, FIRST_READ_BYTES))
    size = first.size_bytes if first.size_bytes is not None else file.size_bytes
    if size is None:
        raise HeaderError(f"`{file.filename}`: its source does not tell its size", hint="download it to look inside")
    content = sniff(first.body)
    if content.is_refusal:
        raise NotAModelError(f"`{redact(file.url)}` gives {content.value} instead of a model", hint="check the link")
    if content is Content.SAFETENSORS:
        stop = 8 + int.from_bytes(first.body[:8], "little")
        data = await _extend(client, first.url, first.body, min(stop, size))
        return parse_safetensors(_reader(data), size)
    if content is Content.GGUF:
        return await _read_gguf(client, first.url, first.body, size)
    raise HeaderError(
        f"`{file.filename}` is neither safetensors nor GGUF", hint="only these can be looked into without loading them"
    )


async def _read_gguf(client: HttpClient, url: str, data: bytes, size_bytes: int) -> ModelHeader:
    step = _GGUF_STEP_BYTES
    while True:
        try:
            return parse_gguf(_reader(data, whole=len(data) >= size_bytes), size_bytes)
        except _MoreNeededError as err:
            if err.stop > MAX_HEADER_BYTES:
                raise HeaderError("its header is longer than any model's", hint="do not use this file") from None
            data = await _extend(client, url, data, min(max(err.stop, len(data) + step), size_bytes))
            step *= 2


async def _extend(client: HttpClient, url: str, data: bytes, stop: int) -> bytes:
    """Fetch what is missing up to `stop`, from where the walk ended: a signed address there wants no token."""
    if stop <= len(data):
        return data
    return data + await read_range(client, url, len(data), stop)


class _MoreNeededError(Exception):
    def __init__(self, stop: int) -> None:
        super().__init__(stop)
        self.stop = stop


class _Reader:
    """Serves a parser from the file's beginning."""

    def __init__(self, data: bytes, *, whole: bool) -> None:
        self._data = data
        self._whole = whole

    def __call__(self, offset: int, size: int) -> bytes:
        if offset + size > len(self._data) and not self._whole:
            raise _MoreNeededError(offset + size)
        return self._data[offset : offset + size]


def _reader(data: bytes, *, whole: bool = True) -> _Reader:
    return _Reader(data, whole=whole)
