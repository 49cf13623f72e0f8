"""What downloads add up to, counted from the queue's own events."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import (
    EgressError,
    HeaderError,
    IntegrityError,
    SourceError,
    StorageError,
    StowError,
    TransferError,
)
from ..metrics.reading import Counters, Reading
from ..records.download import Download, DownloadState, Verified
from ..records.json import to_json

_MOVING = frozenset({DownloadState.RUNNING, DownloadState.VERIFYING, DownloadState.PLACING})

#: A rate that nobody has told anew for this long is no rate any more: a transfer that stalls falls silent.
_QUIET_SECONDS = 10.0


_UNPROVEN = "none"
_MOST_SEEN = 10_000


def _codes() -> list[str]:
    """Return the codes that a download can fail with: the branches of the tree that it meets, and the unexpected."""
    pending: list[type[StowError]] = [
        SourceError, TransferError, IntegrityError, StorageError, EgressError, HeaderError,
    ]  # fmt: skip
    codes = [StowError.code]
    while pending:
        kind = pending.pop()
        codes.append(kind.code)
        pending.extend(kind.__subclasses__())
    return codes


@dataclass(frozen=True, slots=True)
class _Seen:
    state: str
    bytes_done: int
    rate: float


class DownloadTally:
    """Counters since the start of the engine. Bytes that were there before, or were linked, do not count."""

    def __init__(self, downloads: Iterable[Download], clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with the queue as the last engine left it."""
        self._clock = clock
        self._bytes_at = clock()
        self._rate = 0.0
        self.counters = Counters(
            download_errors=dict.fromkeys(_codes(), 0),
            downloads_completed={value.value: 0 for value in Verified} | {_UNPROVEN: 0},
        )
        self._seen = {download.id: _Seen(download.state.value, download.bytes_done, 0.0) for download in downloads}

    @property
    def moving(self) -> bool:
        """True while bytes should come."""
        return any(seen.state == DownloadState.RUNNING for seen in self._seen.values())

    @property
    def rate_bytes_per_second(self) -> float:
        """Bytes that all receive in a second; 0 is known where none runs. May be read from any thread."""
        return self._rate if self._clock() - self._bytes_at < _QUIET_SECONDS else 0.0

    def take(self, changed: Iterable[Mapping[str, Any]]) -> bool:
        """Count what an event of the queue tells; true where a download's state is another one."""
        moved = [self._count(download) for download in changed]
        while len(self._seen) > _MOST_SEEN:  # the queue forgets its oldest too
            del self._seen[next(iter(self._seen))]
        self._rate = sum(seen.rate for seen in self._seen.values() if seen.state in _MOVING)
        return any(moved)

    def recount(self, downloads: Iterable[Download]) -> None:
        """Read the whole queue, after events were lost."""
        rows = list(downloads)
        self.take(to_json(row) for row in rows)
        ids = {row.id for row in rows}
        self._seen = {identity: seen for identity, seen in self._seen.items() if identity in ids}

    def _count(self, download: Mapping[str, Any]) -> bool:
        state, done = download["state"], download["bytes_done"]
        before = self._seen.get(download["id"], _Seen("", 0, 0.0))
        self._seen[download["id"]] = _Seen(state, done, download["rate_bytes_per_second"] or 0.0)
        if done > before.bytes_done and not download["linked"]:
            self.counters.download_bytes += done - before.bytes_done
            self._bytes_at = self._clock()
        if state == before.state:
            return False
        if state == DownloadState.RUNNING:
            self._bytes_at = self._clock()
        elif state == DownloadState.FAILED:
            _add(self.counters.download_errors, (download.get("error") or {}).get("code") or StowError.code)
        elif state == DownloadState.COMPLETED:
            _add(self.counters.downloads_completed, download["verified"] or _UNPROVEN)
        return True


def _add(counts: dict[str, int], key: str) -> None:
    counts[key] = counts.get(key, 0) + 1


def queue_readings(downloads: Iterable[Download], rate_bytes_per_second: float) -> Iterator[Reading]:
    """Give the queue by state, and its rate."""
    counts = Counter(row.state for row in downloads)
    for state in DownloadState:
        yield Reading("downloads", counts[state], (state.value,))
    yield Reading("download_rate_bytes_per_second", rate_bytes_per_second)
