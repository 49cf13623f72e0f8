"""Pickles are looked at opcode by opcode (picklescan), and never loaded: loading one runs whatever is in it.

picklescan is optional: without it no pickle is accepted, because nobody could say what is in it.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import PurePosixPath
from typing import Any

from ..errors import DangerousPickleError, HeaderError
from ..paths import PICKLE_SUFFIXES
from .model_header import Read
from .sniff import SNIFF_BYTES, Content, sniff

#: As picklescan has had its levels of safety.
SCANNER = "picklescan"
_MOST_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PickleScan:
    """What a pickle imports when it is loaded: nothing of it is dangerous."""

    imports: tuple[str, ...]
    suspicious: tuple[str, ...]
    """Imports that picklescan knows neither as harmless nor as dangerous."""

    def told(self) -> tuple[str, ...]:
        """Say it in lines of evidence."""
        lines = [f"{SCANNER}: loading it imports {_listed(self.imports) or 'nothing'}; nothing of it is dangerous"]
        if self.suspicious:
            lines.append(f"{SCANNER} does not know {_listed(self.suspicious)}: load it only if you trust its author")
        return tuple(lines)


def can_scan() -> bool:
    """Tell whether picklescan is installed."""
    return find_spec(SCANNER) is not None


def is_pickle(name: str, first_bytes: bytes) -> bool:
    """Tell whether a file could be a pickle: its first bytes say so, or its name does and they say nothing else."""
    content = sniff(first_bytes)
    if content in {Content.PICKLE, Content.ZIP_PICKLE}:
        return True
    return content is Content.UNKNOWN and PurePosixPath(name.lower()).suffix in PICKLE_SUFFIXES


def refuse_danger(name: str, read: Read, size_bytes: int) -> PickleScan | None:
    """Scan a file if it could be a pickle; None for all others.

    Raises: DangerousPickleError: it imports what no model needs, or cannot be scanned; nothing of it was run.
    """
    if size_bytes == 0 or not is_pickle(name, read(0, SNIFF_BYTES)):
        return None
    if not can_scan():
        raise DangerousPickleError(
            f"`{name}` is a pickle, and nothing here can look into one", hint=f"pip install {SCANNER}"
        )
    result = _scanned(name, read, size_bytes)
    if result.scan_err or not result.scanned_files:
        raise DangerousPickleError(f"`{name}` is a pickle that {SCANNER} cannot take apart to its end")
    by_level: dict[str, list[str]] = {"dangerous": [], "suspicious": [], "innocuous": []}
    for one in result.globals:
        by_level[one.safety.value].append(f"{one.module}.{one.name}")
    if by_level["dangerous"]:
        raise DangerousPickleError(f"`{name}` would run {_listed(by_level['dangerous'])} when it is loaded")
    return PickleScan(
        imports=tuple(sorted(by_level["innocuous"] + by_level["suspicious"])),
        suspicious=tuple(sorted(by_level["suspicious"])),
    )


def _scanned(name: str, read: Read, size_bytes: int) -> Any:
    from picklescan.scanner import scan_bytes

    with _quiet():
        try:
            return scan_bytes(io.BufferedReader(_Stream(read, size_bytes)), "", PurePosixPath(name.lower()).suffix)
        except Exception as err:
            raise DangerousPickleError(f"`{name}` is a pickle that {SCANNER} cannot read: {err}") from err


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the scanner's own log lines out of ours; what it found is said by the error."""
    logger = logging.getLogger(SCANNER)
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before


class _Stream(io.RawIOBase):
    """A file as its reader serves it, for those who want to seek in it."""

    def __init__(self, read: Read, size_bytes: int) -> None:
        super().__init__()
        self._read = read
        self._size = size_bytes
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._size - self._at)
        data = self._read(self._at, wanted) if wanted > 0 else b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("before the beginning of the file")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at


def _listed(names: tuple[str, ...] | list[str]) -> str:
    shown = ", ".join(f"`{name[:80]}`" for name in sorted(names)[:_MOST_SHOWN])
    return f"{shown} and more" if len(names) > _MOST_SHOWN else shown


def describe_pickle(name: str, read: Read, size_bytes: int) -> PickleScan:
    """Scan a pickle for whoever looks into it. Raises: DangerousPickleError; HeaderError: it is none."""
    scan = refuse_danger(name, read, size_bytes)
    if scan is None:
        raise HeaderError(f"`{name}` is neither safetensors nor GGUF nor a pickle", hint="is it a model at all?")
    return scan
