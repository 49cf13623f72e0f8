"""Equal files made one: which there are, which of each is kept, and what becomes a link to it."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from ...paths import has_model_suffix
from ...records.change import Act, Action, FileFacts, LinkPolicy, Method, Problem
from .holdings import Holdings, Tell
from .volumes import Volumes

_HUB_PREFIXES = ("models--", "datasets--", "spaces--")


class Origin(IntEnum):
    """Where a copy lies; of equal ones the first is kept."""

    LIBRARY = 0
    ELSEWHERE = 1
    CACHE = 2


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that is searched for copies."""

    path: Path
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One name of a file."""

    path: str
    origin: Origin
    device: int
    facts: FileFacts
    links: int
    owner: int

    @property
    def identity(self) -> tuple[int, int]:
        """The same for all names of one file."""
        return self.device, self.facts.inode


@dataclass(slots=True)
class Copies:
    """Everything a search met."""

    files: list[Copy] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def find_copies(places: Iterable[Place], *, now: float, still_seconds: float) -> Copies:
    """Walk folders for files of models, each folder once; of a cache of Hugging Face the blobs."""
    found = Copies()
    seen: set[str] = set()
    for place in places:
        pending = [os.path.realpath(place.path)]
        while pending:
            folder = pending.pop()
            if folder in seen:
                continue
            seen.add(folder)
            for entry in _listed(folder, found):
                _take(entry, place.origin, pending, found, newest=now - still_seconds)
    return found


def _listed(folder: str, found: Copies) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as listing:
            return sorted(listing, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError as err:
        found.problems.append(Problem(path=folder, reason=f"the folder cannot be read: {err.strerror or err}"))
        return []


def _take(entry: os.DirEntry[str], origin: Origin, pending: list[str], found: Copies, *, newest: float) -> None:
    try:
        if entry.is_dir(follow_symlinks=False):
            if not entry.name.startswith("."):
                pending.append(entry.path)
            return
        if not _wanted(entry, origin):
            return
        status = entry.stat(follow_symlinks=False)
    except OSError as err:
        found.problems.append(Problem(path=entry.path, reason=f"it cannot be looked at: {err.strerror or err}"))
        return
    if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
        return
    if status.st_mtime > newest:
        found.problems.append(Problem(path=entry.path, reason="it changed just now, and may still be written"))
        return
    found.files.append(
        Copy(
            path=entry.path,
            origin=origin,
            device=status.st_dev,
            facts=FileFacts.of_stat(status),
            links=status.st_nlink,
            owner=status.st_uid,
        )
    )


def _wanted(entry: os.DirEntry[str], origin: Origin) -> bool:
    """Blobs of the hub's cache are called by their digest; files that still arrive end with `.incomplete`."""
    if origin is Origin.CACHE:
        folder, name = os.path.split(os.path.dirname(entry.path))  # noqa: PTH120
        if name == "blobs" and os.path.basename(folder).startswith(_HUB_PREFIXES):  # noqa: PTH119
            return not entry.name.endswith((".incomplete", ".lock"))
    return has_model_suffix(entry.name)


