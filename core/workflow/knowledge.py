"""What may be written into a workflow: names of files that are here, and where models come from (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, urlencode

from ..errors import InvalidReferenceError
from ..records.source import CivitaiSource, HuggingFaceSource, UrlSource
from ..records.workflow import Candidate, ModelStatus, Presence
from ..sources.reference import parse_reference
from .candidates import web_address
from .edit import Known, Rename


def renames(statuses: Iterable[ModelStatus]) -> list[Rename]:
    """Return the names that a sure find replaces: files that were moved, or spelt for another system."""
    return [
        Rename(old=status.required.name, new=status.near_name, uses=status.required.uses)
        for status in statuses
        if status.presence is Presence.NEAR
        and status.near_name is not None
        and status.near_confidence is not None
        and status.near_confidence.sure
    ]


def sources_to_embed(statuses: Iterable[ModelStatus]) -> list[Known]:
    """Return what the nodes do not say yet: address, folder and digest of each model with a sure source."""
    found = []
    for status in statuses:
        model = status.required
        best = next((item for item in status.candidates if item.confidence.sure), None)
        url = address_of(best) if best is not None else None
        folder = model.folder_name or (best.folder_name if best is not None else None)
        if best is None or url is None or folder is None or not model.uses or _is_said(status, best):
            continue
        found.append(Known(name=model.name, folder_name=folder, url=url, sha256=best.sha256, uses=model.uses))
    return found


def address_of(candidate: Candidate) -> str | None:
    """Return the web address of a source, which is all that ComfyUI's own page can use; None where it has none."""
    if candidate.url is not None:
        return web_address(candidate.url)
    try:
        source = parse_reference(candidate.source)
    except InvalidReferenceError:
        return None
    match source:
        case HuggingFaceSource():
            revision = quote(source.revision or "main", safe="")
            prefix = f"{source.repo_type.url_prefix}{source.repo_id}"
            return f"https://huggingface.co/{prefix}/resolve/{revision}/{quote(source.filename)}"
        case CivitaiSource(version_id=int(version), file_id=int(file)):
            return f"https://civitai.com/api/download/models/{version}?{urlencode({'fileId': file})}"
        case UrlSource():
            return source.url
        case _:
            return None


def _is_said(status: ModelStatus, best: Candidate) -> bool:
    """Tell whether the author has embedded an address, and the digest as far as one is known."""
    embedded = status.required.url is not None and web_address(status.required.url) is not None
    return embedded and (status.required.sha256 is not None or best.sha256 is None)
