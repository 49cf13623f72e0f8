"""What models are known, by name and by digest: the shipped list, installed templates, Manager's list, the user's."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from ..records.model import canonical_folder
from ..records.workflow import Candidate, Confidence
from .catalogue_entry import CatalogueEntry, read_list
from .templates import installed_templates, read_templates
from .variants import are_variants, family_of

_log = logging.getLogger("comfystow.catalogue")
_SHIPPED = Path(__file__).with_name("data") / "models.json"
_MAX_LIST_BYTES = 64 << 20

#: How many times as often as any other place of the name an entry must be used to be taken without asking.
_FAR_AHEAD = 5
# Names that hundreds of repositories give to files that have nothing in common.
_COMMON_NAMES = re.compile(
    r"(?:diffusion_)?(?:pytorch_)?model(?:[-_.](?:fp16|bf16|fp32|\d{5}-of-\d{5}))*\.\w+|pytorch_lora_weights\.\w+"
)


class Catalogue:
    """The known models. It reads files when it is made, so make it in a thread; look-ups take microseconds."""

    def __init__(self, entries: Iterable[CatalogueEntry]) -> None:
        self._by_name: dict[str, list[CatalogueEntry]] = {}
        self._by_alias: dict[str, list[CatalogueEntry]] = {}
        self._by_digest: dict[str, list[CatalogueEntry]] = {}
        self._by_family: dict[str, list[CatalogueEntry]] = {}
        seen: set[tuple[str, str | None, str]] = set()
        for entry in entries:
            key = (entry.name.lower(), entry.folder_name, entry.source)
            if key in seen:  # earlier lists are the better ones
                continue
            seen.add(key)
            self._by_name.setdefault(entry.name.lower(), []).append(entry)
            self._by_family.setdefault(family_of(entry.name), []).append(entry)
            for alias in (entry.name, *entry.aliases):
                self._by_alias.setdefault(_loose(alias), []).append(entry)
            if entry.sha256 is not None:
                self._by_digest.setdefault(entry.sha256, []).append(entry)
        self.size = len(seen)

    @classmethod
    def load(cls, *, base_path: Path | None = None, state_dir: Path | None = None) -> Catalogue:
        """Read all lists: the user's first, then the installed templates, the shipped list, Manager's."""
        entries = [entry for path in _user_lists(state_dir) for entry in _read_file(path, f"your list {path.name}")]
        entries += read_templates(installed_templates())
        entries += shipped_entries()
        entries += [
            entry for path in _manager_lists(base_path) for entry in _read_file(path, "ComfyUI-Manager's model list")
        ]
        return cls(entries)

    def by_name(self, name: str, folder_name: str | None = None) -> list[Candidate]:
        """Return the entries of a file name, best first; those of other folders and like names come last.

        `high` is said only where name and folder fit, and no other place of that name is used a fifth as often: whether
        two places hold the same bytes, only their digests can tell.
        """
        base = re.split(r"[/\\]", name)[-1]
        exact = self._by_name.get(base.lower(), [])
        folder = canonical_folder(folder_name) if folder_name is not None else None
        ranked = sorted(exact, key=lambda entry: (folder not in {None, entry.folder_name}, -entry.uses))
        rows = [_candidate(entry, *_judge(entry, ranked, folder)) for entry in ranked]
        alike = [entry for entry in self._by_alias.get(_loose(base), []) if entry not in exact]
        rows += [
            _candidate(entry, Confidence.GUESS, f"{entry.origin} lists it as {entry.name}")
            for entry in sorted(alike, key=lambda entry: (folder not in {None, entry.folder_name}, -entry.uses))
        ]
        return rows

    def by_digest(self, sha256: str) -> list[Candidate]:
        """Return the entries with a digest."""
        digits = sha256.lower().removeprefix("sha256:")
        return [
            _candidate(entry, Confidence.EXACT, f"{entry.origin} lists the same SHA-256")
            for entry in self._by_digest.get(digits, [])
        ]

    def variants(self, name: str, folder_name: str | None = None) -> list[CatalogueEntry]:
        """Return the entries of the same model stored in another way; a common name says nothing."""
        base = re.split(r"[/\\]", name)[-1]
        if _COMMON_NAMES.fullmatch(base.lower()):
            return []
        folder = canonical_folder(folder_name) if folder_name is not None else None
        return [
            entry
            for entry in self._by_family.get(family_of(base), [])
            if are_variants(entry.name, base) and folder in {None, entry.folder_name}
        ]


@cache
def shipped_entries() -> tuple[CatalogueEntry, ...]:
    """Return the list that comes with ComfyStow (`data/make_models.py` makes it)."""
    return tuple(_read_file(_SHIPPED, "ComfyUI's workflow templates"))


@cache
def shipped_catalogue() -> Catalogue:
    """Return the shipped list alone."""
    return Catalogue(shipped_entries())


def _judge(entry: CatalogueEntry, rivals: list[CatalogueEntry], folder: str | None) -> tuple[Confidence, str]:
    if _COMMON_NAMES.fullmatch(entry.name.lower()):
        return Confidence.GUESS, f"{entry.origin} lists it, but many models have that name"
    if folder is not None and entry.folder_name != folder:
        return Confidence.LIKELY, f"{entry.origin} lists the name for {entry.folder_name or 'no folder'}"
    others = [rival for rival in rivals if rival.source != entry.source and rival.folder_name == entry.folder_name]
    if any(rival.uses * _FAR_AHEAD > entry.uses and not _same_file(rival, entry) for rival in others):
        return Confidence.LIKELY, f"{entry.origin} lists it, and other places have a file of that name"
    return Confidence.HIGH, f"{entry.origin} lists it"


def _same_file(one: CatalogueEntry, other: CatalogueEntry) -> bool:
    return one.sha256 is not None and one.sha256 == other.sha256


def _candidate(entry: CatalogueEntry, confidence: Confidence, reason: str) -> Candidate:
    return Candidate(
        source=entry.source,
        confidence=confidence,
        reason=reason,
        url=entry.url,
        folder_name=entry.folder_name,
        name=entry.name,
        size_bytes=entry.size_bytes,
        sha256=entry.sha256,
    )


def _loose(name: str) -> str:
    """Return a name without case and separators: `Flux1_Dev-fp8` and `flux1-dev-FP8` are alike."""
    stem, dot, suffix = name.lower().rpartition(".")
    return re.sub(r"[^0-9a-z]+", "", stem) + dot + suffix


def _user_lists(state_dir: Path | None) -> list[Path]:
    return sorted((state_dir / "catalogues").glob("*.json")) if state_dir is not None else []


def _manager_lists(base_path: Path | None) -> list[Path]:
    """Find ComfyUI-Manager's list: as a custom node, or as the package of that name."""
    from importlib.util import find_spec

    found = sorted((base_path / "custom_nodes").glob("*/model-list.json")) if base_path is not None else []
    spec = find_spec("comfyui_manager")
    for place in (spec.submodule_search_locations if spec is not None else None) or ():
        found += [path for path in [Path(place) / "model-list.json"] if path.is_file()]
    return found


def _read_file(path: Path, origin: str) -> list[CatalogueEntry]:
    try:
        with path.open("rb") as file:
            return read_list(json.loads(file.read(_MAX_LIST_BYTES)), origin)
    except (OSError, ValueError, RecursionError) as err:
        _log.warning("the model list %s cannot be read: %s", path.name, err)
        return []
