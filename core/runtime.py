"""The composition root: builds everything from the settings, and closes it. There are no globals."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from .alerts.idle import idle_outside
from .alerts.watch import Watch, Watched
from .config import Settings, change_settings, describe_settings, load_settings
from .downloads.announce import Announcer
from .downloads.ledger import Ledger
from .downloads.manager import DownloadManager
from .downloads.network import Networks
from .downloads.outcome import RetryLimits
from .downloads.runner import QueueLimits, Runner
from .downloads.store import DownloadStore
from .downloads.view import download_json as download_json
from .downloads.waiting import Waits
from .downloads.worker import Worker
from .events import EventBus
from .events import Subscription as Subscription
from .idle.keeper import Keeper
from .library.library import Library
from .net.client import HttpClient
from .net.credentials import Credentials
from .net.proxies import Proxies
from .provision.changes.changes import Changes
from .provision.changes.folder_watch import FolderWatch
from .provision.changes.parts import build_changes
from .provision.keeping.known_models import KnownModels
from .provision.keeping.librarian import Librarian
from .provision.keeping.parts import build_librarian
from .provision.needs.digests import FileDigests
from .provision.needs.jobs import Jobs
from .provision.needs.weight_memory import WeightMemory
from .provision.placing.copies import Copies
from .provision.placing.places import FolderPlaces
from .provision.placing.plan import Planner
from .provision.placing.requests import RequestCheck
from .provision.placing.shared import SharedSupply
from .records.download import Download
from .records.event import Event, Topic
from .records.pod import PodState
from .records.session import HostState, Session
from .sessions import SessionRegistry
from .sources.catalogue import Catalogue
from .sources.resolve import Sources

SETTINGS_NAME = "settings.json"


@dataclass(slots=True, kw_only=True)
class Runtime:
    """Everything that the engine's routes stand on."""

    settings: Settings
    state_dir: Path
    events: EventBus
    sessions: SessionRegistry
    networks: Networks
    downloads: DownloadManager
    planner: Planner
    jobs: Jobs
    places: FolderPlaces
    digests: FileDigests
    weights: WeightMemory
    watch: Watch
    librarian: Librarian
    known_models: KnownModels
    idle: Keeper
    changes: Changes
    folder_watch: FolderWatch
    pod: PodState | None = None
    """What the pod's controller told last; None where none ever did."""
    pod_told_at: float | None = None

    @property
    def sources(self) -> Sources:
        """The sources of the engine's own settings; `networks.of(session)` has those of a caller."""
        return self.networks.own.sources

    @property
    def client(self) -> HttpClient:
        """The client of the engine's own settings."""
        return self.networks.own.client

    @property
    def busy(self) -> bool:
        """True while something goes on, or would go on by itself, that the engine's end would interrupt."""
        return self.downloads.busy or self.librarian.busy or self.idle.lasting or self.changes.busy

    @property
    def library(self) -> Library:
        """Files at rest."""
        return self.librarian.library

    def credentials(self, session: Session | None) -> Credentials:
        """Return the tokens of a caller."""
        return self.networks.credentials(session)

    def show_settings(self) -> list[dict[str, object]]:
        """List the settings that may be changed while we run."""
        return describe_settings(self.settings)

    async def change_settings(self, values: Mapping[str, object]) -> None:
        """Keep settings in the state folder and go by them from now on. Raises: ConfigError, ReadOnlyError."""
        file = self.state_dir / SETTINGS_NAME
        await asyncio.to_thread(change_settings, file, values)
        settings = await asyncio.to_thread(load_settings, None, file)
        # What was given to this engine beside environment and file stays: tests and commands set folders and hosts so.
        self.settings = replace(self.settings, **{name: getattr(settings, name) for name in values})
        self.networks.change(self.settings)
        self.downloads.change_limits(_queue_limits(self.settings))
        self.downloads.look_again()
        await self.idle.change(self.settings)

    async def catalogue(self) -> Catalogue:
        """Return the lists of known models; they are read once, when somebody first asks."""
        return await self.known_models.get()

    async def close(self) -> None:
        """Stop everything, the queue first: it keeps what was under way."""
        await self.idle.close()
        await self.watch.close()
        await self.downloads.close()
        await self.folder_watch.close()
        await self.changes.close()
        await self.librarian.close()
        await self.networks.close()
        self.known_models.close()


