"""From the name of a model to a file that a loader finds: through the engine, with progress on the node.

The download is the queue's own: the panel shows it, and one that already runs is shared. Between two looks at it the
node asks whether ComfyUI was interrupted.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ..core.errors import NotFoundHereError, StowError
from ..core.paths import safe_relative
from ..core.records.download import DownloadState, WaitingFor
from ..core.records.workflow import Confidence
from ..core.units import format_bytes, format_duration, format_rate
from . import comfyui, engine

POLL_SECONDS = 0.2
_SURE = (Confidence.EXACT.value, Confidence.HIGH.value)
#: Causes that do not pass by themselves while a prompt holds the queue.
_NEEDS_A_PERSON = (WaitingFor.TOKEN.value, WaitingFor.LICENCE.value, WaitingFor.SPACE.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A model as a node names it.

    `source` None lets the catalogues decide; `name` None takes the source's name, in `subfolder` when there is one.
    """

    folder_name: str | None
    name: str | None = None
    source: str | None = None
    sha256: str | None = None
    subfolder: str | None = None


class ModelUnavailableError(StowError):
    """A model that a node needs and cannot have. Its text carries the hint: ComfyUI's dialog shows the text alone."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(f"{message}\n{hint[0].upper()}{hint[1:]}." if hint else message, hint=hint)


async def ensure(wanted: Wanted, node_id: str | None) -> str:
    """Return the name under which a loader finds the model, after fetching it when it is not there.

    Raises: ModelUnavailableError: it cannot be had; the text says why and what to do. ComfyUI's own interrupt passes
    through.
    """
    if wanted.name and wanted.folder_name and comfyui.full_path(wanted.folder_name, wanted.name) is not None:
        return wanted.name
    try:
        if wanted.source is None:
            near, wanted = await _locate(wanted)
            if near is not None:
                return near
        return await _fetch(wanted, node_id)
    except ModelUnavailableError:
        raise
    except StowError as error:
        raise ModelUnavailableError(error.message, hint=error.hint) from None


async def _locate(wanted: Wanted) -> tuple[str | None, Wanted]:
    """Ask what the engine knows of the name: the name of a file that is it, or where it comes from for sure."""
    if wanted.name is None:
        raise ModelUnavailableError("the node has neither a name nor a source", hint="fill in one of them")
    entry = {"name": wanted.name, **({"directory": wanted.folder_name} if wanted.folder_name else {})}
    answer = await engine.call("POST", "/workflow/missing", {"workflow": {"nodes": [], "models": [entry]}})
    (model,) = answer["models"] or [{"state": "missing", "candidates": []}]
    if model["state"] == "present" or (model["state"] == "near" and model.get("near_confidence") in _SURE):
        return model.get("near_name") or wanted.name, wanted
    best = next((found for found in model["candidates"] if found["confidence"] in _SURE), None)
    if best is None:
        raise _unknown(wanted, model["candidates"])
    return None, Wanted(
        folder_name=wanted.folder_name or best["folder"],
        name=wanted.name,
        source=best["source"],
        sha256=wanted.sha256 or best["sha256"],
    )


async def _fetch(wanted: Wanted, node_id: str | None) -> str:
    """Submit the download and stay with it to its end."""
    subfolder, filename = _split(wanted.name) if wanted.name is not None else (wanted.subfolder, None)
    body = {
        "source": wanted.source,
        "folder_name": wanted.folder_name,
        "subfolder": subfolder,
        "filename": filename,
        "sha256": wanted.sha256,
    }
    active = {item["id"] for item in (await engine.call("GET", "/downloads"))["downloads"] if _is_active(item)}
    download = await engine.call("POST", "/downloads", {key: value for key, value in body.items() if value})
    shared = download["id"] in active
    async with engine.waiting():
        try:
            while not _settled(download, node_id):
                await asyncio.sleep(POLL_SECONDS)
                comfyui.raise_if_interrupted()
                download = await _again(download["id"])
        except BaseException:
            if not shared and _is_active(download):
                await _leave(download)
            raise
    return _name(download, wanted)


def _is_active(download: Any) -> bool:
    """Tell whether it runs or is about to; one that waits for a token goes on by itself, and one paused stays so."""
    return download["state"] == DownloadState.QUEUED.value or DownloadState(download["state"]).active


async def _again(download_id: str) -> Any:
    try:
        return await engine.call("GET", f"/downloads/{download_id}")
    except NotFoundHereError:
        raise ModelUnavailableError("the download is no longer in the queue", hint="run the prompt again") from None


def _settled(download: Any, node_id: str | None) -> bool:
    """Show how far it is; true when it is there. Raises: StowError: it never will be without somebody's help."""
    state = download["state"]
    if state == DownloadState.COMPLETED.value:
        return True
    if state in {DownloadState.FAILED.value, DownloadState.CANCELLED.value}:
        raise _failed(download)
    if state == DownloadState.WAITING.value and download["waiting_for"] in _NEEDS_A_PERSON:
        raise _failed(download)
    comfyui.show_progress(node_id, download["bytes_done"], download["bytes_total"], _progress_text(download))
    return False


async def _leave(download: Any) -> None:
    """Pause what nobody but this node watches: the part stays, and the next run goes on there."""
    try:
        await engine.call("POST", f"/downloads/{download['id']}/pause")
    except StowError:  # it ended meanwhile
        return


def _name(download: Any, wanted: Wanted) -> str:
    """Return the finished file's name as its loader lists it."""
    folder = str(download["folder_name"] or wanted.folder_name)
    subfolder = (download.get("request") or {}).get("subfolder")
    name = str(PurePosixPath(subfolder or "", PurePosixPath(download["filename"]).name))
    listed = comfyui.listed_name(folder, name)
    if listed is None:
        raise ModelUnavailableError(
            f"`{name}` was fetched, but ComfyUI does not list it in `{folder}`",
            hint="it may stand in a folder that another server's settings name",
        )
    return listed


def _split(name: str) -> tuple[str | None, str]:
    relative = safe_relative(name)
    parent = relative.parent.as_posix()
    return None if parent == "." else parent, relative.name


def _progress_text(download: Any) -> str:
    if download["state"] != DownloadState.RUNNING.value:
        return str(download.get("note") or download["state"])
    size = f"{format_bytes(download['bytes_done'])} of {format_bytes(download['bytes_total'])}"
    left = format_duration(download.get("eta_seconds"))
    return f"{download['filename'] or 'model'}: {size} · {format_rate(download['rate_bytes_per_second'])} · {left}"


def _failed(download: Any) -> ModelUnavailableError:
    error = download.get("error") or {}
    name = download.get("filename") or download["source"]
    reason = error.get("message") or download.get("note") or f"the download was {download['state']}"
    return ModelUnavailableError(f"{name} could not be fetched: {reason}", hint=error.get("hint"))


def _unknown(wanted: Wanted, candidates: list[Any]) -> ModelUnavailableError:
    hint = "give its address in `source`"
    if candidates:
        listed = ", ".join(f"{found['source']} ({found['confidence']})" for found in candidates[:3])
        hint += f"; it may be one of {listed}"
    return ModelUnavailableError(f"`{wanted.name}` is not there, and no source is known for sure", hint=hint)
