"""One file read from end to end, and what that changes in its row."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass

from ...records.download import Verified
from ...records.library import DigestOrigin, LibraryFile
from ...records.reading import Purpose
from ..index.index import LibraryIndex
from ..index.keep import WRONG_DIGEST, set_facts
from .hashing import Digests, hash_file

#: What a disk says of bytes that it cannot give back.
_LOST = frozenset({errno.EIO, getattr(errno, "EUCLEAN", errno.EIO), getattr(errno, "EBADMSG", errno.EIO)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`same` are the other names of the same bytes; `read` is false where nothing could be learnt."""

    read: bool = True
    bytes: int = 0
    damaged: bool = False
    same: tuple[int, ...] = ()


def read_one(index: LibraryIndex, file_id: int, purpose: Purpose, read: Callable[[int], None]) -> Outcome:
    """Read a file, and note what it showed. Raises: InterruptedError: `read` did; StorageError."""
    file = index.get(file_id)
    if file is None or not file.available:
        return Outcome(read=False)
    if purpose is Purpose.HASH and file.sha256 is not None:
        return Outcome()
    try:
        found = hash_file(file.path, read)
        status = file.path.stat()
    except InterruptedError:
        raise
    except OSError as err:
        return _unreadable(index, file, err)
    if (found.size_bytes, found.mtime_ns) != (file.size_bytes, file.mtime_ns) or (
        status.st_size,
        status.st_mtime_ns,
    ) != (file.size_bytes, file.mtime_ns):
        return Outcome(read=False, bytes=found.size_bytes)  # changed under us: the next scan sees another file
    files = [file, *_other_names(index, file)]
    facts = {each.id: facts_of(each, found) for each in files}
    set_facts(index, facts)
    return Outcome(
        bytes=found.size_bytes,
        damaged=any(row.get("damaged") is not None for row in facts.values()),
        same=tuple(each.id for each in files[1:]),
    )


def facts_of(file: LibraryFile, found: Digests) -> dict[str, object]:
    """Return what a row becomes (pure): a digest that was known before is the one to reach."""
    if file.sha256 is not None and file.sha256 != found.sha256:
        return {
            "damaged": f"{WRONG_DIGEST} {found.sha256[:12]}… instead of {file.sha256[:12]}…: its bytes have changed",
            "verified": None,
        }
    facts: dict[str, object] = {
        "sha256": found.sha256,
        "autov1": found.autov1,
        "autov3": found.autov3,
        "blake3": found.blake3,
    }
    if file.sha256 is None:
        facts["digest_origin"] = DigestOrigin.READ.value
    elif file.source is not None:
        facts["verified"] = Verified.DIGEST.value
    if file.damaged is not None and file.damaged.startswith((WRONG_DIGEST, _CANNOT)):
        facts["damaged"] = None
    return facts


_CANNOT = "the disk cannot read it"


def _unreadable(index: LibraryIndex, file: LibraryFile, error: OSError) -> Outcome:
    if error.errno not in _LOST:
        return Outcome(read=False)
    set_facts(index, {file.id: {"damaged": f"{_CANNOT}: {error.strerror}", "verified": None}})
    return Outcome(damaged=True)


def _other_names(index: LibraryIndex, file: LibraryFile) -> list[LibraryFile]:
    """Return the other names of the very bytes that were read: hard links, and links to them."""
    return [
        other
        for other in index.same_file(file)
        if (other.size_bytes, other.mtime_ns) == (file.size_bytes, file.mtime_ns)
        and other.id != file.id
        and other.sha256 in {None, file.sha256}
    ]
