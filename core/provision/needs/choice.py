"""What is taken of what is missing, and what is left to a person (pure): shared by panel, command line and nodes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from ...records.download import DownloadRequest
from ...records.workflow import Candidate, ModelStatus, Presence


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """`requests` are fetched without asking; `near` is there under another name; `open` has no sure source."""

    requests: tuple[DownloadRequest, ...] = ()
    near: tuple[ModelStatus, ...] = ()
    open: tuple[ModelStatus, ...] = ()
    present: int = 0


def choose(statuses: Iterable[ModelStatus], *, with_present: bool = False) -> Choices:
    """Take the best sure candidate of each model that a node runs, once; what is here under another name never.

    `with_present` treats what is here as if it were not: a lock is for other machines.
    """
    requests: dict[tuple[str | None, str], DownloadRequest] = {}
    near: list[ModelStatus] = []
    left: list[ModelStatus] = []
    present = 0
    for status in statuses:
        if not status.required.active:
            continue
        if status.presence is Presence.PRESENT and not with_present:
            present += 1
        elif not with_present and status.near_confidence is not None and status.near_confidence.sure:
            near.append(status)
        elif (best := sure_candidate(status)) is not None:
            requests.setdefault((status.required.folder_name, status.required.name), request_for(status, best))
        else:
            left.append(status)
    return Choices(requests=tuple(requests.values()), near=tuple(near), open=tuple(left), present=present)


def sure_candidate(status: ModelStatus) -> Candidate | None:
    """Return the best place that is taken without asking."""
    return next((candidate for candidate in status.candidates if candidate.confidence.sure), None)


def request_for(status: ModelStatus, candidate: Candidate) -> DownloadRequest:
    """Return the download that brings a model under the name that its workflow uses."""
    path = PurePosixPath((candidate.name or status.required.name).replace("\\", "/"))
    return DownloadRequest(
        source=candidate.url or candidate.source,
        folder_name=status.required.folder_name or candidate.folder_name,
        subfolder=str(path.parent) if str(path.parent) != "." else None,
        filename=path.name,
        sha256=candidate.sha256,
    )
