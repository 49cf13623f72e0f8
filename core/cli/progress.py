"""How progress looks: bars on a terminal with rich, plain lines elsewhere. All of it on standard error."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any, Protocol

from .line import MOVING, line_of
from .output import say

_LINE_SECONDS = 5.0


class Display(Protocol):
    """What is told of each change."""

    def show(self, download: dict[str, Any]) -> None:
        """Show the present state of one download."""


@contextlib.contextmanager
def open_display() -> Iterator[Display]:
    """Give the display that fits standard error."""
    if not sys.stderr.isatty():
        yield PlainLines()
        return
    try:
        from .bars import open_bars
    except ImportError:  # rich is optional: `pip install rich` switches the bars on
        yield PlainLines()
        return
    with open_bars() as bars:
        yield bars


class PlainLines:
    """A line for each change of state, and one every few seconds while bytes arrive."""

    def __init__(self) -> None:
        self._states: dict[str, object] = {}
        self._told_at: dict[str, float] = {}

    def show(self, download: dict[str, Any]) -> None:
        """Say it, when there is something new to say."""
        key, state, now = download["id"], _state(download), time.monotonic()
        changed = self._states.get(key) != state
        if changed or (state == MOVING and now - self._told_at.get(key, 0.0) >= _LINE_SECONDS):
            self._states[key], self._told_at[key] = state, now
            say(line_of(download))


def _state(download: dict[str, Any]) -> object:
    return (download["state"], download["waiting_for"]) if download.get("waiting_for") else download["state"]
