"""One scan: walk the roots, compare with what is known, open only what is new or changed.

A file whose time is within the last `settle_seconds` may still be written, so it is left for a second look; it is taken
when it has not changed between two looks, whatever the clock of its volume says. What cannot be seen is not forgotten:
rows below an unreadable folder, on a volume that is away, or behind a link that leads nowhere are kept.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from ...records.library import LibraryRoot, ScanProblem, ScanReport
from .crew import Crew
from .examine import EXAMINATION, Seen, look_into
from .index import LibraryIndex
from .keep import (
    BATCH,
    Known,
    NewFile,
    forget_gone,
    forget_old_examinations,
    known_files,
    known_stamps,
    note_root,
    relocate_files,
    save_files,
    set_unavailable,
    touch_files,
)
from .names import odd_names
from .roots import RootPlan
from .tables import joined, shown
from .walk import Entry, Walked, Walker

_MOST_PROBLEMS = 1000


@dataclass(slots=True)
class _Compared:
    """What differs in one root."""

    root: LibraryRoot
    new: list[Entry] = field(default_factory=list)
    changed: list[tuple[Known, Entry]] = field(default_factory=list)
    again: list[tuple[Known, Entry]] = field(default_factory=list)
    touched: list[tuple[int, Entry]] = field(default_factory=list)
    gone: dict[bytes, Known] = field(default_factory=dict)
    hidden: list[int] = field(default_factory=list)
    moved_away: bool = False

    def sort(self, entry: Entry, row: Known | None, oldest: int) -> None:
        """Say what is to be done for a file that is not as the index has it, or was last examined before `oldest`."""
        if row is None:
            self.new.append(entry)
        elif (row.size_bytes, row.mtime_ns) != (entry.size_bytes, entry.mtime_ns):
            self.changed.append((row, entry))
        elif row.examined < oldest:
            self.again.append((row, entry))
        else:
            self.touched.append((row.id, entry))


class Scanner:
    """Scans for one index; it remembers which files were being written at the last look. One scan at a time."""

    def __init__(self, index: LibraryIndex, settle_seconds: float) -> None:
        self._index = index
        self._settle_seconds = settle_seconds
        self._oldest = EXAMINATION
        self._unsettled: dict[bytes, tuple[int, int, float]] = {}
        self._pending: set[bytes] = set()
        self.parts: dict[bytes, list[bytes]] = {}
        """Unfinished downloads by root, as the last scan saw them."""
        self.linked_folders: list[bytes] = []
        """Real paths of folders outside the roots that links lead to, as the last scan saw them."""

    def scan(
        self, plans: Iterable[RootPlan], progress: Callable[[int, int], None], *, everything: bool = False
    ) -> ScanReport:
        """Bring the index up to date; `everything` reads the headers of unchanged files too.

        `progress(done, total)` may raise InterruptedError to end it: what is written by then is kept.
        Raises: StorageError.
        """
        begun = time.monotonic()
        wanted = list(plans)
        self._oldest = EXAMINATION + 1 if everything else EXAMINATION
        forget_old_examinations(self._index, self._oldest)
        roots = self._index.set_roots((plan.path, plan.folder_names) for plan in wanted)
        by_path = {os.fsencode(root.path): root for root in roots}
        walker = Walker([(os.fsencode(plan.path), plan.suffixes) for plan in wanted], lambda count: progress(count, 0))
        walked = walker.walk()
        self._unsettled = {place: seen for place, seen in self._unsettled.items() if place in self._pending}
        self._pending.clear()
        self.parts = {root: found.parts for root, found in walked.items()}
        self.linked_folders = [folder for found in walked.values() for folder in found.linked_folders]
        problems = [problem for found in walked.values() for problem in found.problems]
        compared = [self._compare(by_path[path], found, problems) for path, found in walked.items()]
        moved = self._settle_moves(compared)
        report = self._write(compared, moved, problems, progress)
        for path, found in walked.items():
            available = found.available and not _emptied(by_path[path], found, self._index)
            note_root(self._index, by_path[path], available=available, device=found.device, now=time.time())
        return ScanReport(
            files=sum(len(found.entries) for found in walked.values()),
            moved=len(moved),
            seconds=time.monotonic() - begun,
            finished_at=time.time(),
            problems=tuple(problems[:_MOST_PROBLEMS]),
            **report,  # type: ignore[arg-type]
        )

    # Comparing

    def _compare(self, root: LibraryRoot, found: Walked, problems: list[ScanProblem]) -> _Compared:
        compared = _Compared(root)
        if not found.available or _emptied(root, found, self._index):
            reason = found.reason or "the folder is empty, and on another volume than before: is its own mounted?"
            if root.scanned_at is not None:  # a folder that never was is nothing to tell
                problems.append(ScanProblem(code="unavailable", path=shown(found.root), reason=reason))
            return compared
        problems.extend(odd_names(found.root, list(found.entries)))
        stamps = known_stamps(self._index, root.id)
        differing = [path for path, facts in found.entries.items() if stamps.pop(path, None) != hash(facts)]
        if differing or stamps:
            known = known_files(self._index, root.id)
            for path in differing:
                compared.sort(Entry(path, *found.entries[path]), known.get(path), self._oldest)
            self._sort_absent(compared, found, {path: known[path] for path in stamps})
        return compared

    @staticmethod
    def _sort_absent(compared: _Compared, found: Walked, absent: dict[bytes, Known]) -> None:
        """Tell files that are gone from files that cannot be seen now."""
        blocked = tuple(found.blocked)
        devices = {facts[2] for facts in found.entries.values()}
        for path, row in absent.items():
            # Its own volume, mounted somewhere below the root, is not there at the moment.
            away = row.device not in {found.device, compared.root.device}
            away = away and row.device not in devices
            if (blocked and path.startswith(blocked)) or away:
                if row.available:
                    compared.hidden.append(row.id)
            else:
                compared.gone[path] = row

    def _settle_moves(self, compared: list[_Compared]) -> list[tuple[int, int, Entry]]:
        """Recognise files that were moved: the same size and time, and the same inode or name."""
        gone: dict[tuple[int, int], list[tuple[_Compared, bytes, Known]]] = {}
        for side in compared:
            for path, row in side.gone.items():
                gone.setdefault((row.size_bytes, row.mtime_ns), []).append((side, path, row))
        moved: list[tuple[int, int, Entry]] = []
        if not gone:
            return moved
        for side in compared:
            kept = []
            for entry in side.new:
                rows = gone.get((entry.size_bytes, entry.mtime_ns), [])
                match = next((item for item in rows if _same_file(entry, item[1], item[2])), None)
                if match is None:
                    kept.append(entry)
                    continue
                rows.remove(match)
                del match[0].gone[match[1]]
                match[0].moved_away = True
                moved.append((match[2].id, side.root.id, entry))
            side.new = kept
        return moved

    # Writing

    def _write(
        self,
        compared: list[_Compared],
        moved: list[tuple[int, int, Entry]],
        problems: list[ScanProblem],
        progress: Callable[[int, int], None],
    ) -> dict[str, object]:
        folders = {root_id for _, root_id, _ in moved} | {side.root.id for side in compared if side.moved_away}
        if moved:
            relocate_files(self._index, moved)
        counts: Counter[str] = Counter()
        todo: list[NewFile] = []
        for side in compared:
            forget_gone(self._index, side.root.id, side.gone)
            set_unavailable(self._index, side.hidden)
            touch_files(self._index, side.touched)
            counts["gone"] += len(side.gone)
            todo += self._to_examine(side, problems, counts)
            if side.gone or side.hidden:
                folders.add(side.root.id)
        roots = {side.root.id: side.root for side in compared}
        paths = [joined(os.fsencode(roots[file.root_id].path), file.entry.path) for file in todo]
        jobs = zip(paths, (file.entry.size_bytes for file in todo), strict=True)
        with Crew(len(todo), look_into, Seen) as crew:
            seen = crew.look_into(list(jobs))
            for start in range(0, len(todo), BATCH):
                progress(start, len(todo))
                batch = todo[start : start + BATCH]
                part = [
                    _taken(file, path, next(seen), problems) for file, path in zip(batch, paths[start:], strict=False)
                ]
                ready = [file for file in part if file is not None]
                save_files(self._index, ready)
                counts["damaged"] += sum((file.columns or {}).get("damaged") is not None for file in ready)
                folders |= {file.root_id for file in ready if not file.same_bytes}
        names = {name for root_id in folders if root_id in roots for name in roots[root_id].folder_names}
        return {name: counts[name] for name in ("added", "changed", "gone", "damaged", "pending")} | {
            "folders": tuple(sorted(names))
        }

    def _to_examine(self, side: _Compared, problems: list[ScanProblem], counts: Counter[str]) -> list[NewFile]:
        now = time.time()
        first = side.root.scanned_at is None
        todo = []
        for row, entry in [(None, entry) for entry in side.new] + side.changed:
            place = joined(os.fsencode(side.root.path), entry.path)
            if not self._settled(place, entry, now):
                counts["pending"] += 1
                problems.append(ScanProblem(code="being_written", path=shown(place), reason="it is being written"))
                continue
            # What was there before we came is as old as it says; what comes later, came now.
            added = min(now, entry.mtime_ns / 1e9) if first else now
            todo.append(
                NewFile(
                    root_id=side.root.id,
                    entry=entry,
                    file_id=row.id if row is not None else None,
                    added_at=added,
                )
            )
            counts["added" if row is None else "changed"] += 1
        todo += [
            NewFile(root_id=side.root.id, entry=entry, file_id=row.id, same_bytes=True) for row, entry in side.again
        ]
        return todo

    def _settled(self, place: bytes, entry: Entry, now: float) -> bool:
        age = now - entry.mtime_ns / 1e9
        if age >= self._settle_seconds:
            self._unsettled.pop(place, None)
            return True
        self._pending.add(place)
        seen = self._unsettled.get(place)
        at = time.monotonic()
        if seen is not None and seen[:2] == (entry.size_bytes, entry.mtime_ns):
            if at - seen[2] >= self._settle_seconds:
                del self._unsettled[place]
                return True
            return False
        self._unsettled[place] = (entry.size_bytes, entry.mtime_ns, at)
        return False


def _taken(file: NewFile, path: bytes, seen: Seen, problems: list[ScanProblem]) -> NewFile | None:
    """Return the file with what its look showed; None where it has gone since the walk."""
    if seen.unreadable is not None:
        problems.append(ScanProblem(code="unreadable", path=shown(path), reason=seen.unreadable))
        return file  # without columns: the next scan looks again
    return replace(file, columns=seen.columns) if seen.columns is not None else None


def _same_file(entry: Entry, path: bytes, row: Known) -> bool:
    same_name = entry.path.rpartition(b"/")[2] == path.rpartition(b"/")[2]
    return same_name or (entry.inode != 0 and (entry.device, entry.inode) == (row.device, row.inode))


def _emptied(root: LibraryRoot, found: Walked, index: LibraryIndex) -> bool:
    """Tell a mount point without its volume from a folder whose files were deleted."""
    if not found.empty or root.device is None or found.device == root.device:
        return False
    return bool(index.rows("SELECT 1 FROM library_files WHERE root_id = ? LIMIT 1", (root.id,)))
