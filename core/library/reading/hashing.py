"""All digests of a file in one read.

AutoV1 is SHA-256 of 64 KiB at 1 MiB, its first 8 digits; AutoV2 the first 10 digits of the whole file's SHA-256; AutoV3
the first 12 of the SHA-256 of what stands behind a safetensors header (civitai `src/server/common/enums`,
`ModelHashType`; sd-webui `modules/hashes.py`). BLAKE3 is computed where its package is installed.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...headers.model_header import MAX_HEADER_BYTES
from ...offsets import read_at
from ...units import MIB

_CHUNK_BYTES = 4 * MIB
_LEAST_BYTES = 64 << 10
_PIECES, _PIECE_BYTES = 8, 16 << 10
_AUTOV1_START, _AUTOV1_BYTES = 0x100000, 0x10000


class _Hash(Protocol):
    def update(self, data: memoryview, /) -> object: ...

    def hexdigest(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """Hex digits. `autov1` is None for a file that ends before its range, `autov3` for other formats."""

    size_bytes: int
    mtime_ns: int
    sha256: str
    autov1: str | None = None
    autov3: str | None = None
    blake3: str | None = None


def hash_file(path: Path, read: Callable[[int], None]) -> Digests:
    """Read a file from end to end; `read(count)` is told of each piece, and may raise InterruptedError.

    Size and time are those before the first byte: who keeps the digests compares them with what is there then.
    Raises: OSError; InterruptedError.
    """
    whole, v1, data = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    more = _blake3()
    with path.open("rb", buffering=0) as stream:
        status = os.fstat(stream.fileno())
        buffer = _buffer(status.st_size)
        data_start = _data_start(stream.fileno(), status.st_size)
        at = 0
        while count := stream.readinto(buffer):
            piece = buffer[:count]
            whole.update(piece)
            if more is not None:
                more.update(piece)
            if at < _AUTOV1_START + _AUTOV1_BYTES:
                v1.update(_part(piece, at, _AUTOV1_START, _AUTOV1_START + _AUTOV1_BYTES))
            if data_start is not None:
                data.update(_part(piece, at, data_start, status.st_size))
            at += count
            read(count)
    return Digests(
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        sha256=whole.hexdigest(),
        autov1=v1.hexdigest()[:8] if at > _AUTOV1_START else None,
        autov3=data.hexdigest()[:12] if data_start is not None else None,
        blake3=more.hexdigest() if more is not None else None,
    )


def hash_sha256(path: Path, read: Callable[[int], None]) -> str:
    """Read a file for its SHA-256 alone, in hex: half the work of all digests. Raises: OSError; InterruptedError."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as stream:
        buffer = _buffer(os.fstat(stream.fileno()).st_size)
        while count := stream.readinto(buffer):
            digest.update(buffer[:count])
            read(count)
    return digest.hexdigest()


def hash_pieces(path: Path, size_bytes: int) -> str:
    """Return the SHA-256, in hex, of pieces spread over a file, its first and last bytes among them.

    Models of one size mostly differ everywhere: of two with other pieces neither has to be read. Raises: OSError.
    """
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as stream:
        last = max(0, size_bytes - _PIECE_BYTES)
        for piece in range(_PIECES):
            digest.update(read_at(stream.fileno(), _PIECE_BYTES, last * piece // (_PIECES - 1)))
    return digest.hexdigest()


def _buffer(size_bytes: int) -> memoryview:
    """Return room for a piece: of many small files each would otherwise wait for 4 MiB of zeros."""
    return memoryview(bytearray(max(_LEAST_BYTES, min(_CHUNK_BYTES, size_bytes))))


def _part(piece: memoryview, at: int, start: int, stop: int) -> memoryview:
    """Return what of a piece, which stands at `at`, lies in a range."""
    return piece[max(0, start - at) : max(0, stop - at)]


def _data_start(handle: int, size_bytes: int) -> int | None:
    """Return where the data of a safetensors file begins."""
    first = os.read(handle, 9)
    os.lseek(handle, 0, os.SEEK_SET)
    if len(first) < 9 or first[8:9] != b"{":
        return None
    (length,) = struct.unpack("<Q", first[:8])
    return 8 + length if length <= MAX_HEADER_BYTES and 8 + length <= size_bytes else None


def _blake3() -> _Hash | None:
    try:
        import blake3
    except ImportError:
        return None
    found: _Hash = blake3.blake3()
    return found
