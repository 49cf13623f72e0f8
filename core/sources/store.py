"""The shared store: what one machine of a fleet has fetched, the others read from there.

Layout: `sha256/ab/<64 hex digits>` holds a file's bytes, `leases/<64 hex digits>` says who is fetching it. An object
appears whole or not at all (a put is atomic in all these stores, a multipart upload at its completion), and is never
rewritten: its name is its content.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ..config import Settings
from ..errors import ChecksumMismatchError, ConflictError, NotFoundError, SourceError, StowError, TransferError
from ..paths import safe_component
from ..records.source import Digest, ResolvedFile, StoreSource
from .lease import Lease
from .objects import Bucket, ObjectInfo, open_bucket, open_object

_log = logging.getLogger("comfystow.store")

#: How long a signed address works; the transfer resolves again when it has expired.
SIGNED_SECONDS = 3600.0
_CHUNK_BYTES = 8 << 20
_PARALLEL_READS = 4


class Served(StrEnum):
    """Where the bytes of a file came from."""

    STORE = "store"
    ORIGIN = "origin"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTimes:
    """The clocks of leases."""

    heartbeat_seconds: float = 10.0
    lease_timeout_seconds: float = 60.0
    poll_seconds: float = 1.0


async def resolve_object(source: StoreSource, environment: Mapping[str, str]) -> ResolvedFile:
    """Find an object. Its `url` is signed for an hour; resolve the source again for a fresh one."""
    bucket, key = open_object(source, environment)
    info = await bucket.info(key)
    if info is None:
        raise NotFoundError(f"`{source.url}` does not exist", hint="check bucket and key")
    name = key.rsplit("/", 1)[-1]
    return ResolvedFile(
        source=source,
        url=await bucket.sign(key, SIGNED_SECONDS),
        filename=safe_component(name),
        size_bytes=info.size_bytes,
        etag=info.etag,
        accepts_ranges=True,
    )


class SharedStore:
    """A content-addressed store that a fleet shares."""

    def __init__(self, bucket: Bucket, times: StoreTimes) -> None:
        self._bucket = bucket
        self._times = times

    @classmethod
    def open(cls, settings: Settings, environment: Mapping[str, str]) -> SharedStore | None:
        """Open the store of the settings; None when there is none. Raises: ConfigError."""
        if settings.shared_store is None:
            return None
        times = StoreTimes(
            heartbeat_seconds=settings.lease_heartbeat_seconds, lease_timeout_seconds=settings.lease_timeout_seconds
        )
        timeout = settings.shared_store_timeout_seconds
        return cls(open_bucket(settings.shared_store, environment, timeout_seconds=timeout), times)

    async def find(self, digest: Digest) -> ObjectInfo | None:
        """Tell whether the store has a file, and its size."""
        return await self._bucket.info(_key(digest))

    async def locate(self, digest: Digest, filename: str) -> ResolvedFile | None:
        """Return the stored file as something that the transfer can fetch; None when it is not there."""
        info = await self.find(digest)
        if info is None:
            return None
        return ResolvedFile(
            source=StoreSource(url=f"{self._bucket.url}/{_key(digest)}"),
            url=await self._bucket.sign(_key(digest), SIGNED_SECONDS),
            filename=safe_component(filename),
            size_bytes=info.size_bytes,
            digest=digest,
            etag=info.etag,
            accepts_ranges=True,
        )

    async def pull(self, digest: Digest, part: Path) -> bool:
        """Write a stored file to `part` and prove it; False when the store does not have it.

        Raises: ChecksumMismatchError: the object is not what its name says; ServerError.
        """
        import asyncio

        info = await self.find(digest)
        if info is None:
            return False
        hasher = hashlib.sha256()
        with part.open("wb") as file:
            async for chunk in self._chunks(digest, info.size_bytes):
                await asyncio.to_thread(_write, file.fileno(), hasher, chunk)
        if hasher.hexdigest() != digest.hex:
            raise ChecksumMismatchError(
                f"the shared store holds other bytes under {digest.hex[:12]}…", hint="delete that object"
            )
        return True

    async def _chunks(self, digest: Digest, size_bytes: int) -> AsyncIterator[bytes]:
        """Yield an object's bytes in order, with a few requests ahead of the reader."""
        import asyncio

        starts = iter(range(0, size_bytes, _CHUNK_BYTES))
        ahead: deque[asyncio.Task[bytes]] = deque()

        def ask() -> None:
            if (start := next(starts, None)) is not None:
                stop = min(start + _CHUNK_BYTES, size_bytes)
                ahead.append(asyncio.create_task(self._bucket.read(_key(digest), start, stop)))

        try:
            for _ in range(_PARALLEL_READS):
                ask()
            while ahead:
                yield await ahead.popleft()
                ask()
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)

    async def push(self, digest: Digest, path: Path) -> bool:
        """Put a proven file into the store; False when it was there already."""
        if await self.find(digest) is not None:
            return False
        try:
            await self._bucket.create(_key(digest), path)
        except ConflictError:
            return False
        return True

    def lease(self, digest: Digest) -> Lease:
        """Return the lease on fetching a file."""
        times = self._times
        return Lease(
            self._bucket,
            digest.hex,
            heartbeat_seconds=times.heartbeat_seconds,
            timeout_seconds=times.lease_timeout_seconds,
        )

    async def fetch_through(self, digest: Digest, part: Path, fetch_origin: Callable[[], Awaitable[None]]) -> Served:
        """Bring a file to `part`: from the store, else from the origin by one of all that ask at the same time.

        `fetch_origin` writes and proves `part`. A store that fails is passed by: the file comes from the origin.
        """
        lease = self.lease(digest)
        try:
            if await self._wait_for_turn(digest, part, lease):
                return Served.STORE
        except (SourceError, TransferError, ChecksumMismatchError) as err:
            _log.warning("the shared store is passed by: %s", err)
            await lease.release()
            await fetch_origin()
            return Served.ORIGIN
        try:
            await fetch_origin()
            await self._try_push(digest, part)
        finally:
            await lease.release()
        return Served.ORIGIN

    async def _wait_for_turn(self, digest: Digest, part: Path, lease: Lease) -> bool:
        """Return True once the file came from the store, False once it is our turn to fetch it."""
        import asyncio

        while not await self.pull(digest, part):
            if await lease.try_acquire():
                # It may have come between our look and our lease.
                return await self._pull_under_lease(digest, part, lease)
            await asyncio.sleep(self._times.poll_seconds)
        return True

    async def _pull_under_lease(self, digest: Digest, part: Path, lease: Lease) -> bool:
        if not await self.pull(digest, part):
            return False
        await lease.release()
        return True

    async def _try_push(self, digest: Digest, part: Path) -> None:
        try:
            await self.push(digest, part)
        except StowError as err:
            _log.warning("%s… could not be put into the shared store: %s", digest.hex[:12], err)


def _key(digest: Digest) -> str:
    if digest.algorithm != "sha256":
        raise ValueError(f"the store is keyed by SHA-256, not {digest.algorithm}")
    return f"sha256/{digest.hex[:2]}/{digest.hex}"


def _write(handle: int, hasher: hashlib._Hash, chunk: bytes) -> None:
    hasher.update(chunk)
    view = memoryview(chunk)
    while view:
        view = view[os.write(handle, view) :]
