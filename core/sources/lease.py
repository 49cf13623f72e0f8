"""One of many: a lease in an object store, taken by a conditional put.

The object `leases/<name>` says who works. Its holder rewrites it at every heartbeat; who waits watches its ETag by
their own clock, so clocks of machines need not agree. A lease whose ETag stays for too long is taken over.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import socket
import time
from typing import TYPE_CHECKING

from ..errors import ConflictError, StowError
from .objects import Bucket

if TYPE_CHECKING:
    from asyncio import Task

_log = logging.getLogger("comfystow.store")


class Lease:
    """The right to do one piece of work, for as long as it is held."""

    def __init__(self, bucket: Bucket, name: str, *, heartbeat_seconds: float, timeout_seconds: float) -> None:
        self._bucket = bucket
        self._key = f"leases/{name}"
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"
        self._heartbeat_seconds = heartbeat_seconds
        self._timeout_seconds = timeout_seconds
        self._etag: str | None = None
        self._beats = 0
        self._keeper: Task[None] | None = None
        self._seen: tuple[str | None, float] | None = None  # the ETag of another's lease, and since when

    async def try_acquire(self) -> bool:
        """Take the lease if it is free or its holder has died; call again to watch.

        Raises: AuthRequiredError, ServerError: the store fails.
        """
        import asyncio

        if not await self._take():
            return False
        self._keeper = asyncio.create_task(self._keep(), name=f"lease {self._key}")
        return True

    async def release(self) -> None:
        """Give the lease back, unless another has taken it over meanwhile."""
        import asyncio

        if self._keeper is None:
            return
        self._keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._keeper
        self._keeper = None
        try:
            if await self._is_ours():
                await self._bucket.delete(self._key)
        except StowError as err:
            _log.warning("the lease %s could not be given back: %s", self._key, err)

    async def _take(self) -> bool:
        try:
            self._etag = await self._bucket.create(self._key, self._content())
        except ConflictError:
            return await self._take_over()
        return True

    async def _take_over(self) -> bool:
        """Replace a lease that nobody renews."""
        info = await self._bucket.info(self._key)
        if info is None:
            return False  # just given back: the next attempt takes it
        now = time.monotonic()
        if self._seen is None or self._seen[0] != info.etag:
            self._seen = (info.etag, now)
        if now - self._seen[1] < self._timeout_seconds or info.etag is None:
            return False
        try:
            self._etag = await self._bucket.replace(self._key, self._content(), info.etag)
        except ConflictError:
            self._seen = None  # another was quicker
            return False
        _log.warning("the lease %s was left by its holder and is taken over", self._key)
        return True

    async def _keep(self) -> None:
        import asyncio

        while True:
            await asyncio.sleep(self._heartbeat_seconds)
            try:
                if self._etag is not None:
                    self._etag = await self._bucket.replace(self._key, self._content(), self._etag)
            except ConflictError:
                _log.warning("the lease %s was taken over; the work goes on, and the other's too", self._key)
                return
            except StowError as err:
                _log.warning("the lease %s could not be renewed: %s", self._key, err)

    async def _is_ours(self) -> bool:
        found = await self._bucket.read_small(self._key)
        return found is not None and self._owner.encode() in found[0]

    def _content(self) -> bytes:
        self._beats += 1
        return json.dumps({"owner": self._owner, "beat": self._beats}).encode()
