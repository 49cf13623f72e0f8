"""A dry run: what would become of each request, and whether all of it fits. Nothing is written."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from ...config import Settings
from ...downloads.look import look_inside
from ...downloads.network import Networks
from ...downloads.placement import Placement
from ...downloads.worker import resolve_request
from ...errors import NameTakenError, StorageError, StowError, UsageError
from ...net.secrets import scrub
from ...records.download import Download, DownloadRequest, DownloadState, ErrorInfo
from ...records.json import to_json
from ...records.session import Session
from ...records.source import ResolvedFile
from ...sessions import SessionRegistry
from ...units import format_bytes
from .places import FolderPlaces
from .requests import RequestCheck
from .space import existing_folder, missing_bytes

_MOST_REQUESTS = 2000
_AT_ONCE = 8


class PlanAction(StrEnum):
    """What a download would do."""

    FETCH = "fetch"
    RESUME = "resume"
    LINK = "link"
    PRESENT = "present"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanItem:
    """One request: what would happen, where, and why; `error` says what stands in the way (a token, a licence, …)."""

    request: DownloadRequest
    action: PlanAction
    reason: str
    source: str | None = None
    filename: str | None = None
    folder_name: str | None = None
    dest_path: str | None = None
    part_dir: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    base_model: str | None = None
    licence: str | None = None
    gated: bool | None = None
    fetch_bytes: int | None = 0
    error: ErrorInfo | None = None
    kind: str | None = None
    precision: str | None = None
    vram_bytes: int | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanVolume:
    """One volume that the plan writes to; `free_after_bytes` counts what is under way already, too."""

    folders: tuple[str, ...]
    free_bytes: int
    needed_bytes: int
    free_after_bytes: int
    fits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All requests, in the order given, and what they take together."""

    items: tuple[PlanItem, ...]
    volumes: tuple[PlanVolume, ...]
    fetch_bytes: int
    fits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Makes plans with what the queue itself decides with."""

    networks: Networks
    sessions: SessionRegistry
    places: FolderPlaces
    check: RequestCheck
    copies: Callable[[ResolvedFile], list[Path]]
    active: Callable[[], Iterable[Download]]

    async def plan(self, requests: Sequence[DownloadRequest], session: Session | None) -> Plan:
        """Look at each request. Raises: UsageError: too many at once."""
        if len(requests) > _MOST_REQUESTS:
            raise UsageError(f"{len(requests)} downloads are too many for one plan", hint=f"at most {_MOST_REQUESTS}")
        gate = asyncio.Semaphore(_AT_ONCE)

        async def look(request: DownloadRequest) -> PlanItem:
            async with gate:
                try:
                    return await self._item(request, session)
                except StowError as err:
                    return PlanItem(
                        request=request, action=PlanAction.REFUSE, reason=err.message, error=ErrorInfo.of(err)
                    )

        items = await asyncio.gather(*map(look, requests))
        floor = self.networks.settings_of(session).free_space_floor_bytes
        volumes = await asyncio.to_thread(_volumes, items, list(self.active()), floor)
        return Plan(
            items=tuple(items),
            volumes=volumes,
            fetch_bytes=sum(item.fetch_bytes or 0 for item in items),
            fits=all(volume.fits for volume in volumes),
        )

    async def _item(self, request: DownloadRequest, session: Session | None) -> PlanItem:
        source = await self.check(request, session)
        request = replace(request, source=source)
        network = self.networks.of(session)
        credentials = self.networks.credentials(session)
        file = await resolve_request(request, network, credentials)
        terms = await network.sources.terms.of(file, credentials)
        looked = await look_inside(request, file, network, credentials)
        file, seen = looked.file, looked.seen
        layout = self.sessions.layout_for(session)
        placement = self.places.place(request, file, layout, allow_pickle=network.settings.allow_pickle)
        item = PlanItem(
            request=request,
            action=PlanAction.FETCH,
            reason="it is not there",
            source=str(file.source),
            filename=placement.dest.name,
            folder_name=placement.folder_name,
            dest_path=str(placement.dest),
            part_dir=str(placement.part_dir) if placement.part_dir is not None else None,
            size_bytes=file.size_bytes,
            sha256=file.digest.hex if file.digest is not None and file.digest.algorithm == "sha256" else None,
            base_model=file.base_model_hint,
            licence=terms.licence,
            gated=terms.gated,
            kind=seen.kind if seen is not None else None,
            precision=seen.precision if seen is not None else None,
            vram_bytes=seen.vram_bytes if seen is not None else None,
            warnings=looked.warnings,
        )
        try:
            return await asyncio.to_thread(_decided, item, placement, file, self.copies(file), network.settings)
        except OSError as err:
            raise StorageError(
                f"the folder `{placement.folder_name}` cannot be read: {err.strerror or err}", hint="is it mounted?"
            ) from err


def plan_json(plan: Plan, *, with_paths: bool) -> dict[str, Any]:
    """Return the JSON of a plan; host paths only for callers on this machine."""
    data: dict[str, Any] = to_json(plan)
    for item in data["items"]:
        item["request"]["source"] = scrub(item["request"]["source"])
        item["source"] = scrub(item["source"]) if item["source"] is not None else None
        if not with_paths:
            del item["dest_path"], item["part_dir"]
    return data


def _decided(
    item: PlanItem, placement: Placement, file: ResolvedFile, copies: list[Path], settings: Settings
) -> PlanItem:
    """Look at the disk by names and sizes alone; the download itself compares contents."""
    dest = placement.dest
    if os.path.lexists(dest):
        if dest.is_file() and dest.stat().st_size == file.size_bytes:
            reason = "a file of that name and size is there; it will be compared"
            return replace(item, action=PlanAction.PRESENT, reason=reason)
        error = NameTakenError(f"another file is called `{dest.name}` already", hint="take another name")
        return replace(item, action=PlanAction.REFUSE, reason=error.message, error=ErrorInfo.of(error))
    device = existing_folder(dest.parent).stat().st_dev
    for copy in copies:
        if copy.is_file() and copy.stat().st_size == file.size_bytes:
            reason = f"the same file is in the library as `{copy.name}`"
            if copy.stat().st_dev == device:
                return replace(item, action=PlanAction.LINK, reason=reason)
            if settings.library_copy:
                return replace(item, action=PlanAction.LINK, reason=f"{reason}, and is copied from its volume")
    missing = missing_bytes(_as_download(item)) if file.size_bytes is not None else None
    if missing is not None and file.size_bytes is not None and missing < file.size_bytes:
        reason = f"{format_bytes(file.size_bytes - missing)} of it are there"
        return replace(item, action=PlanAction.RESUME, reason=reason, fetch_bytes=missing)
    return replace(item, fetch_bytes=missing)


def _as_download(item: PlanItem) -> Download:
    return Download(
        id="",
        request=item.request,
        state=DownloadState.QUEUED,
        source="",
        dest_path=item.dest_path,
        part_dir=item.part_dir,
        bytes_total=item.size_bytes,
    )


def _volumes(items: Sequence[PlanItem], active: list[Download], floor_bytes: int) -> tuple[PlanVolume, ...]:
    """Add up what each volume must take; one destination counts once."""
    names: dict[int, set[str]] = {}
    folders: dict[int, Path] = {}
    needed: dict[int, dict[str, int]] = {}
    for item in items:
        if item.dest_path is None or item.action in {PlanAction.REFUSE, PlanAction.PRESENT, PlanAction.LINK}:
            continue
        folder = existing_folder(Path(item.dest_path).parent)
        device = folder.stat().st_dev
        folders[device] = folder
        names.setdefault(device, set()).add(item.folder_name or "")
        needed.setdefault(device, {})[item.dest_path] = item.fetch_bytes or 0
    for row in active:
        if row.dest_path is not None:
            device = existing_folder(Path(row.dest_path).parent).stat().st_dev
            if device in needed:
                needed[device].setdefault(row.dest_path, missing_bytes(row))
    volumes = []
    for device, folder in folders.items():
        free, total = shutil.disk_usage(folder).free, sum(needed[device].values())
        volumes.append(
            PlanVolume(
                folders=tuple(sorted(names[device])),
                free_bytes=free,
                needed_bytes=total,
                free_after_bytes=free - total,
                fits=total == 0 or free - total >= floor_bytes,
            )
        )
    return tuple(volumes)
