"""A part on disk and its lease: `NAME.part` with bytes at their final offsets, `NAME.part.json` with the journal.

Both are opened once and written in place; nothing is renamed while bytes arrive (a rename touches the folder, and
ComfyUI would walk it again). On one machine an advisory lock on the journal is the lease, and dies with its process;
across machines it is the heartbeat in the journal.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import replace
from pathlib import Path

from ...errors import LockedError, StorageError
from ...net.secrets import redact
from ...offsets import read_at, write_at
from ...records.source import ResolvedFile, StoreSource, UrlSource
from ..job import TransferJob, TransferLimits, journal_path, part_path
from .advisory import try_lock
from .journal import Lease, Record, decode, encode, frame, may_take
from .machine import Machine, process_alive
from .ranges import Ranges
from .space import check_space, on_network, reserve, storage_error

_FLAGS = (
    os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
)


def source_key(file: ResolvedFile) -> str:
    """Return the source as it may stand on disk: URLs that users paste can carry tokens in their query."""
    source = file.source
    return redact(source.url) if isinstance(source, UrlSource | StoreSource) else str(source)[:1000]


def continues(record: Record, file: ResolvedFile) -> bool:
    """Decide whether a part that was begun is the beginning of this file (the ETag is asked for with each range)."""
    if file.digest is not None and record.digest is not None:
        return str(file.digest) == record.digest
    if file.size_bytes is not None and record.size_bytes is not None and file.size_bytes != record.size_bytes:
        return False
    return record.source == source_key(file)


class Part:
    """An open part that we hold the lease of. `done` is what the journal vouched for when it was opened."""

    def __init__(self, job: TransferJob, limits: TransferLimits, machine: Machine) -> None:
        self.path = job.part_path
        self.network = False
        self.done = Ranges()
        self.synced = Ranges()
        self.worthless = False
        """True when nobody would want to go on from these bytes: a web page, say."""
        self.placed: str | None = None
        self.etag: str | None = None
        self.size_bytes = job.file.size_bytes
        self.file = job.file
        self._job, self._limits, self._machine = job, limits, machine
        self._descriptor = self._journal = -1
        self._locked = False
        self._sequence = 0
        self._lease = Lease(
            owner=job.owner,
            boot_id=machine.boot_id,
            pid_namespace=machine.pid_namespace,
            pid=os.getpid(),
            heartbeat_at=time.time(),
        )

    @property
    def held(self) -> bool:
        """True while the lease is ours."""
        return self._journal >= 0

    def open(self) -> None:
        """Take the lease and open the part, or begin one. Raises: LockedError, StorageError."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.network = on_network(self.path.parent)
            self._open_journal()
            found = decode(read_at(self._journal, 1 << 20, 0))
            if found is not None:
                self._sequence = found[1]
                self._check_lease(found[0].lease)
            self._adopt(found[0] if found is not None else None)
            self.write_journal(self.done)
            if self.network:
                time.sleep(min(0.2, self._limits.lease_heartbeat_seconds / 10))
                self.check_lease()  # of two that began at once, the last writer has it
        except OSError as err:
            self.close()
            raise storage_error(err, self.path) from err
        except BaseException:
            self.close()
            raise

    def _open_journal(self) -> None:
        path = journal_path(self.path)
        for _ in range(10):
            self._journal = os.open(path, _FLAGS, 0o666)
            took = try_lock(self._journal)
            if took is False:
                raise locked(self.path)
            self._locked = took is True  # else the heartbeat decides
            if os.fstat(self._journal).st_nlink:
                return
            os.close(self._journal)  # its owner has just finished and removed it
        raise locked(self.path)

    def _check_lease(self, lease: Lease) -> None:
        alive: bool | None = None
        if lease.boot_id == self._machine.boot_id and lease.pid_namespace == self._machine.pid_namespace:
            alive = process_alive(lease.pid)
        if not self.network and self._locked:
            alive = False  # we hold the lock that it held
        if not may_take(
            lease,
            now=time.time(),
            mine=self._lease,
            timeout_seconds=self._limits.lease_timeout_seconds,
            process_alive=alive,
        ):
            raise locked(self.path)

    def _adopt(self, record: Record | None) -> None:
        self._descriptor = os.open(self.path, _FLAGS, 0o666)
        if record is None or not continues(record, self.file):
            os.ftruncate(self._descriptor, 0)
            return
        self.placed = record.placed
        self.etag = record.etag
        self.size_bytes = self.file.size_bytes if self.file.size_bytes is not None else record.size_bytes
        self.done = record.ranges(self._machine.boot_id)
        self.synced = Ranges(record.synced)
        length = os.fstat(self._descriptor).st_size
        for ranges in (self.done, self.synced):
            ranges.remove(length, max(ranges.end, length))

    def check_room(self) -> None:
        """Check the free space for the rest. Raises: NotEnoughSpaceError."""
        if self.size_bytes is None:
            return
        taken = getattr(os.fstat(self._descriptor), "st_blocks", 0) * 512
        missing = max(0, self.size_bytes - max(taken, self.done.total))
        check_space(self.path.parent, missing, self._limits.free_space_floor_bytes, self._job.dest.name)

    def make_room(self) -> None:
        """Check the free space for the rest, and reserve it where that is cheap. Raises: StorageError."""
        if self.size_bytes is None:
            return
        self.check_room()
        try:
            reserve(self._descriptor, self.path.parent, self.size_bytes)
        except OSError as err:
            raise storage_error(err, self.path) from err

    def write(self, offset: int, view: memoryview) -> None:
        """Write bytes at their place. Raises: StorageError."""
        try:
            while True:
                count = write_at(self._descriptor, view, offset)
                if count == len(view):
                    return
                view, offset = view[count:], offset + count
        except OSError as err:
            raise storage_error(err, self.path) from err

    def read(self, offset: int, size: int) -> bytes:
        """Read bytes back. Raises: StorageError."""
        try:
            return read_at(self._descriptor, size, offset)
        except OSError as err:
            raise storage_error(err, self.path) from err

    def write_journal(self, done: Ranges) -> None:
        """Note which bytes are there, and that we are alive."""
        self._lease = replace(self._lease, heartbeat_at=time.time())
        self._write_record(self._lease, done)

    def _write_record(self, lease: Lease, done: Ranges) -> None:
        record = Record(
            source=source_key(self.file),
            size_bytes=self.size_bytes,
            etag=self.etag,
            digest=str(self.file.digest) if self.file.digest is not None else None,
            boot_id=self._machine.boot_id,
            done=tuple(done),
            synced=tuple(self.synced),
            lease=lease,
            placed=self.placed,
        )
        self._sequence += 1
        offset, data = frame(encode(record, self._sequence), self._sequence)
        try:
            write_at(self._journal, data, offset)
        except OSError as err:
            raise storage_error(err, self.path) from err

    def sync_bytes(self) -> None:
        """Bring the bytes to the disk; only then may they be noted as `synced`. Blocks; runs in a thread."""
        self._sync(self._descriptor)

    def sync_journal(self) -> None:
        """Bring the journal to the disk. Blocks; runs in a thread."""
        self._sync(self._journal)

    def _sync(self, descriptor: int) -> None:
        try:
            getattr(os, "fdatasync", os.fsync)(descriptor)
        except OSError as err:
            raise storage_error(err, self.path) from err

    def check_lease(self) -> None:
        """Raises: LockedError: another engine has taken the part over."""
        found = decode(read_at(self._journal, 1 << 20, 0))
        if found is not None and (found[0].lease.owner, found[0].lease.pid) != (self._lease.owner, self._lease.pid):
            raise locked(self.path)

    def restart(self, file: ResolvedFile) -> None:
        """Drop all bytes and begin this file anew."""
        self.done, self.synced = Ranges(), Ranges()
        self.file, self.size_bytes, self.etag = file, file.size_bytes, None
        self.write_journal(self.done)
        try:
            os.ftruncate(self._descriptor, 0)
        except OSError as err:
            raise storage_error(err, self.path) from err

    def adopt_whole(self, path: Path) -> None:
        """Take a file that came another way as the bytes, all of them; it is proven like any other. Blocks."""
        try:
            self.close_bytes()
            path.replace(self.path)
            self._descriptor = os.open(self.path, _FLAGS, 0o666)
        except OSError as err:
            raise storage_error(err, self.path) from err
        self.done = Ranges([(0, os.fstat(self._descriptor).st_size)])

    def fsync(self, size_bytes: int) -> None:
        """Cut what was reserved beyond the end, and bring everything to the disk."""
        try:
            os.ftruncate(self._descriptor, size_bytes)
            os.fsync(self._descriptor)
        except OSError as err:
            raise storage_error(err, self.path) from err

    def quarantine(self) -> Path:
        """Put proven-wrong bytes aside as `NAME.part.bad`, so that nothing goes on from them."""
        bad = self.path.with_name(f"{self.path.name}.bad")
        self.close_bytes()
        with contextlib.suppress(OSError):
            self.path.replace(bad)
        self.remove_journal()
        return bad

    def remove_journal(self) -> None:
        """Remove the journal of a part that is no more."""
        if not self._locked:  # Windows removes no open file; elsewhere the lease is held until the name is gone
            self._journal = _closed(self._journal)
        journal_path(self.path).unlink(missing_ok=True)

    def release(self, done: Ranges) -> None:
        """Note the last state, give the lease up and close."""
        if self.held:
            with contextlib.suppress(StorageError, LockedError):
                self.check_lease()
                self._write_record(replace(self._lease, heartbeat_at=None), done)
                if self.worthless:
                    self.close_bytes()
                    self.path.unlink(missing_ok=True)
                    self.remove_journal()
        self.close()

    def close_bytes(self) -> None:
        """Close the file of bytes, before it gets another name (Windows renames no open file)."""
        self._descriptor = _closed(self._descriptor)

    def close(self) -> None:
        """Close the files; the advisory lock goes with them."""
        self.close_bytes()
        self._journal = _closed(self._journal)


def placed_digest(part: Path, file: ResolvedFile) -> str | None:
    """Return the SHA-256 that the journal of a part which is no more names, if the part was that of this file."""
    try:
        found = decode(journal_path(part).read_bytes())
    except OSError:
        return None
    return found[0].placed if found is not None and continues(found[0], file) and not part.exists() else None


def discard_part(dest: Path, part_dir: Path | None = None) -> None:
    """Delete whatever a transfer to `dest` left behind (cancel)."""
    part = part_path(dest, part_dir)
    for path in (part, journal_path(part), part.with_name(f"{part.name}.bad"), part.with_name(f"{part.name}.xet")):
        path.unlink(missing_ok=True)


def _closed(descriptor: int) -> int:
    if descriptor >= 0:
        os.close(descriptor)
    return -1


def locked(path: Path) -> LockedError:
    """Return the error of a part that another engine holds."""
    return LockedError(
        f"another engine works on `{path.name}`", hint="wait for it; it can be taken over when it has died"
    )
