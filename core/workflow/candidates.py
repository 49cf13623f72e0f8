"""Where a missing model can come from, best first, each with its confidence and the reason for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import PurePosixPath
from typing import Protocol
from urllib.parse import urlsplit

from ..errors import InvalidReferenceError
from ..records.source import HuggingFaceSource
from ..records.workflow import Candidate, Confidence, RequiredModel
from ..sources.catalogue_entry import normalise_url
from ..sources.reference import parse_reference
from .names import KNOWN_SUFFIXES, basename, normalised
from .prompts import NoteLink

#: What another list may add to a candidate of the same address.
_FACTS = ("url", "folder_name", "size_bytes", "sha256", "base_model", "licence", "gated")
_ORDER = {Confidence.EXACT: 0, Confidence.HIGH: 1, Confidence.LIKELY: 2, Confidence.GUESS: 3}


class Lookup(Protocol):
    """A catalogue that knows models by name and by digest."""

    def by_name(self, name: str, folder_name: str | None = None) -> Sequence[Candidate]:
        """Return entries of this file name; those of another folder may follow those of the folder."""

    def by_digest(self, sha256: str) -> Sequence[Candidate]:
        """Return entries with this digest."""


def find_candidates(
    model: RequiredModel,
    lookup: Lookup | None = None,
    links: Iterable[NoteLink] = (),
    found_elsewhere: Iterable[Candidate] = (),
) -> tuple[Candidate, ...]:
    """Return where a model can come from: what the author embedded, catalogues by digest and name, links in notes.

    `found_elsewhere` is what somebody with a network found on the hubs. One address is listed once, with the best word
    that anybody had for it. A file is saved under the name that the workflow uses, whatever its address calls it.
    """
    found: dict[str, Candidate] = {}
    elsewhere = (_named(model, candidate) for candidate in found_elsewhere if not _contradicts(model, candidate))
    for candidate in chain(_all(model, lookup, links), elsewhere):
        key = _canonical(candidate.source)[0]
        known = found.get(key)
        if known is None or _ORDER[candidate.confidence] < _ORDER[known.confidence]:
            found[key] = _completed(candidate, known)
        else:
            found[key] = _completed(known, candidate)
    return tuple(sorted(found.values(), key=lambda candidate: _ORDER[candidate.confidence]))


def _all(model: RequiredModel, lookup: Lookup | None, links: Iterable[NoteLink]) -> Iterable[Candidate]:
    if model.url is not None and (url := web_address(model.url)) is not None:
        yield _embedded(model, url)
    if lookup is not None:
        if model.sha256 is not None:
            yield from (_named(model, candidate) for candidate in lookup.by_digest(model.sha256))
        for candidate in lookup.by_name(_file_name(model), model.folder_name):
            if not _contradicts(model, candidate):
                yield _named(model, candidate)
    base = _file_name(model).lower()
    for link in links:
        url = web_address(link.url)
        if url is not None and basename(urlsplit(url).path).lower() == base:
            reason = f"a note in the workflow links it (node {link.node_id})"
            source, _ = _canonical(url)
            yield _named(model, Candidate(source=source, url=url, confidence=Confidence.LIKELY, reason=reason))


def _file_name(model: RequiredModel) -> str:
    """Return the file name to look for; tags in prompts (`embedding:x`) leave the suffix out."""
    name = basename(model.name)
    return name if PurePosixPath(name).suffix.lower() in KNOWN_SUFFIXES else f"{name}.safetensors"


def _embedded(model: RequiredModel, url: str) -> Candidate:
    source, is_file = _canonical(url)
    if not is_file:
        confidence, reason = Confidence.GUESS, "embedded in the workflow, but it is a page and no file"
    elif model.sha256 is not None:
        confidence, reason = Confidence.EXACT, "embedded in the workflow with its SHA-256"
    else:
        confidence, reason = Confidence.HIGH, "embedded in the workflow"
    return _named(model, Candidate(source=source, url=url, confidence=confidence, reason=reason, sha256=model.sha256))


def _named(model: RequiredModel, candidate: Candidate) -> Candidate:
    """Return the candidate as it would be saved: the workflow's name, and its folder unless nobody knows it."""
    has_suffix = PurePosixPath(model.name).suffix.lower() in KNOWN_SUFFIXES
    return replace(
        candidate,
        folder_name=model.folder_name or candidate.folder_name,
        name=normalised(model.name) if has_suffix else candidate.name or _file_name(model),
    )


def _completed(best: Candidate, other: Candidate | None) -> Candidate:
    """Fill what the better word leaves open from the other; a digest is never mixed in from a different file."""
    if other is None:
        return best
    left_open = {name: getattr(other, name) for name in _FACTS if getattr(best, name) is None}
    return replace(best, **left_open)


def _contradicts(model: RequiredModel, candidate: Candidate) -> bool:
    """Tell whether a file of the same name is certainly another one."""
    return model.sha256 is not None and candidate.sha256 is not None and candidate.sha256 != model.sha256


def _canonical(reference: str) -> tuple[str, bool]:
    """Return a reference in its one spelling, and whether it names a file (a whole repository does not)."""
    try:
        source = parse_reference(reference)
    except InvalidReferenceError:
        return reference, False
    folder = isinstance(source, HuggingFaceSource) and (not source.filename or source.filename.endswith("/"))
    return str(source), not folder


def web_address(url: str) -> str | None:
    """Return the address in the one spelling that the catalogues use too, None for what is no web address."""
    try:
        parts = urlsplit(url.strip())
        proper = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
    except ValueError:
        return None
    return normalise_url(url) if proper else None
