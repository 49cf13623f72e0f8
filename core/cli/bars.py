"""Progress bars; needs rich."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.text import Text

from ..units import format_duration
from .line import line_of, name_of

_ENDED = frozenset({"completed", "failed", "cancelled", "paused", "waiting"})


class Bars:
    """One bar a download while it is under way, one line when it is not."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self._ended: dict[str, str] = {}

    def show(self, download: dict[str, Any]) -> None:
        """Move the bar."""
        key, state = download["id"], download["state"]
        if state in _ENDED:
            self._end(key, line_of(download))
            return
        self._ended.pop(key, None)
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task("", total=None, left="")
        words = name_of(download) if state == "running" else f"{name_of(download)} ({state})"
        left = download.get("eta_seconds")
        self._progress.update(
            self._tasks[key],
            description=words,
            completed=download.get("bytes_done") or 0,
            total=download.get("bytes_total"),
            left=format_duration(left) if left is not None else "",
        )

    def _end(self, key: str, line: str) -> None:
        if self._ended.get(key) == line:
            return
        self._ended[key] = line
        if (task := self._tasks.pop(key, None)) is not None:
            self._progress.remove_task(task)
        self._progress.console.print(Text(line))


@contextlib.contextmanager
def open_bars() -> Iterator[Bars]:
    """Draw on standard error until the end of the block; rich itself respects NO_COLOR."""
    columns = (
        TextColumn("{task.description}", markup=False),  # a `[` in a file's name is no markup
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Bars(progress)
