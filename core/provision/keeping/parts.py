"""Builds the library of an engine from its parts, and says what its events hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...downloads.network import Networks
from ...events import EventBus
from ...library.announce import News
from ...library.index.index import LibraryIndex
from ...library.library import Library
from ...library.reading.reading import Reader
from ...library.watch import LibraryWatch
from ...records.event import Event, Topic
from ...records.json import to_json
from ...records.library import ScanReport
from ...sessions import SessionRegistry
from .known_models import KnownModels
from .librarian import Librarian, Work


def build_librarian(
    state_dir: Path, events: EventBus, sessions: SessionRegistry, networks: Networks, known_models: KnownModels
) -> Librarian:
    """Build it. Raises: StorageError, ConfigError."""
    settings = networks.settings

    def publish(folders: tuple[str, ...], work: bool) -> None:  # noqa: FBT001 - the shape of `News`
        if folders:
            events.publish(Event(Topic.LIBRARY, {"folders": list(folders)}))
        if work:
            events.publish(Event(Topic.LIBRARY, {"work": work_json(librarian)}))

    news = News(publish, settings.library_news_seconds)
    index = LibraryIndex(state_dir)
    library = Library(
        index,
        layout=sessions.layout,
        changed=news.changed,
        moved_on=news.moved_on,
        settle_seconds=settings.library_settle_seconds,
    )
    reader = Reader(
        index,
        hold=lambda: networks.settings.library_pause_while_generating and sessions.generating,
        moved_on=news.moved_on,
    )
    watch = LibraryWatch(
        library,
        debounce_seconds=settings.library_debounce_seconds,
        poll_seconds=settings.library_poll_seconds,
    )
    librarian = Librarian(library, reader, watch, networks, known_models.get)

    def attend() -> None:
        hosts = [session for session in sessions.all() if session.url is not None]
        librarian.attend(tuple(session.layout for session in hosts))

    if settings.library_watch:
        sessions.listen(attend)
    return librarian


def work_json(librarian: Librarian) -> dict[str, Any]:
    """Return what goes on, and how the last of each kind ended: `GET /library/work` and events; no paths."""
    scanning = librarian.library.scanning
    return {
        "scanning": {"done": scanning.done, "total": scanning.total} if scanning is not None else None,
        "reading": to_json(librarian.reader.progress),
        "watching": {"following": librarian.watch.following, "problem": librarian.watch.problem},
        "scan": {**_work(librarian.scanning), "report": _counted(librarian.scanning.report)},
        "verify": _work(librarian.verifying),
        "identify": _work(librarian.identifying),
        "last_scan": _counted(librarian.library.last_scan),
    }


def _counted(report: ScanReport | None) -> dict[str, Any] | None:
    """Return a report with the number of its problems instead of their paths."""
    return None if report is None else {**to_json(report), "problems": len(report.problems)}


def _work(work: Work[Any]) -> dict[str, Any]:
    return {
        "running": work.running,
        "started_at": work.started_at,
        "report": to_json(work.report),
        "error": to_json(work.error),
    }
