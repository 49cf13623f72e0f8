"""Runs of a safetensors header's entries as the libraries write them, cut apart by one pattern.

Rust's library puts no spaces between what JSON consists of, Python's `json` one. What stands between two names is then
always alike but for type, shape and offsets; so a run is split at it, and never walked along entry by entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

#: So much is cut apart at once: little at first, so that a header that interrupts its runs all the time costs little.
_WINDOW_CHARS = (1 << 10, 64 << 10, 4 << 20)
_NOT_IN_NAMES = bytes((*range(0x20), *b'"\\'))


class Entries(NamedTuple):
    """Entries that follow each other up to `end`.

    A kind is what stands between the quote before the type and the bracket behind the shape, offsets are two numbers.
    """

    names: list[str]
    kinds: list[str]
    offsets: list[str]
    end: int


@dataclass(frozen=True, slots=True)
class Run:
    """A way of writing entries. Nothing in it is optional, so that lengths of the parts say where a run ends."""

    first: re.Pattern[str]
    opening: str
    between: re.Pattern[str]
    frame_chars: int
    """Length of what `between` has outside its groups."""

    def cut(self, text: str, at: int) -> Iterator[Entries]:
        """Give the entries from a place on, some at a time, all but the last of the header."""
        windows = iter(_WINDOW_CHARS)
        window = next(windows)
        while self.first.match(text, at) is not None:
            begin = at + len(self.opening)
            parts = self.between.split(text[begin : begin + window])
            parts.pop()  # the window ends within it
            names, kinds, offsets = parts[0::3], parts[1::3], parts[2::3]
            interrupted = not _are_names("".join(names))
            if interrupted:  # something else stands between two entries
                good = next(number for number, name in enumerate(names) if not _are_names(name))
                names, kinds, offsets = names[:good], kinds[:good], offsets[:good]
            if names:
                at += sum(len("".join(column)) for column in (names, kinds, offsets)) + len(names) * self.frame_chars
                yield Entries(names, kinds, offsets, at)
            if interrupted or not names:
                return
            window = next(windows, window)


def _are_names(text: str) -> bool:
    """Tell whether a text stands for itself in JSON. To look for bytes takes a third of what a pattern takes."""
    data = text.encode()
    return len(data.translate(None, _NOT_IN_NAMES)) == len(data)


RUNS = (
    Run(
        re.compile(r'"[^"\\\x00-\x1f]*+":\{"dtype":"'),
        '"',
        re.compile(
            r'":\{"dtype":"([A-Z0-9_]{1,20}","shape":\[[0-9,]*+)\],"data_offsets":\[([0-9]{1,18},[0-9]{1,18})\]\},"'
        ),
        len('":{"dtype":"],"data_offsets":[]},"'),
    ),
    Run(
        re.compile(r' "[^"\\\x00-\x1f]*+": \{"dtype": "'),
        ' "',
        re.compile(
            r'": \{"dtype": "([A-Z0-9_]{1,20}", "shape": \[[0-9, ]*+)\], '
            r'"data_offsets": \[([0-9]{1,18}, [0-9]{1,18})\]\}, "'
        ),
        len('": {"dtype": "], "data_offsets": []}, "'),
    ),
)
