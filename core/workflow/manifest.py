"""`models.yaml`: what somebody wants on a machine, written by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..errors import InvalidNameError, InvalidReferenceError, ManifestError
from ..paths import NON_MODEL_FOLDERS, safe_component, safe_relative
from ..records.source import Digest
from ..sources.reference import parse_reference
from .conditions import Condition, Facts, parse_condition
from .node_inputs import folder_name
from .yaml_text import Part, read_yaml

VERSION = 1
_TOP = frozenset({"version", "models", "groups"})
_ENTRY = frozenset({"source", "workflow", "folder", "subfolder", "name", "sha256", "when", "before"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestEntry:
    """One line of a manifest: a source, or a workflow with everything it needs (exactly one of the two is set)."""

    line: int
    source: str | None = None
    workflow: str | None = None
    folder_name: str | None = None
    subfolder: str | None = None
    name: str | None = None
    sha256: str | None = None
    when: Condition | None = None
    group: str | None = None
    before: bool = False
    """True for what must be there before ComfyUI starts: a pod waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A whole manifest, in the order it was written."""

    where: str
    entries: tuple[ManifestEntry, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of the groups."""
        return tuple(dict.fromkeys(entry.group for entry in self.entries if entry.group is not None))


def parse_manifest(text: str, where: str = "models.yaml") -> Manifest:
    """Read and check a manifest.

    Raises: ManifestError: names the file and the line.
    """
    root = read_yaml(text, where)
    fields = root.fields("a manifest", _TOP)
    check_version(root, fields, "a manifest")
    entries = [_entry(part, None) for part in _items(fields, "models")]
    if "groups" in fields:
        for group, part in fields["groups"].fields("`groups`").items():
            entries += [_entry(item, group) for item in part.items(f"the group `{group[:60]}`")]
    return Manifest(where=where, entries=tuple(entries))


def select(manifest: Manifest, facts: Facts, groups: Iterable[str] = ()) -> tuple[ManifestEntry, ...]:
    """Return the entries that this machine takes: those without a group and of the groups named, whose condition holds.

    Raises: ManifestError: a group that is not there, or a condition on a fact that is unknown here.
    """
    wanted = set(groups)
    if unknown := sorted(wanted - set(manifest.groups)):
        known = ", ".join(manifest.groups) or "none"
        raise ManifestError(f"{manifest.where} has no group `{unknown[0][:60]}`", hint=f"it has: {known}")
    return tuple(
        entry
        for entry in manifest.entries
        if (entry.group is None or entry.group in wanted) and _holds(entry, facts, manifest.where)
    )


def check_version(root: Part, fields: dict[str, Part], what: str) -> None:
    """Refuse a version that this program does not read. Raises: ManifestError."""
    if "version" not in fields:
        root.fail(f"{what} begins with `version: {VERSION}`")
    if fields["version"].value != str(VERSION):
        fields["version"].fail(
            f"version {fields['version'].value} is not known, only {VERSION}", hint="update ComfyStow"
        )


def check_folder(part: Part) -> str:
    """Return a folder name in its present spelling. Raises: ManifestError: no folder of models."""
    name = folder_name(part.text("`folder`"))
    if name in NON_MODEL_FOLDERS:
        part.fail(f"`{name}` never takes models")
    try:
        return str(safe_component(name))
    except InvalidNameError as error:
        part.fail(error.message)


def check_relative(part: Part, what: str) -> str:
    """Return a relative name with `/` between parts. Raises: ManifestError: it could leave its folder."""
    try:
        return str(safe_relative(part.text(what)))
    except InvalidNameError as error:
        part.fail(error.message)


def check_sha256(part: Part) -> str:
    """Return the hex digits of a SHA-256. Raises: ManifestError: it is none."""
    try:
        digest = Digest.parse(part.text("`sha256`"))
    except ValueError:
        part.fail("`sha256` must be 64 hex digits")
    if digest.algorithm != "sha256":
        part.fail("`sha256` must be 64 hex digits")
    return digest.hex


def check_source(part: Part) -> str:
    """Return a reference in its one spelling. Raises: ManifestError: it names no source."""
    try:
        return str(parse_reference(part.text("`source`")))
    except InvalidReferenceError as error:
        part.fail(error.message, error.hint)


def _items(fields: dict[str, Part], key: str) -> tuple[Part, ...]:
    return fields[key].items(f"`{key}`") if key in fields else ()


def _entry(part: Part, group: str | None) -> ManifestEntry:
    if isinstance(part.value, str):
        return ManifestEntry(line=part.line, source=check_source(part), group=group)
    fields = part.fields("an entry", _ENTRY)
    if ("source" in fields) == ("workflow" in fields):
        part.fail("an entry has either `source` or `workflow`")
    entry = ManifestEntry(
        line=part.line,
        group=group,
        when=_condition(fields["when"]) if "when" in fields else None,
        before=_switch(fields["before"]) if "before" in fields else False,
    )
    if "workflow" in fields:
        if extra := sorted(set(fields) - {"workflow", "when", "before"}):
            fields[extra[0]].fail(f"a workflow's entry has no `{extra[0]}`", hint="known: before, when, workflow")
        return replace(entry, workflow=fields["workflow"].text("`workflow`"))
    return replace(
        entry,
        source=check_source(fields["source"]),
        folder_name=check_folder(fields["folder"]) if "folder" in fields else None,
        subfolder=check_relative(fields["subfolder"], "`subfolder`") if "subfolder" in fields else None,
        name=check_relative(fields["name"], "`name`") if "name" in fields else None,
        sha256=check_sha256(fields["sha256"]) if "sha256" in fields else None,
    )


def _switch(part: Part) -> bool:
    text = part.text("`before`").lower()
    if text not in {"true", "false"}:
        part.fail("`before` is true or false")
    return text == "true"


def _condition(part: Part) -> Condition:
    text = part.text("`when`")
    try:
        return parse_condition(text)
    except ManifestError as error:
        part.fail(error.message, error.hint)


def _holds(entry: ManifestEntry, facts: Facts, where: str) -> bool:
    if entry.when is None:
        return True
    outcome = entry.when.holds(facts)
    if outcome is None:
        raise ManifestError(
            f"{where}, line {entry.line}: `{entry.when.text}` cannot be decided here: the fact is unknown",
            hint="no GPU was found, or no profile was given: say it, as in --set vram_gb=24 or --set profile=video",
        )
    return outcome
