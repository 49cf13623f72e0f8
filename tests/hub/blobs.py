"""Bytes that the hub serves: files on disk, generated bodies, small buffers, and what is known of them."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import threading
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

CHUNK_BYTES = 1 << 20
# Twice a prime: half-precision values stay aligned, and no segment size that a client would choose divides the
# period, so a body that was shifted or swapped by whole segments never has the right digest by accident.
PATTERN_BYTES = 2 * 8_388_617
PATTERN_STRIDE_BYTES = 2 * 1_299_709
_FLIP = bytes(value ^ 0x5A for value in range(256))


class Blob(Protocol):
    """A run of bytes with a stable key, readable from any offset."""

    @property
    def key(self) -> str: ...
    @property
    def size(self) -> int: ...
    def chunks(self, start: int, length: int) -> Iterator[bytes | memoryview]: ...


@dataclass(frozen=True, slots=True)
class FileBlob:
    """A file on disk; the wire sends it with `sendfile`."""

    path: Path
    size: int

    @classmethod
    def of(cls, path: Path) -> FileBlob:
        return cls(path, path.stat().st_size)

    @property
    def key(self) -> str:
        return f"file:{self.path.name}:{self.size}:{self.path.stat().st_mtime_ns}"

    def chunks(self, start: int, length: int) -> Iterator[bytes]:
        with self.path.open("rb") as stream:
            stream.seek(start)
            while length > 0 and (chunk := stream.read(min(CHUNK_BYTES, length))):
                length -= len(chunk)
                yield chunk


@dataclass(frozen=True, slots=True)
class BytesBlob:
    """A small body held in memory."""

    data: bytes

    @property
    def key(self) -> str:
        return f"bytes:{hashlib.sha256(self.data).hexdigest()}"

    @property
    def size(self) -> int:
        return len(self.data)

    def chunks(self, start: int, length: int) -> Iterator[memoryview]:
        yield memoryview(self.data)[start : start + length]


@functools.cache
def pattern() -> memoryview:
    """Give one period of normally distributed half-precision weights; every seed begins elsewhere in it."""
    values = np.random.default_rng(1).standard_normal(PATTERN_BYTES // 2, dtype=np.float32)
    return memoryview((values * 0.02).astype("<f2").tobytes())


@dataclass(frozen=True, slots=True)
class PatternBlob:
    """A body of any size that is never stored: a real header, then weights computed from the offset."""

    header: bytes
    size: int
    seed: int

    @property
    def key(self) -> str:
        return f"pattern:{hashlib.sha256(self.header).hexdigest()[:16]}:{self.size}:{self.seed}"

    def chunks(self, start: int, length: int) -> Iterator[bytes | memoryview]:
        end = min(start + length, self.size)
        if start < len(self.header):
            piece = self.header[start:end]
            start += len(piece)
            yield piece
        weights = pattern()
        phase = self.seed * PATTERN_STRIDE_BYTES - len(self.header)
        while start < end:
            at = (start + phase) % PATTERN_BYTES
            step = min(CHUNK_BYTES, end - start, PATTERN_BYTES - at)
            yield weights[at : at + step]
            start += step


@dataclass(frozen=True, slots=True)
class FlippedBlob:
    """Another blob with every byte from `keep` on changed: same length, other content."""

    base: Blob
    keep: int = 0

    @property
    def key(self) -> str:
        return f"flipped:{self.keep}:{self.base.key}"

    @property
    def size(self) -> int:
        return self.base.size

    def chunks(self, start: int, length: int) -> Iterator[bytes]:
        for chunk in self.base.chunks(start, length):
            head = max(0, min(len(chunk), self.keep - start))
            yield bytes(chunk[:head]) + bytes(chunk[head:]).translate(_FLIP)
            start += len(chunk)


@dataclass(frozen=True, slots=True)
class ShiftedBlob:
    """Another blob whose bytes all arrive `shift` places early, padded at the end: the classic wrong 206 body."""

    base: Blob
    shift: int

    @property
    def key(self) -> str:
        return f"shifted:{self.shift}:{self.base.key}"

    @property
    def size(self) -> int:
        return self.base.size

    def chunks(self, start: int, length: int) -> Iterator[bytes | memoryview]:
        available = max(0, min(length, self.base.size - start - self.shift))
        yield from self.base.chunks(start + self.shift, available)
        yield b"\0" * (length - available)


@dataclass(frozen=True, slots=True)
class ResizedBlob:
    """Another blob cut off, or continued with zeros."""

    base: Blob
    size: int

    @property
    def key(self) -> str:
        return f"resized:{self.size}:{self.base.key}"

    def chunks(self, start: int, length: int) -> Iterator[bytes | memoryview]:
        available = max(0, min(length, self.base.size - start))
        yield from self.base.chunks(start, available)
        if length > available:
            yield b"\0" * (length - available)


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """What the two sites publish about a file's content.

    AutoV1 to AutoV3 follow Civitai's own scanner: the first 8 hex digits of the SHA-256 of 64 KiB at 1 MiB, the first
    10 of the whole file's, the first 12 of the tensor data's (the file without its safetensors header).
    """

    sha256: str
    git_sha1: str
    crc32: str
    auto_v1: str
    auto_v3: str

    @property
    def auto_v2(self) -> str:
        return self.sha256[:10]


def compute_digests(blob: Blob) -> Digests:
    """Read a blob once and compute every digest of it."""
    whole = hashlib.sha256()
    tensors = hashlib.sha256()
    window = hashlib.sha256()
    # Git's own object name; only small files get one on the Hub, and hashing 2 GiB a second time is slow.
    git = hashlib.sha1(b"blob %d\0" % blob.size, usedforsecurity=False) if blob.size < 32 << 20 else None
    first = b"".join(blob.chunks(0, min(8, blob.size)))
    data_start = 8 + int.from_bytes(first, "little")
    data_start = data_start if data_start < blob.size else 0
    crc = offset = 0
    for chunk in blob.chunks(0, blob.size):
        view = memoryview(chunk)
        whole.update(view)
        crc = zlib.crc32(view, crc)
        if git is not None:
            git.update(view)
        tensors.update(view[max(0, data_start - offset) :])
        window.update(view[max(0, 0x100000 - offset) : max(0, 0x110000 - offset)])
        offset += len(view)
    return Digests(
        sha256=whole.hexdigest(),
        git_sha1=git.hexdigest() if git is not None else "",
        crc32=f"{crc:08x}",
        auto_v1=window.hexdigest()[:8],
        auto_v3=tensors.hexdigest()[:12],
    )


class DigestCache:
    """Remembers digests in the state folder, so that a big generated file is hashed once in its life."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._computing: dict[str, threading.Lock] = {}
        self._known: dict[str, Digests] = {}
        if path.exists():
            self._known = {key: Digests(**row) for key, row in json.loads(path.read_text()).items()}

    def of(self, blob: Blob) -> Digests:
        key = blob.key
        with self._lock:
            computing = self._computing.setdefault(key, threading.Lock())
        with computing:
            if (known := self._known.get(key)) is None:
                known = compute_digests(blob)
                with self._lock:
                    self._known[key] = known
                    self._save()
            return known

    def _save(self) -> None:
        partial = self._path.with_suffix(f".{os.getpid()}.tmp")
        partial.write_text(json.dumps({key: asdict(value) for key, value in self._known.items()}))
        partial.replace(self._path)
