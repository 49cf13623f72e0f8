"""What arguments may be, beyond text: the `type` of options."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path


def path(text: str) -> Path:
    """Read a path. An empty one, a shell's variable that is not set, would be the folder that one stands in."""
    if not text:
        raise ArgumentTypeError("the path is empty")
    return Path(text)


def count(text: str) -> int:
    """Read a number of things."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"`{text}` is no whole number from 1 on")
    return int(text)


def number(least: float, most: float) -> Callable[[str], float]:
    """Return what reads a number in a range, both ends included."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise ArgumentTypeError(f"`{text}` is no number from {least:g} to {most:g}")
        return value

    return read
