"""From a store that is a folder to the final name: a second name of the same bytes, or a proven copy."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from ...downloads.placement import Existing, Placement
from ...errors import ChecksumMismatchError, NameTakenError, ServerError
from ...publish import rename_without_replacing, sync_folder
from ...records.download import Verified
from ...records.source import Digest, ResolvedFile
from ...transfer.job import part_path
from ...transfer.part.part import discard_part
from ...transfer.part.space import storage_error
from ...units import MIB
from .present import sha256_of


def put_copy(stored: Path, placement: Placement, file: ResolvedFile, cancelled: Callable[[], bool]) -> Existing:
    """Link the stored file, or copy it where links are not possible. Reads all of it: call it in a thread.

    Raises: ServerError: the store cannot be read; ChecksumMismatchError: it holds something else; NameTakenError,
    StorageError; InterruptedError: `cancelled` said so.
    """
    dest = placement.dest
    try:
        dest.parent.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise storage_error(err, dest) from err
    size = _proven_size(stored, file, cancelled)
    try:
        os.link(stored, dest)  # refuses a name that exists
        linked = True
    except FileExistsError as err:
        raise NameTakenError(
            f"`{dest.name}` exists already in `{dest.parent}`", hint="nothing was overwritten"
        ) from err
    except OSError:
        linked = False
        _copy(stored, dest, part_path(dest, placement.part_dir), file, cancelled)
    else:
        discard_part(dest, placement.part_dir)
    sync_folder(dest.parent)
    return Existing(size_bytes=size, digest=file.digest, verified=Verified.DIGEST, linked=linked)


def _proven_size(stored: Path, file: ResolvedFile, cancelled: Callable[[], bool]) -> int:
    try:
        _check(sha256_of(stored, cancelled), file)
        return stored.stat().st_size
    except InterruptedError:
        raise
    except OSError as err:
        raise ServerError(f"the store cannot be read: {err.strerror or err}", hint="is it mounted?") from err


def _copy(stored: Path, dest: Path, part: Path, file: ResolvedFile, cancelled: Callable[[], bool]) -> None:
    """Copy beside the destination, and prove what was written before it gets its name."""
    copying = part.with_name(f"{part.name}.{os.getpid()}")
    digest = hashlib.sha256()
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        with stored.open("rb") as source, copying.open("wb") as target:
            while not cancelled() and (chunk := source.read(4 * MIB)):
                digest.update(chunk)
                target.write(chunk)
            target.flush()
            os.fsync(target.fileno())
        _check(Digest("sha256", digest.hexdigest()), file)
        rename_without_replacing(copying, dest)
    except InterruptedError:
        raise
    except OSError as err:
        raise storage_error(err, dest) from err
    finally:
        with contextlib.suppress(OSError):
            copying.unlink(missing_ok=True)
    discard_part(dest, part.parent)


def _check(found: Digest, file: ResolvedFile) -> None:
    if found != file.digest:
        raise ChecksumMismatchError(
            f"the store's copy of `{file.filename}` has {found} instead of {file.digest}",
            hint="the file is fetched from its source instead; remove the object from the store",
        )
