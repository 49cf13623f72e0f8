"""What somebody wants on a machine, from any form of it: workflow, prompt, manifest, lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from ...errors import ManifestError, UsageError
from ...records.download import DownloadRequest, ErrorInfo
from ...records.session import Session
from ...records.workflow import ModelStatus
from ...workflow.conditions import Facts
from ...workflow.document import SkippedPart
from ...workflow.lock import LockEntry, parse_lock
from ...workflow.manifest import ManifestEntry, parse_manifest, select
from .choice import Choices, choose
from .known_sources import Origins, with_origins
from .needs import Finder, Needs

#: Documents of one manifest; each is read and matched.
_MOST_DOCUMENTS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One of the four; `documents` holds what a manifest's `workflow:` entries name, by the path written there."""

    document: object = None
    manifest: str | None = None
    lock: str | None = None
    documents: Mapping[str, object] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    facts: Facts = field(default_factory=Facts)
    search: bool = False
    before_only: bool = False
    """True takes only what a manifest marks with `before: true`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a wish comes to: what is fetched, what is left to a person, and what could not be read or asked."""

    choices: Choices
    statuses: tuple[ModelStatus, ...] = ()
    skipped: tuple[SkippedPart, ...] = ()
    errors: Mapping[str, ErrorInfo] = field(default_factory=dict)


async def read_wish(wish: Wish, finder: Finder, session: Session | None, *, origins: Origins | None = None) -> Wanted:
    """Read a wish; `origins` also asks for the sources of what is here: a lock is for other machines.

    Raises: WorkflowError, ManifestError; UsageError: nothing is wished, or two things at once.
    """
    forms = [form for form in (wish.document, wish.manifest, wish.lock) if form is not None]
    if len(forms) != 1:
        raise UsageError("give one of `workflow`, `prompt`, `manifest`, `lock`")
    if wish.lock is not None:
        return Wanted(choices=Choices(requests=tuple(request_of_lock(entry) for entry in parse_lock(wish.lock))))
    if wish.manifest is None:
        return _gathered([await finder.needs(wish.document, session, search=wish.search)], (), origins)
    entries = select(parse_manifest(wish.manifest), wish.facts, wish.groups)
    if wish.before_only:
        entries = tuple(entry for entry in entries if entry.before)
    needs = [
        await finder.needs(document, session, search=wish.search) for document in _documents(entries, wish.documents)
    ]
    more = [request_of_entry(entry) for entry in entries if entry.source is not None]
    return _gathered(needs, more, origins)


def request_of_entry(entry: ManifestEntry) -> DownloadRequest:
    """Return the download of a manifest's line that has a source."""
    subfolder, name = _split(entry.name)
    folders = "/".join(part for part in (entry.subfolder, subfolder) if part)
    return DownloadRequest(
        source=entry.source or "",
        folder_name=entry.folder_name,
        subfolder=folders or None,
        filename=name,
        sha256=entry.sha256,
    )


def request_of_lock(entry: LockEntry) -> DownloadRequest:
    """Return the download of a lock's line."""
    subfolder, name = _split(entry.name)
    return DownloadRequest(
        source=entry.source, folder_name=entry.folder_name, subfolder=subfolder, filename=name, sha256=entry.sha256
    )


def _split(name: str | None) -> tuple[str | None, str | None]:
    if name is None:
        return None, None
    path = PurePosixPath(name)
    return (str(path.parent) if str(path.parent) != "." else None), path.name


def _documents(entries: Sequence[ManifestEntry], documents: Mapping[str, object]) -> list[object]:
    found: list[object] = []
    for entry in entries:
        if entry.workflow is None:
            continue
        if entry.workflow not in documents:
            raise ManifestError(
                f"line {entry.line}: the workflow `{entry.workflow[:200]}` did not come with the manifest",
                hint="send it in `documents`, by the path that the manifest writes",
            )
        found.append(documents[entry.workflow])
    if len(found) > _MOST_DOCUMENTS:
        raise ManifestError(f"{len(found)} workflows in one manifest are too many", hint=f"at most {_MOST_DOCUMENTS}")
    return found


def _gathered(needs: Sequence[Needs], more: Sequence[DownloadRequest], origins: Origins | None) -> Wanted:
    statuses = tuple(status for need in needs for status in need.statuses)
    if origins is not None:
        statuses = tuple(with_origins(statuses, origins))
    choices = choose(statuses, with_present=origins is not None)
    requests = dict.fromkeys((*more, *choices.requests))
    return Wanted(
        choices=Choices(requests=tuple(requests), near=choices.near, open=choices.open, present=choices.present),
        statuses=statuses,
        skipped=tuple(part for need in needs for part in need.requirements.skipped),
        errors={name: error for need in needs for name, error in need.errors.items()},
    )
