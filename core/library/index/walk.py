"""One pass over the directories of all roots: names, sizes and times, nothing is opened.

First every real directory of every root is walked, then what links to directories add. So a file has one row however
many links lead to it, and which row does not depend on the order of the roots. A link to where the walk has been, or
to a folder that holds the link itself, is passed by.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ...records.library import ScanProblem
from .tables import joined, shown

PART_SUFFIXES = (b".part", b".part.json")
#: SQLite's integers are signed, and inode numbers need not be.
_SIGNED = (1 << 63) - 1


class Entry(NamedTuple):
    """A model file as the directory shows it; `path` is relative to its root, with `/` between parts."""

    path: bytes
    size_bytes: int
    mtime_ns: int
    device: int
    inode: int
    links: int
    symlink: bool

    @property
    def stamp(self) -> int:
        """What a rescan compares; equal for equal entries, in every process of one build of Python."""
        return hash(self[1:])


@dataclass(slots=True)
class Walked:
    """What one root holds. Below `blocked` (relative folders with a `/` at the end, or files) nothing is known.

    `entries` are what an `Entry` has, by its path: a hundred thousand bare tuples cost half as much.
    """

    root: bytes
    available: bool = True
    reason: str | None = None
    empty: bool = False
    device: int | None = None
    entries: dict[bytes, tuple[int, int, int, int, int, bool]] = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)
    blocked: list[bytes] = field(default_factory=list)
    problems: list[ScanProblem] = field(default_factory=list)
    linked_folders: list[bytes] = field(default_factory=list)
    """Real paths of folders that only a link leads to: a watch has to look there too."""

    def tell(self, code: str, relative: bytes, reason: str) -> None:
        """Report something, by a path that can be printed."""
        self.problems.append(ScanProblem(code=code, path=shown(joined(self.root, relative)), reason=reason))


class Walker:
    """Walks the roots of one scan. `counted` is told how many files have been seen."""

    def __init__(self, roots: Iterable[tuple[bytes, Iterable[str]]], counted: Callable[[int], None]) -> None:
        self._suffixes = {root: tuple(os.fsencode(suffix) for suffix in suffixes) for root, suffixes in roots}
        self._counted = counted
        self._seen: set[bytes] = set()
        self._count = 0

    def walk(self) -> dict[bytes, Walked]:
        """Walk all roots. Raises: InterruptedError: `counted` raised it."""
        found = {root: Walked(root) for root in self._suffixes}
        links: list[tuple[Walked, bytes]] = []
        for walked in found.values():
            if self._enter(walked):
                links += [(walked, link) for link in self._tree(walked, b"", walked.root)]
        for walked, link in links:
            self._follow(walked, link)
        return found

    def _enter(self, walked: Walked) -> bool:
        try:
            status = Path(os.fsdecode(walked.root)).stat()
            with os.scandir(walked.root) as listing:
                walked.empty = next(listing, None) is None
        except OSError as err:
            walked.available = False
            walked.reason = f"the folder cannot be read: {err.strerror or err}"
            return False
        walked.device = status.st_dev & _SIGNED
        return True

    def _follow(self, walked: Walked, link: bytes) -> None:
        """Walk what a link to a folder leads to; what lies below it and is a link again is not followed further."""
        place = Path(os.fsdecode(joined(walked.root, link)))
        target = Path(os.path.realpath(place))
        real = os.fsencode(target)
        if not target.is_dir():
            walked.blocked.append(link + b"/")
            walked.tell("dangling", link, "the link leads nowhere")
            return
        if Path(os.path.realpath(place.parent)).is_relative_to(target):
            walked.tell("elsewhere", link, "the link leads to a folder that holds it")
            return
        if real in self._seen or real in self._suffixes:
            walked.tell("elsewhere", link, "the link leads to a folder that is looked at anyway")
            return
        walked.linked_folders.append(real)
        for deeper in self._tree(walked, link + b"/", real):
            self._follow(walked, deeper)

    def _tree(self, walked: Walked, prefix: bytes, real_top: bytes) -> list[bytes]:
        """Walk real folders from one on, and return the links to folders among them."""
        links: list[bytes] = []
        pending = [(prefix, real_top)]
        while pending:
            prefix, real = pending.pop()
            if real in self._seen or (real in self._suffixes and real != walked.root):
                continue  # a root of its own, or walked by another way
            self._seen.add(real)
            before = len(walked.entries)
            try:
                with os.scandir(real) as listing:
                    self._folder(walked, listing, prefix, pending, links)
            except InterruptedError:
                raise
            except OSError as err:
                walked.blocked.append(prefix)
                walked.tell("unreadable", prefix, f"the folder cannot be read: {err.strerror or err}")
            self._count += len(walked.entries) - before
            self._counted(self._count)
        return sorted(links)

    def _folder(
        self,
        walked: Walked,
        listing: Iterable[os.DirEntry[bytes]],
        prefix: bytes,
        pending: list[tuple[bytes, bytes]],
        links: list[bytes],
    ) -> None:
        """Take the items of one folder. The way of a model file through here is what a rescan's speed is made of."""
        suffixes, found = self._suffixes[walked.root], walked.entries
        for item in listing:
            name = item.name
            if not name.lower().endswith(suffixes):
                _no_model(walked, item, prefix, pending, links)
                continue
            try:
                status = item.stat()
            except OSError as err:
                _unseen(walked, item, prefix, err)
                continue
            if not stat.S_ISREG(status.st_mode):
                _no_model(walked, item, prefix, pending, links)
            elif not name.startswith(b"._"):  # macOS' own notes beside a file (AppleDouble)
                found[prefix + name] = (
                    status.st_size,
                    status.st_mtime_ns,
                    status.st_dev & _SIGNED,
                    status.st_ino & _SIGNED,
                    status.st_nlink,
                    item.is_symlink(),
                )


def _no_model(
    walked: Walked,
    item: os.DirEntry[bytes],
    prefix: bytes,
    pending: list[tuple[bytes, bytes]],
    links: list[bytes],
) -> None:
    """Go on with folders and links to folders, and note parts of downloads."""
    name = item.name
    if name.startswith(b"."):
        return
    if item.is_dir(follow_symlinks=False):
        pending.append((prefix + name + b"/", item.path))
    elif item.is_symlink():
        if item.is_dir() or not Path(os.fsdecode(item.path)).exists():
            links.append(prefix + name)
    elif name.endswith(PART_SUFFIXES):
        walked.parts.append(prefix + name)


def _unseen(walked: Walked, item: os.DirEntry[bytes], prefix: bytes, error: OSError) -> None:
    walked.blocked.append(prefix + item.name)
    dangling = isinstance(error, FileNotFoundError) and item.is_symlink()
    reason = "the link leads nowhere" if dangling else f"it cannot be looked at: {error.strerror or error}"
    walked.tell("dangling" if dangling else "unreadable", prefix + item.name, reason)


def entry_of(root: bytes, relative: bytes) -> Entry | None:
    """Look at one file; None when it is none, or not there."""
    path = Path(os.fsdecode(joined(root, relative)))
    try:
        status = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return Entry(
        path=relative,
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        device=status.st_dev & _SIGNED,
        inode=status.st_ino & _SIGNED,
        links=status.st_nlink,
        symlink=path.is_symlink(),
    )
