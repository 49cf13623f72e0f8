"""A file that has its name already: recognised by its digest when it is ours; any other keeps its name."""

from __future__ import annotations

import os
from pathlib import Path

from ...errors import NameTakenError
from ...records.source import Digest, ResolvedFile
from ..job import Blocking, TransferJob, TransferResult
from .hashing import FrontierHasher
from .part import Part, discard_part, placed_digest
from .verify import prove, read_from


def open_unless_there(part: Part, dest: Path, *, make_room: bool) -> bool:
    """Open the part, unless something has the name already; all in one go, as many may begin at once. Blocks.

    Looks once more when the lease is ours: its holder before us may have brought this very file.

    Raises: LockedError, StorageError.
    """
    if os.path.lexists(dest):
        return False
    part.open()
    if os.path.lexists(dest):
        return False
    try:
        if make_room:
            part.make_room()
    except BaseException:
        part.release(part.done)  # or other machines would wait for our heartbeat
        raise
    return True


async def recognise(job: TransferJob, file: ResolvedFile, blocking: Blocking) -> TransferResult | None:
    """Return the result for a file that is in its place already; None where the name is free.

    The journal tells the digest of a file that got its name in the moment in which its engine ended.

    Raises: NameTakenError: another file has the name.
    """
    dest = job.dest
    if not await blocking(lambda: os.path.lexists(dest)):
        return None
    placed = await blocking(lambda: placed_digest(job.part_path, file))
    known = file.digest.hex if file.digest is not None and file.digest.algorithm == "sha256" else placed
    size = dest.stat().st_size if known is not None and dest.is_file() else None
    if size is not None and file.size_bytes in {None, size}:
        hasher = FrontierHasher(dest)
        try:
            digests = await hasher.finish(size)
        finally:
            hasher.close()
        if digests["sha256"] == known:
            await blocking(lambda: discard_part(dest, job.part_dir))
            with dest.open("rb") as opened:
                verified = prove(file, dest, size_bytes=size, digests=digests, read=read_from(opened))
            return TransferResult(
                path=dest, size_bytes=size, digest=Digest("sha256", known), verified=verified, was_there=True
            )
    raise NameTakenError(
        f"`{dest.name}` exists already in `{dest.parent}`", hint="nothing was overwritten; choose another name"
    )
