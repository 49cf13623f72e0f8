"""Is it there already? A file under the final name, or the same bytes elsewhere, that can be linked."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ..downloads.placement import Existing
from ..errors import NameTakenError
from ..records.download import Verified
from ..records.source import Digest, ResolvedFile
from ..units import MIB, format_bytes

_SUGGESTIONS = 100


def find_existing(
    dest: Path, file: ResolvedFile, copies: Sequence[Path], cancelled: Callable[[], bool]
) -> Existing | None:
    """Return the file that is there, or link it; None when it must be fetched. Reads whole files: call it in a thread.

    Raises: NameTakenError: another content has the name.
    """
    if os.path.lexists(dest):
        return _compared(dest, file, cancelled)
    return next((found for copy in copies if (found := _linked(copy, dest, file, cancelled)) is not None), None)


def _compared(dest: Path, file: ResolvedFile, cancelled: Callable[[], bool]) -> Existing:
    if not dest.is_file():
        raise _taken(dest, "it is no file")
    size = dest.stat().st_size
    if file.size_bytes is not None and size != file.size_bytes:
        raise _taken(dest, f"{format_bytes(size)} instead of {format_bytes(file.size_bytes)}")
    if file.digest is not None and file.digest.algorithm == "sha256":
        found = sha256_of(dest, cancelled)
        if found != file.digest:
            raise _taken(dest, f"its SHA-256 begins with {found.hex[:12]} instead of {file.digest.hex[:12]}")
        return Existing(size_bytes=size, digest=found, verified=Verified.DIGEST, linked=False)
    if file.size_bytes is None:
        raise _taken(dest, "and its source does not tell how large it should be")
    return Existing(size_bytes=size, digest=None, verified=Verified.SIZE, linked=False)


def _linked(copy: Path, dest: Path, file: ResolvedFile, cancelled: Callable[[], bool]) -> Existing | None:
    """Give the copy a second name; None where it is not the file any more, or links are not possible.

    A hard link needs no space, and cannot differ. Across volumes the file is fetched: a copy would read it all too.
    """
    try:
        size = copy.stat().st_size
        if size != file.size_bytes or sha256_of(copy, cancelled) != file.digest:
            return None
        dest.parent.mkdir(parents=True, exist_ok=True)
        os.link(copy, dest)  # refuses a name that exists
    except OSError:
        return None
    return Existing(size_bytes=size, digest=file.digest, verified=Verified.DIGEST, linked=True)


def sha256_of(path: Path, cancelled: Callable[[], bool]) -> Digest:
    """Hash a file. Raises: OSError; InterruptedError: `cancelled` said so."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(4 * MIB))
    with path.open("rb", buffering=0) as stream:
        while count := stream.readinto(buffer):
            if cancelled():
                raise InterruptedError("cancelled")
            digest.update(buffer[:count])
    return Digest("sha256", digest.hexdigest())


def _taken(dest: Path, why: str) -> NameTakenError:
    numbered = (dest.with_name(f"{dest.stem}-{number}{dest.suffix}") for number in range(2, _SUGGESTIONS))
    free = next((path.name for path in numbered if not os.path.lexists(path)), None)
    return NameTakenError(
        f"another file is called `{dest.name}` already ({why})",
        hint=f"nothing was overwritten; take another name, `{free}` is free" if free else "take another name",
    )
