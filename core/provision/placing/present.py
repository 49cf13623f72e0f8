"""Is it there already? A file under the final name, or the same bytes elsewhere, that can be linked."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ...downloads.placement import Existing
from ...errors import ChecksumMismatchError, NameTakenError
from ...library.changes.link import NO_LINKS, make_copy, make_reflink
from ...library.reading.hashing import hash_sha256
from ...publish import rename_without_replacing, sync_folder
from ...records.download import Verified
from ...records.source import Digest, ResolvedFile
from ...units import format_bytes

_SUGGESTIONS = 100


def find_existing(
    dest: Path,
    file: ResolvedFile,
    copies: Sequence[Path],
    cancelled: Callable[[], bool],
    *,
    spare: Path | None = None,
    may_copy: bool = False,
) -> Existing | None:
    """Return the file that is there, or give one of `copies` its name; None when it must be fetched.

    `spare` is a name on the volume of `dest` that no loader lists: what is no hard link is made there first.
    Reads whole files: call it in a thread. Raises: NameTakenError: another content has the name.
    """
    if os.path.lexists(dest):
        return _compared(dest, file, cancelled)
    for copy in copies:
        if not _is_whole(copy, file, cancelled):
            continue
        try:
            dest.parent.mkdir(parents=True, exist_ok=True)
            copied = _take(copy, dest, spare, file, cancelled, may_copy=may_copy)
        except (OSError, ChecksumMismatchError):  # full, read-only, failing: the download says so in its own words
            continue
        if copied is not None:
            sync_folder(dest.parent)
            return Existing(
                size_bytes=dest.stat().st_size,
                digest=file.digest,
                verified=Verified.DIGEST,
                linked=not copied,
                copied=copied,
            )
    return None


def _is_whole(copy: Path, file: ResolvedFile, cancelled: Callable[[], bool]) -> bool:
    try:
        return copy.stat().st_size == file.size_bytes and sha256_of(copy, cancelled) == file.digest
    except OSError:
        return False


def _take(
    copy: Path, dest: Path, spare: Path | None, file: ResolvedFile, cancelled: Callable[[], bool], *, may_copy: bool
) -> bool | None:
    """Give the bytes the name `dest`; false by a link, true by a copy, None where neither is possible or wanted.

    A hard link needs no space, and cannot differ; a reflink needs none either, and crosses subvolumes. Across volumes a
    copy reads and writes it all, which a download may do faster: it is made by the owner's choice alone.
    """
    try:
        os.link(copy, dest)  # refuses a name that exists
    except OSError as err:
        if err.errno not in NO_LINKS or spare is None:
            raise
    else:
        return False
    spare.parent.mkdir(parents=True, exist_ok=True)
    try:
        if make_reflink(copy, spare):
            copied = False
        elif may_copy and file.digest is not None:
            make_copy(copy, spare, file.digest.hex, cancelled)
            copied = True
        else:
            return None
        rename_without_replacing(spare, dest)
    finally:
        with contextlib.suppress(OSError):
            spare.unlink(missing_ok=True)
    return copied


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


def sha256_of(path: Path, cancelled: Callable[[], bool]) -> Digest:
    """Hash a file. Raises: OSError; InterruptedError: `cancelled` said so."""

    def read(_count: int) -> None:
        if cancelled():
            raise InterruptedError("cancelled")

    return Digest("sha256", hash_sha256(path, read))


def _taken(dest: Path, why: str) -> NameTakenError:
    numbered = (dest.with_name(f"{dest.stem}-{number}{dest.suffix}") for number in range(2, _SUGGESTIONS))
    free = next((path.name for path in numbered if not os.path.lexists(path)), None)
    return NameTakenError(
        f"another file is called `{dest.name}` already ({why})",
        hint=f"nothing was overwritten; take another name, `{free}` is free" if free else "take another name",
    )
