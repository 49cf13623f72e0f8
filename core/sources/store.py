"""The shared store: what one machine of a fleet has fetched, the others read from there.

Layout: `sha256/ab/<64 hex digits>` holds a file's bytes, `leases/<64 hex digits>` says who is fetching it. An object
appears whole or not at all (a put is atomic in all these stores, a multipart upload at its completion), and is never
rewritten: its name is its content.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from ..config import Settings
from ..errors import ConflictError, EgressError, IntegrityError, NotFoundError, SourceError, StowError, TransferError
from ..net.egress import EgressGate
from ..paths import safe_component
from ..records.source import Digest, ResolvedFile, StoreSource
from .folders import folder_of_path
from .lease import Lease
from .objects import Bucket, ObjectInfo, open_bucket, open_object

_log = logging.getLogger("comfystow.store")

#: How long a signed address works; `Turn.renew` and resolving again give a fresh one.
SIGNED_SECONDS = 3600.0
#: How long a store that failed for a file is passed by for it.
_DOUBT_SECONDS = 300.0


class Served(StrEnum):
    """Where the bytes of a file come from."""

    STORE = "store"
    ORIGIN = "origin"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTimes:
    """The clocks of leases."""

    heartbeat_seconds: float = 10.0
    lease_timeout_seconds: float = 60.0
    poll_seconds: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What to fetch now: the stored copy, or the origin's file while all others wait for us.

    `local_path` is the stored copy itself when the store is a folder: link or copy it, there is nothing to transfer.
    """

    file: ResolvedFile
    served: Served
    local_path: Path | None = None
    _store: SharedStore = field(repr=False)

    async def renew(self) -> ResolvedFile:
        """Return the stored copy with a fresh address."""
        return await self._store.locate(self.file) or self.file

    async def keep(self, path: Path) -> None:
        """Give a file that came from the origin, and was proven, to the others. A store that refuses is passed by."""
        if self.served is Served.STORE or self.file.digest is None or self.file.digest.algorithm != "sha256":
            return
        try:
            await self._store.push(self.file.digest, path)
        except StowError as err:
            _log.warning("`%s` could not be put into the shared store: %s", self.file.filename, err)


async def resolve_object(source: StoreSource, environment: Mapping[str, str], gate: EgressGate) -> ResolvedFile:
    """Find an object. Its `url` is signed for an hour; resolve the source again for a fresh one.

    Raises: NotFoundError, AuthRequiredError, ConfigError, ServerError.
    """
    bucket, key = open_object(source, environment)
    info = await bucket.info(key)
    if info is None:
        raise NotFoundError(f"`{source.url}` does not exist", hint="check bucket and key")
    url = await bucket.sign(key, SIGNED_SECONDS)
    stored = re.fullmatch(r"(?:.*/)?sha256/[0-9a-f]{2}/([0-9a-f]{64})", key)
    gate.trust(url)  # its host is the one that the environment configures, never one of the reference
    return ResolvedFile(
        source=source,
        url=url,
        filename=safe_component(key.rsplit("/", 1)[-1]),
        size_bytes=info.size_bytes,
        digest=Digest("sha256", stored[1]) if stored is not None else None,
        etag=info.etag,
        accepts_ranges=True,
        folder_hint=folder_of_path(key),
    )


