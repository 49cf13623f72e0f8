"""What runs next, and who has waited long enough (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..records.download import Download, DownloadState, WaitingFor

#: A wait for these ends without anybody doing anything: the engine stays for them.
PASSES_BY_ITSELF = frozenset({WaitingFor.GENERATION, WaitingFor.HOST})


@dataclass(frozen=True, slots=True)
class Outside:
    """What waiting downloads wait for, as it is now; None where it cannot be told."""

    generating: bool | None


def in_order(downloads: Iterable[Download]) -> list[Download]:
    """Return downloads in the order of the queue: by position, then by age."""
    return sorted(downloads, key=lambda item: (item.position, item.created_at, item.id))


def next_runnable(downloads: Iterable[Download], *, at_once: int, hold: bool) -> list[Download]:
    """Return what may start now: the first queued ones, as many as places are free; none while `hold`."""
    ordered = in_order(downloads)
    free = at_once - sum(item.state.active for item in ordered)
    if hold or free <= 0:
        return []
    return [item for item in ordered if item.state is DownloadState.QUEUED][:free]


def is_busy(downloads: Iterable[Download]) -> bool:
    """Tell whether anything goes on, or would go on by itself."""
    return any(
        item.state.active
        or item.state is DownloadState.QUEUED
        or (item.state is DownloadState.WAITING and item.waiting_for in PASSES_BY_ITSELF)
        for item in downloads
    )


def position_at(ordered: Sequence[Download], index: int) -> float:
    """Return a position that puts a download at an index among the others (which do not hold it)."""
    index = max(0, min(index, len(ordered)))
    if not ordered:
        return 0.0
    if index == 0:
        return ordered[0].position - 1.0
    if index == len(ordered):
        return ordered[-1].position + 1.0
    return (ordered[index - 1].position + ordered[index].position) / 2


def expired_history(downloads: Iterable[Download], keep: int) -> list[str]:
    """Return the ids of the oldest finished downloads beyond the last `keep`."""
    finished = sorted((item for item in downloads if item.state.final), key=lambda item: item.finished_at or 0.0)
    return [item.id for item in finished[: max(0, len(finished) - keep)]]
