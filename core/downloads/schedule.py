"""What runs next, in which order, and what keeps the engine alive (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from ..records.download import Download, DownloadState, WaitingFor

#: A wait for these ends without anybody doing anything: the engine stays for them.
_PASSES_BY_ITSELF = frozenset({WaitingFor.GENERATION, WaitingFor.HOST})
_LEAST_GAP = 1e-6


def in_order(downloads: Iterable[Download]) -> list[Download]:
    """Return the unfinished ones in the order of the queue, then the finished ones, newest first."""
    everything = list(downloads)
    queue = sorted((item for item in everything if not item.state.final), key=lambda item: (item.position, item.id))
    history = sorted((item for item in everything if item.state.final), key=lambda item: -(item.finished_at or 0.0))
    return queue + history


def next_runnable(downloads: Iterable[Download], *, at_once: int, hold: bool) -> list[Download]:
    """Return what may start now: the first queued ones, as many as places are free; none while `hold`.

    Of two with one destination the second waits for the first, and then finds the file.
    """
    everything = list(downloads)
    active = [item for item in everything if item.state.active]
    busy = {item.dest_path for item in active if item.dest_path is not None}
    chosen: list[Download] = []
    if hold or len(active) >= at_once:
        return chosen
    for item in in_order(item for item in everything if item.state is DownloadState.QUEUED):
        if len(active) + len(chosen) >= at_once:
            break
        if item.dest_path not in busy:
            chosen.append(item)
            if item.dest_path is not None:
                busy.add(item.dest_path)
    return chosen


def is_busy(downloads: Iterable[Download]) -> bool:
    """Tell whether anything goes on, or would go on by itself."""
    return any(
        item.state.active
        or item.state is DownloadState.QUEUED
        or (item.state is DownloadState.WAITING and item.waiting_for in _PASSES_BY_ITSELF)
        for item in downloads
    )


def is_settled(download: Download) -> bool:
    """Tell whether nothing more happens to it unless somebody does something."""
    return not is_busy([download])


def reorder(downloads: Iterable[Download], download_id: str, index: int) -> dict[str, float]:
    """Return the positions that change when a download moves to an index of the queue; 0 is first."""
    queue = [item for item in in_order(downloads) if not item.state.final and item.id != download_id]
    index = max(0, min(index, len(queue)))
    before = queue[index - 1].position if index > 0 else None
    after = queue[index].position if index < len(queue) else None
    if before is None or after is None:
        return {download_id: (after - 1.0 if after is not None else (before if before is not None else 0.0) + 1.0)}
    if after - before > _LEAST_GAP:
        return {download_id: (before + after) / 2}
    ids = [item.id for item in queue]
    ids.insert(index, download_id)
    return {item_id: float(number) for number, item_id in enumerate(ids)}


def expired(downloads: Iterable[Download], keep: int) -> list[str]:
    """Return the ids of the oldest finished downloads beyond the last `keep`."""
    return [item.id for item in in_order(item for item in downloads if item.state.final)][max(0, keep) :]