class SharedStore:
    """A content-addressed store that a fleet shares."""

    def __init__(self, bucket: Bucket, gate: EgressGate, times: StoreTimes) -> None:
        self._bucket = bucket
        self._gate = gate
        self._times = times
        self._doubted: dict[Digest, float] = {}

    @classmethod
    def open(cls, settings: Settings, environment: Mapping[str, str], gate: EgressGate) -> SharedStore | None:
        """Open the store of the settings; None when there is none. Raises: ConfigError."""
        if settings.shared_store is None:
            return None
        times = StoreTimes(
            heartbeat_seconds=settings.lease_heartbeat_seconds, lease_timeout_seconds=settings.lease_timeout_seconds
        )
        timeout = settings.shared_store_timeout_seconds
        return cls(open_bucket(settings.shared_store, environment, timeout_seconds=timeout), gate, times)

    async def find(self, digest: Digest) -> ObjectInfo | None:
        """Tell whether the store has a file, and its size."""
        return await self._bucket.info(_key(digest))

    async def locate(self, file: ResolvedFile) -> ResolvedFile | None:
        """Return the stored copy of a file as something that can be fetched; None when it is not there."""
        if file.digest is None or (info := await self.find(file.digest)) is None:
            return None
        url = await self._bucket.sign(_key(file.digest), SIGNED_SECONDS)
        if self._bucket.folder is None:
            self._gate.trust(url)
        return replace(file, url=url, size_bytes=info.size_bytes, etag=info.etag, accepts_ranges=True)

    async def push(self, digest: Digest, path: Path) -> bool:
        """Put a proven file into the store; False when it was there already."""
        if await self.find(digest) is not None:
            return False
        try:
            await self._bucket.create(_key(digest), path)
        except ConflictError:
            return False
        return True

    async def contents(self) -> AsyncIterator[tuple[Digest, int]]:
        """Yield digest and size of every file in the store."""
        async for key, size_bytes in self._bucket.keys("sha256/"):
            name = key.rsplit("/", 1)[-1]
            if re.fullmatch(r"[0-9a-f]{64}", name):
                yield Digest("sha256", name), size_bytes

    def lease(self, digest: Digest) -> Lease:
        """Return the lease on fetching a file."""
        times = self._times
        return Lease(
            self._bucket,
            digest.hex,
            heartbeat_seconds=times.heartbeat_seconds,
            timeout_seconds=times.lease_timeout_seconds,
        )

    @asynccontextmanager
    async def turn(self, file: ResolvedFile) -> AsyncIterator[Turn]:
        """Wait until the store has the file, or until it is our turn to bring it from the origin.

        Of all that ask at the same time one gets the origin; the others wait until it has called `Turn.keep`. A file
        without a SHA-256 comes from the origin, and so does everything while the store fails.
        """
        digest = file.digest
        if digest is None or digest.algorithm != "sha256" or self._doubted.get(digest, 0.0) > time.monotonic():
            yield Turn(file=file, served=Served.ORIGIN, _store=self)
            return
        lease = self.lease(digest)
        stored = None
        try:
            try:
                stored = await self._wait(file, lease)
            except StowError as err:
                _log.warning("the shared store is passed by: %s", err)
            if stored is None:
                yield Turn(file=file, served=Served.ORIGIN, _store=self)
            else:
                yield self._stored_turn(stored, digest)
        except (SourceError, TransferError, IntegrityError, EgressError):  # no error of our own disk
            if stored is not None:
                self._doubted[digest] = time.monotonic() + _DOUBT_SECONDS
            raise
        finally:
            await lease.release()

    def _stored_turn(self, stored: ResolvedFile, digest: Digest) -> Turn:
        folder = self._bucket.folder
        return Turn(
            file=stored,
            served=Served.STORE,
            local_path=folder / _key(digest) if folder is not None else None,
            _store=self,
        )

    async def _wait(self, file: ResolvedFile, lease: Lease) -> ResolvedFile | None:
        """Return the stored copy once it is there, None once we hold the lease and it is not."""
        import asyncio

        while True:
            if (stored := await self.locate(file)) is not None:
                return stored
            if await lease.try_acquire():
                stored = await self.locate(file)  # it may have come between our look and our lease
                if stored is not None:
                    await lease.release()
                return stored
            await asyncio.sleep(self._times.poll_seconds)


def _key(digest: Digest) -> str:
    if digest.algorithm != "sha256":
        raise ValueError(f"the store is keyed by SHA-256, not {digest.algorithm}")
    return f"sha256/{digest.hex[:2]}/{digest.hex}"