class Deduper:
    """Plans links for equal files. `tick` is told of each file of a size that others have.

    It may raise InterruptedError.
    """

    def __init__(
        self,
        holdings: Holdings,
        policy: LinkPolicy,
        *,
        spare_of: Callable[[str, int], str],
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        self._holdings = holdings
        self._method = Method.REFLINK if policy is LinkPolicy.REFLINK else Method.HARD
        self._policy = LinkPolicy.REFLINK if policy is LinkPolicy.REFLINK else LinkPolicy.HARD
        self._spare_of = spare_of
        self._tick = tick
        self._volumes = Volumes()
        self._actions: list[Action] = []

    def plan(self, copies: Copies) -> list[Action]:
        """Return a row for each name that becomes a link, and one for each equal file that cannot."""
        for same in _equal(copies, self._holdings, self._tick):
            self._group(same)
        return self._actions

    def _group(self, same: tuple[str, list[Copy]]) -> None:
        digest, copies = same
        left = sorted(copies, key=lambda copy: (copy.origin, -copy.links, copy.facts.mtime_ns, copy.path))
        first = left[0]
        while left:
            keeper = left[0]
            near = [copy for copy in left if copy is keeper or self._way(keeper, copy)]
            if keeper is not first and len({copy.identity for copy in near}) == 1:
                self._add_far(first, keeper, digest)
            self._link_all(keeper, near, digest)
            left = [copy for copy in left if copy not in near]

    def _way(self, keeper: Copy, copy: Copy) -> bool:
        return self._volumes.method(self._policy, keeper.path, copy.path)[0] is self._method

    def _link_all(self, keeper: Copy, copies: list[Copy], digest: str) -> None:
        names: dict[tuple[int, int], list[Copy]] = defaultdict(list)
        for copy in copies:
            if copy.identity != keeper.identity:
                names[copy.identity].append(copy)
        for same_file in names.values():
            whole = same_file[0].links == len(same_file)
            for copy in same_file:
                self._add_link(keeper, copy, digest, frees=whole and copy is same_file[-1])

    def _add_link(self, keeper: Copy, copy: Copy, digest: str, *, frees: bool) -> None:
        number = len(self._actions)
        row = Action(
            number=number,
            act=Act.REPLACE,
            source=keeper.path,
            target=copy.path,
            method=self._method,
            size_bytes=copy.facts.size_bytes,
            saved_bytes=copy.facts.size_bytes if frees else 0,
            reason="the same bytes" if frees else "the same bytes; another name of it keeps the space",
            digest=digest,
            facts=keeper.facts,
            target_facts=copy.facts,
            spare=self._spare_of(copy.path, number),
        )
        if copy.owner != keeper.owner:
            reason = "the same bytes, but another user's file"
            row = _idle(row, reason)
        self._actions.append(row)

    def _add_far(self, first: Copy, copy: Copy, digest: str) -> None:
        number = len(self._actions)
        row = Action(number=number, act=Act.SKIP, source=first.path, target=copy.path, digest=digest)
        reason = "the same bytes on a volume where no such link leads"
        self._actions.append(_idle(row, reason, size_bytes=copy.facts.size_bytes))


def _idle(row: Action, reason: str, size_bytes: int | None = None) -> Action:
    size = row.size_bytes if size_bytes is None else size_bytes
    return row._replace(act=Act.SKIP, method=None, reason=reason, saved_bytes=0, size_bytes=size)


def _equal(copies: Copies, holdings: Holdings, tick: Callable[[], None]) -> Iterator[tuple[str, list[Copy]]]:
    """Yield the copies of each content that is there more than once; only files that look equal are read."""
    by_size: dict[int, list[Copy]] = defaultdict(list)
    for copy in copies.files:
        by_size[copy.facts.size_bytes].append(copy)
    for _size, sized in sorted(by_size.items(), reverse=True):
        if _one_file(sized):
            continue
        tell = holdings.telling([(copy.path, copy.facts) for copy in sized])
        for alike in _told_apart(sized, tell, copies.problems, tick).values():
            if not _one_file(alike):
                same = _told_apart(alike, holdings.digest, copies.problems, lambda: None)
                yield from ((digest, equal) for digest, equal in same.items() if not _one_file(equal))


def _one_file(copies: list[Copy]) -> bool:
    return len({copy.identity for copy in copies}) < 2


def _told_apart(
    files: list[Copy], tell: Tell, problems: list[Problem], tick: Callable[[], None]
) -> dict[str, list[Copy]]:
    """Group files by what is told of them, which is asked once for all names of one."""
    groups: dict[str, list[Copy]] = defaultdict(list)
    known: dict[tuple[int, int], str] = {}
    for copy in files:
        tick()
        try:
            if copy.identity not in known:
                known[copy.identity] = tell(copy.path, copy.facts)
            groups[known[copy.identity]].append(copy)
        except InterruptedError:
            raise
        except OSError as err:
            problems.append(Problem(path=copy.path, reason=f"it cannot be read: {err.strerror or err}"))
    return groups
