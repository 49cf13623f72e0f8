"""A download in one line."""

from __future__ import annotations

from typing import Any

from ..units import format_bytes, format_duration, format_rate
from .output import printable

MOVING = "running"
_RESTING = frozenset({"paused", "waiting"})
_CAUSES = {
    "token": "a token",
    "licence": "its licence to be accepted",
    "space": "space",
    "generation": "ComfyUI to finish",
    "host": "its host",
}
_PROVEN = {"digest": "whole", "header": "header and length fit", "size": "length fits"}


def name_of(download: dict[str, Any]) -> str:
    """Return what a download is called before and after its name is known."""
    return printable(str(download.get("filename") or download["source"]))


def line_of(download: dict[str, Any]) -> str:
    """Describe a download in one line."""
    state, total, cause = download["state"], download.get("bytes_total"), download.get("waiting_for")
    words = [f"{name_of(download)}: {state}" + (f" for {_CAUSES.get(cause, cause)}" if cause else "")]
    if state == MOVING or (state in _RESTING and download.get("bytes_done")):
        here = format_bytes(download.get("bytes_done"))
        words.append(f"{here} of {format_bytes(total)}" if total is not None else here)
    if state == MOVING:
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
