"""Digests while the bytes arrive: a thread follows the unbroken beginning of the part and reads it from the cache.

hashlib releases the interpreter lock, and the pieces are handed out in file order, so the digest is done some
milliseconds after the last byte and the disk is read no second time (bench/download.py, verified rows).
"""

from __future__ import annotations

import asyncio
import hashlib
import struct
import threading
import zlib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Protocol

from ...headers.model_header import MAX_HEADER_BYTES

_BLOCK_BYTES = 256 << 10
_WAKE_BYTES = 1 << 20


class _Hash(Protocol):
    def update(self, data: memoryview, /) -> None: ...

    def hexdigest(self) -> str: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: memoryview, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def hexdigest(self) -> str:
        return f"{self._value:08x}"


class _Window:
    """SHA-256 of a part of the file: AutoV1 hashes 64 KiB at 1 MiB, AutoV3 all behind the safetensors header.

    The definitions are those of AUTOMATIC1111's `modules/hashes.py` and `sd_models.py`, which Civitai names them after.
    """

    def __init__(self, start: int | None, stop: int | None) -> None:
        self._hash = hashlib.sha256()
        self._start, self._stop, self._at = start, stop, 0
        self._first = b""

    def update(self, data: memoryview, /) -> None:
        if self._start is None:
            self._first += bytes(data[:8])
            if len(self._first) >= 8:
                self._start = 8 + min(struct.unpack("<Q", self._first[:8])[0], MAX_HEADER_BYTES)
        end = self._at + len(data)
        low = max(self._at, self._start if self._start is not None else end)
        high = end if self._stop is None else min(end, self._stop)
        if low < high:
            self._hash.update(data[low - self._at : high - self._at])
        self._at = end

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


#: Kinds whose agreement proves every byte of the file.
WHOLE_FILE_ALGORITHMS = frozenset({"sha256", "blake3", "sha1", "autov2", "crc32"})


def digest_matches(algorithm: str, expected_hex: str, digests: dict[str, str]) -> bool | None:
    """Compare what was computed with what was promised; None where the kind cannot be computed here."""
    if algorithm == "autov2":
        return digests["sha256"].startswith(expected_hex)
    computed = digests.get(algorithm)
    return None if computed is None else computed.startswith(expected_hex)


def _make(algorithm: str) -> _Hash | None:
    match algorithm:
        case "sha256" | "autov2":
            return None  # always computed
        case "sha1":
            return hashlib.sha1(usedforsecurity=False)
        case "crc32":
            return _Crc32()
        case "autov1":
            return _Window(0x100000, 0x110000)
        case "autov3":
            return _Window(None, None)
        case "blake3":
            try:
                made: _Hash = import_module("blake3").blake3()
            except ImportError:
                return None
            return made
        case _:
            return None


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class FrontierHasher:
    """Computes SHA-256, and one more kind when asked for, of a file that grows from its beginning."""

    def __init__(self, path: Path, algorithm: str | None = None) -> None:
        self._path = path
        self._hashes: dict[str, _Hash] = {"sha256": hashlib.sha256()}
        if algorithm is not None and (extra := _make(algorithm)) is not None:
            self._hashes[algorithm] = extra
        self._wake = threading.Condition()  # guards _frontier, _final, _closed
        self._frontier = 0
        self._announced = 0
        self._final = False
        self._closed = False
        self._error: OSError | None = None
        self._on_end: Callable[[], object] | None = None
        self.hashed_bytes = 0
        self._thread: threading.Thread | None = None

    def advance(self, frontier: int) -> None:
        """Tell that the first `frontier` bytes are in the file; cheap enough for every chunk."""
        self._frontier = frontier
        if frontier - self._announced >= _WAKE_BYTES:
            self._announced = frontier
            self._start()
            with self._wake:
                self._wake.notify()

    async def finish(self, size_bytes: int) -> dict[str, str]:
        """Return the digests of the whole file in hex, by kind. Raises: OSError: the file cannot be read."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        with self._wake:
            self._frontier, self._final = size_bytes, True
            self._on_end = lambda: loop.call_soon_threadsafe(_settle, ended)
            self._wake.notify()
        if self._thread is None and size_bytes <= _WAKE_BYTES:
            self._run()  # shorter than starting a thread
        else:
            self._start()
            await ended
        if self._error is not None:
            raise self._error
        if self.hashed_bytes != size_bytes:
            raise OSError("the part is shorter than what was written to it")
        return {name: made.hexdigest() for name, made in self._hashes.items()}

    def close(self) -> None:
        """Let the thread end; what it has is dropped."""
        with self._wake:
            self._closed = True
            self._wake.notify()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="comfystow-hash", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        self._run()
        with self._wake:
            # After an error nothing waits yet: `finish` finds the final word said when it comes.
            while not self._final and not self._closed:
                self._wake.wait()
            on_end = self._on_end
        if on_end is not None:
            on_end()

    def _run(self) -> None:
        try:
            with self._path.open("rb", buffering=0) as file:
                view = memoryview(bytearray(_BLOCK_BYTES))
                while (target := self._next_target()) is not None:
                    while self.hashed_bytes < target and not self._closed:
                        count = file.readinto(view[: min(_BLOCK_BYTES, target - self.hashed_bytes)])
                        if not count:
                            return
                        for made in self._hashes.values():
                            made.update(view[:count])
                        self.hashed_bytes += count
        except OSError as err:
            self._error = err

    def _next_target(self) -> int | None:
        with self._wake:
            while True:
                if self._closed or (self._final and self.hashed_bytes >= self._frontier):
                    return None
                if self._frontier > self.hashed_bytes:
                    return self._frontier
                self._wake.wait()
