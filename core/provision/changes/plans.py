"""Plans of changes over the library of an engine: what each kind looks at, in a thread, and nothing is touched."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import ConflictError, NotFoundHereError, UsageError
from ...library.changes.dedupe import Deduper, Origin, Place, find_copies
from ...library.changes.discard import Shelved, choose_prunable, plan_delete, plan_empty, plan_prune
from ...library.changes.ground import root_of, spares, trash_place
from ...library.changes.incoming import look_into
from ...library.changes.journal import ChangeJournal
from ...library.changes.organise import Organiser, Wishes, in_order, refusal
from ...library.changes.undo import opposites
from ...library.index.crew import Crew
from ...library.index.index import LibraryIndex
from ...library.index.roots import plan_roots
from ...records.change import Action, ChangeState, FileFacts, LinkPolicy, Problem
from ...records.download import Verified
from ...records.library import LibraryFile, LibraryFilter
from ...records.model import FolderLayout
from ...units import format_bytes
from .finding import Finder, Told, look_inside
from .holdings import IndexHoldings
from .memory import known_text

#: Told how many of how many; raises InterruptedError where the plan is given up.
Tick = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A plan before it has an id."""

    title: str
    actions: Sequence[Action]
    problems: Sequence[Problem] = field(default=())


#: Makes the plan of a change with this id. Raises: StowError, InterruptedError.
Planner = Callable[[str, Tick], Draft]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans:
    """What plans are made of."""

    state_dir: Path
    layout: FolderLayout
    index: LibraryIndex
    still_seconds: float

    def organise(
        self,
        folder: Path,
        wishes: Wishes,
        *,
        chosen: Mapping[str, str],
        only: Callable[[str, FileFacts], bool] = lambda _path, _facts: True,
    ) -> Planner:
        """Plan where the models of a folder go. Raises: UsageError: there is no such folder."""
        if not folder.is_absolute() or not folder.is_dir():
            raise UsageError(f"there is no folder `{folder}`", hint="name a folder that holds models")
        real = Path(os.path.realpath(folder))

        def make(change_id: str, tick: Tick) -> Draft:
            arrivals = look_into(real, now=time.time(), still_seconds=self.still_seconds)
            models = in_order(model for model in arrivals.models if only(model.path, model.facts))
            count = _Count(tick, len(models))
            opened = [model for model in models if refusal(model, wishes) is None]
            with Crew(len(opened), look_inside, Told) as crew:
                told = crew.look_into([(os.fsencode(model.path), model.facts.size_bytes) for model in opened])
                organiser = Organiser(
                    self.layout,
                    Finder(chosen, zip((model.path for model in opened), told, strict=False)),
                    IndexHoldings(self.index, count.given_up),
                    wishes,
                    spare_of=spares(self.layout, change_id),
                    tick=count.one,
                )
                actions = organiser.plan(models)
            return Draft(title=f"Organise {real.name}", actions=actions, problems=arrivals.problems)

        return make

    def dedupe(self, folders: Sequence[Path], cache: Path | None, link: LinkPolicy) -> Planner:
        """Plan one copy of equal files. Raises: UsageError: a folder is not there."""
        missing = next((folder for folder in folders if not folder.is_absolute() or not folder.is_dir()), None)
        if missing is not None:
            raise UsageError(f"there is no folder `{missing}`")
        places = [Place(root.path, Origin.LIBRARY) for root in plan_roots(self.layout)]
        places += [Place(folder, Origin.ELSEWHERE) for folder in folders]
        places += [Place(cache, Origin.CACHE)] if cache is not None else []

        def make(change_id: str, tick: Tick) -> Draft:
            copies = find_copies(places, now=time.time(), still_seconds=self.still_seconds)
            count = _Count(tick, len(copies.files))
            holdings = IndexHoldings(self.index, count.given_up)
            deduper = Deduper(holdings, link, spare_of=spares(self.layout, change_id), tick=count.one)
            actions = deduper.plan(copies)
            return Draft(title="Link equal files", actions=actions, problems=copies.problems)

        return make

    def delete(self, wanted: Iterable[int | Path]) -> Planner:
        """Plan to move files into the trash, named by id or path. Raises: NotFoundHereError, UsageError."""
        paths = list(dict.fromkeys(self._path(item) for item in wanted))
        if not paths:
            raise UsageError("nothing is named", hint="name files by their id or path")

        def make(change_id: str, _tick: Tick) -> Draft:
            actions = plan_delete(paths, self._trash_of(change_id), spares(self.layout, change_id), self._known_of)
            title = f"Delete {paths[0].name if len(paths) == 1 else f'{len(paths)} files'}"
            return Draft(title=title, actions=actions)

        return make

    def prune(self, to_bytes: int, named: Iterable[int | Path]) -> Planner:
        """Plan what goes so that the library fits a budget. Raises: NotFoundHereError, UsageError."""
        wanted = {self._path(item) for item in named}

        def make(change_id: str, _tick: Tick) -> Draft:
            files = [_shelved(file, wanted) for file in self.index.each(LibraryFilter()) if file.available]
            chosen, missing = choose_prunable(files, to_bytes)
            actions = plan_prune(chosen, self._trash_of(change_id), spares(self.layout, change_id), self._known_of)
            reason = (
                f"{format_bytes(missing)} too much stay: the rest is not proven whole with a source to have it again "
                "from; name files to let them go"
            )
            problems = [Problem(path="", reason=reason)] if missing else []
            return Draft(title=f"Prune to {format_bytes(to_bytes)}", actions=actions, problems=problems)

        return make

    def empty(self, change_ids: Iterable[str], older_than_seconds: float) -> Planner:
        """Plan to delete what is in the trash for good; without ids all of it."""
        wanted = set(change_ids)

        def make(_change_id: str, _tick: Tick) -> Draft:
            with ChangeJournal(self.state_dir) as journal:
                newest = time.time() - older_than_seconds
                items = [
                    action
                    for change_id, at, action in journal.in_trash()
                    if (not wanted or change_id in wanted) and at <= newest
                ]
            return Draft(title="Empty the trash", actions=plan_empty(items))

        return make

    def undo(self, change_id: str) -> Planner:
        """Plan what takes a change back."""

        def make(new_id: str, _tick: Tick) -> Draft:
            with ChangeJournal(self.state_dir) as journal:
                change = journal.get(change_id)
                if change is None or change.state is ChangeState.UNDONE:
                    raise ConflictError(f"`{change_id}` was taken back already")
                actions = opposites(journal.actions(change_id), spares(self.layout, new_id))
            if not actions:
                raise ConflictError(f"`{change_id}` did nothing that could be taken back")
            return Draft(title=f"Take back: {change.title}", actions=actions)

        return make

    def _trash_of(self, change_id: str) -> Callable[[Path, int], Path]:
        return lambda path, number: trash_place(self.layout, path, change_id, number)

    def _known_of(self, path: Path) -> str | None:
        file = self.index.by_path(path)
        return known_text(file) if file is not None else None

    def _path(self, named: int | Path) -> Path:
        """Return a file of the library by its id or path: nothing else is ever deleted."""
        if isinstance(named, int):
            file = self.index.get(named)
            if file is None:
                raise NotFoundHereError(f"there is no file {named} in the library", hint="`comfystow ls` lists them")
            return file.path
        if not named.is_absolute() or root_of(self.layout, named) is None:
            raise UsageError(
                f"`{named.name}` lies in no folder of models", hint="only files of the library are deleted"
            )
        if named.name.endswith((".part", ".part.json")):
            raise UsageError(f"`{named.name}` is a download under way", hint="cancel the download instead")
        if not os.path.lexists(named):
            raise NotFoundHereError(f"there is no file `{named.name}`", hint="`comfystow ls` lists what there is")
        return Path(os.path.realpath(named.parent)) / named.name


class _Count:
    """Counts what a plan has looked at."""

    def __init__(self, tick: Tick, total: int) -> None:
        self._tick = tick
        self._total = total
        self._done = 0

    def one(self) -> None:
        self._done += 1
        self._tick(self._done, self._total)

    def given_up(self) -> bool:
        try:
            self._tick(self._done, self._total)
        except InterruptedError:
            return True
        return False


def _shelved(file: LibraryFile, named: set[Path]) -> Shelved:
    whole = file.verified is Verified.DIGEST and file.damaged is None
    return Shelved(
        path=file.path,
        size_bytes=file.size_bytes,
        identity=(file.device, file.inode),
        links=file.links,
        recent_at=max(file.last_used_at or 0.0, file.added_at),
        fetchable=whole and file.source is not None,
        named=file.path in named,
    )
