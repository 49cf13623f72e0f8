"""How progress looks: bars on a terminal with rich, plain lines elsewhere. All of it on standard error."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any, Protocol

from ..units import format_bytes, format_duration, format_rate
from .output import printable, say

_LINE_SECONDS = 5.0
_MOVING = "running"


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
        if changed or (state == _MOVING and now - self._told_at.get(key, 0.0) >= _LINE_SECONDS):
            self._states[key], self._told_at[key] = state, now
            say(line_of(download))


def _state(download: dict[str, Any]) -> object:
    return (download["state"], download["waiting_for"]) if download.get("waiting_for") else download["state"]


def name_of(download: dict[str, Any]) -> str:
    """Return what a download is called before and after its name is known."""
    return printable(str(download.get("filename") or download["source"]))


def line_of(download: dict[str, Any]) -> str:
    """Describe a download in one line."""
    state, total, cause = download["state"], download.get("bytes_total"), download.get("waiting_for")
    words = [f"{name_of(download)}: {state}" + (f" for {_CAUSES.get(cause, cause)}" if cause else "")]
    if state == _MOVING or (state in _RESTING and download.get("bytes_done")):
        here = format_bytes(download.get("bytes_done"))
        words.append(f"{here} of {format_bytes(total)}" if total is not None else here)
    if state == _MOVING:
        if download.get("rate_bytes_per_second") is not None:
            words.append(format_rate(download["rate_bytes_per_second"]))
        if download.get("eta_seconds") is not None:
            words.append(f"{format_duration(download['eta_seconds'])} left")
    elif state == "completed":
        words.append(format_bytes(total))
        words.append(_PROVEN.get(str(download.get("verified")), "not verified"))
    if download.get("note") and state != "completed":
        words.append(str(download["note"]))
    return ", ".join(words)


_RESTING = frozenset({"paused", "waiting"})
_CAUSES = {
    "token": "a token",
    "licence": "its licence to be accepted",
    "space": "space",
    "generation": "ComfyUI to finish",
    "host": "its host",
}
_PROVEN = {"digest": "whole", "header": "header and length fit", "size": "length fits"}