async def open_runtime(state_dir: Path, settings: Settings) -> Runtime:
    """Build everything and start the queue. Raises: StorageError, ConfigError."""
    await asyncio.to_thread(state_dir.mkdir, parents=True, exist_ok=True)
    events = EventBus()
    sessions = SessionRegistry(state_dir, host_state_timeout_seconds=settings.host_state_timeout_seconds)
    networks = Networks(settings, state_dir)
    store = DownloadStore(state_dir)
    places = FolderPlaces(settings.lease_timeout_seconds)
    check = RequestCheck(networks=networks, sessions=sessions, places=places)
    known_models = KnownModels(lambda: sessions.layout().base_path, state_dir)
    librarian = build_librarian(state_dir, events, sessions, networks, known_models)
    copies = Copies(store=store, index=librarian.library.index)
    ledger = _build_ledger(events, store, settings, librarian.library)
    downloads = _build_queue(ledger, sessions, networks, copies, places, check)
    changes, folder_watch = build_changes(state_dir, events, librarian.library, lambda: networks.settings)
    watch = _build_watch(state_dir, settings, events, sessions, downloads)
    sessions.listen(downloads.look_again)
    librarian.reader.open()
    downloads.open()
    changes.open()
    folder_watch.open()
    watch.open()
    outside = idle_outside(
        watch=watch,
        events=events,
        sessions=sessions,
        downloads=downloads,
        busy=lambda: downloads.busy or librarian.busy or changes.busy,
        pod=lambda: runtime.pod,
        proxies=Proxies.from_environment(os.environ),
    )
    runtime = Runtime(
        settings=settings,
        state_dir=state_dir,
        events=events,
        sessions=sessions,
        networks=networks,
        downloads=downloads,
        planner=Planner(
            networks=networks,
            sessions=sessions,
            places=places,
            check=check,
            copies=copies,
            active=lambda: [row for row in downloads.list() if row.state.active],
        ),
        jobs=Jobs(downloads.submit, downloads.get),
        places=places,
        digests=FileDigests(librarian.library.index),
        weights=WeightMemory(),
        watch=watch,
        librarian=librarian,
        known_models=known_models,
        idle=Keeper(settings, state_dir, outside),
        changes=changes,
        folder_watch=folder_watch,
    )
    await runtime.idle.open()
    return runtime


def _build_watch(
    state_dir: Path, settings: Settings, events: EventBus, sessions: SessionRegistry, downloads: DownloadManager
) -> Watch:
    from .. import __version__

    def roots() -> Iterator[Path]:
        folders = sessions.layout().folders
        for folder in folders.values():
            yield from folder.directories
        if not folders:
            yield state_dir

    def environment() -> Mapping[str, str]:
        """The variables of the ComfyUI that came last: it is its GPUs that are meant."""
        hosts = [session for session in sessions.all() if session.url is not None]
        return hosts[-1].environment if hosts else os.environ

    def states() -> dict[str, HostState]:
        told = {session.server_id: sessions.state(session.server_id) for session in sessions.all()}
        return {server_id: state for server_id, state in told.items() if state is not None}

    watched = Watched(
        downloads=downloads.list,
        states=states,
        roots=roots,
        environment=environment,
        proxies=Proxies.from_environment(os.environ),
    )
    return Watch(settings, events, watched, version=__version__)


def _build_ledger(events: EventBus, store: DownloadStore, settings: Settings, library: Library) -> Ledger:
    def publish(changed: list[dict[str, object]]) -> None:
        events.publish(Event(Topic.DOWNLOADS, {"downloads": changed}))

    ledger = Ledger(store, Announcer(publish, settings.progress_seconds), settings.history_limit)
    ledger.completed = library.take_download
    return ledger


def _build_queue(
    ledger: Ledger,
    sessions: SessionRegistry,
    networks: Networks,
    copies: Copies,
    places: FolderPlaces,
    check: RequestCheck,
) -> DownloadManager:
    settings = networks.settings

    def session_of(download: Download) -> Session | None:
        return sessions.get(download.session_id) if download.session_id is not None else None

    worker = Worker(
        networks=networks,
        places=places,
        supply=SharedSupply(),
        copies=copies,
        session_of=session_of,
        layout_of=sessions.layout_for,
        active=lambda download: ledger.active(besides=download.id),
        owner=uuid.uuid4().hex,
    )
    waits = Waits(
        networks=networks,
        places=places,
        session_of=session_of,
        generating=lambda: sessions.generating,
        licence_seconds=settings.licence_check_seconds,
    )
    runner = Runner(
        ledger=ledger,
        worker=worker,
        waits=waits,
        limits=_queue_limits(settings),
        generating=lambda: sessions.generating,
    )
    return DownloadManager(ledger=ledger, runner=runner, waits=waits, places=places, check=check)


def _queue_limits(settings: Settings) -> QueueLimits:
    return QueueLimits(
        parallel_downloads=max(1, settings.parallel_downloads),
        pause_while_generating=settings.pause_while_generating,
        waiting_check_seconds=settings.waiting_check_seconds,
        retry=RetryLimits(
            base_seconds=settings.retry_base_seconds,
            max_seconds=settings.retry_max_seconds,
            limit=settings.retry_limit,
        ),
    )
