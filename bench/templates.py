"""How much of ComfyUI's own workflow templates is found: requirements, sources, and how far names alone lead.

`python -m comfystow.bench.templates`. Both releases of the test suite: 0.7.25 (of ComfyUI 0.3.75) and the newest. The
shipped catalogue is made of these very templates, so names are also measured held out: with a catalogue of the older
release's templates alone, against the newer release's models.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..core.errors import InvalidReferenceError
from ..core.records.workflow import Candidate, RequiredModel
from ..core.sources.catalogue import Catalogue, shipped_entries
from ..core.sources.catalogue_entry import CatalogueEntry, read_row, walk_models
from ..core.sources.reference import parse_reference
from ..core.workflow.candidates import find_candidates
from ..core.workflow.node_inputs import folder_name
from ..core.workflow.requirements import requirements

CHECKOUT = Path(__file__).resolve().parents[1]
_RELEASES = ("0.7.25", "newest")


def main(arguments: list[str] | None = None) -> int:
    """Print the counts; 1 when a requirement is wrong or an embedded one has no sure source."""
    argparse.ArgumentParser(prog="comfystow bench templates", description=(__doc__ or "").splitlines()[0]).parse_args(
        arguments
    )
    sys.path.insert(0, str(CHECKOUT / "tests"))
    from support.templates import embedded, stripped, templates  # type: ignore[import-not-found]

    sets = {release: list(templates(release)) for release in _RELEASES}
    shipped = Catalogue(shipped_entries())
    wrong = 0
    for release, rows in sets.items():
        expected = {
            (row.name, folder_name(model["directory"]), model["name"]): model["url"]
            for row in rows
            for model in embedded(row.workflow)
        }
        wrong += _requirements(release, rows, set(expected))
        wrong += _sources(release, rows)
        found = [(row, model) for row in rows for model in _models(stripped(row.workflow))]
        _names(f"{release}, names alone, shipped catalogue", found, shipped, expected)
    older = Catalogue(_entries(sets["0.7.25"]))
    newest = sets["newest"]
    expected = {
        (row.name, folder_name(model["directory"]), model["name"]): model["url"]
        for row in newest
        for model in embedded(row.workflow)
    }
    found = [(row, model) for row in newest for model in _models(stripped(row.workflow))]
    _names("newest, names alone, catalogue of 0.7.25 alone (held out)", found, older, expected)
    _unique(found, older, expected)
    return 1 if wrong else 0


def _models(workflow: Any) -> Iterator[RequiredModel]:
    needed = requirements(workflow)
    yield from needed.models + needed.inactive


def _requirements(release: str, rows: list[Any], expected: set[tuple[str, str, str]]) -> int:
    got = {(row.name, model.folder_name or "?", model.name) for row in rows for model in _models(row.workflow)}
    extra, missing = got - expected, expected - got
    print(f"{release}: {len(rows)} workflows, {len(expected)} models embedded and named by a node")
    print(
        f"  requirements: {len(got)} found, {len(got & expected)} as embedded, {len(missing)} not found, "
        f"{len(extra)} beside them {sorted(extra)[:3] if extra else ''}"
    )
    return len(missing)


def _sources(release: str, rows: list[Any]) -> int:
    means: Counter[str] = Counter()
    for row in rows:
        for model in _models(row.workflow):
            best = next(iter(find_candidates(model)), None)
            means[f"{best.confidence}: {best.reason}" if best is not None else "without any"] += 1
    told = "; ".join(f"{count} {name}" for name, count in means.most_common())
    print(f"  {release} with what is embedded: {told}")
    return 0


def _names(
    title: str,
    found: Iterable[tuple[Any, RequiredModel]],
    catalogue: Catalogue,
    expected: dict[tuple[str, str, str], str],
) -> None:
    counts: Counter[str] = Counter()
    total = 0
    for row, model in found:
        total += 1
        counts[_outcome(row.name, model, catalogue, expected)] += 1
    told = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    sure = sum(count for name, count in counts.items() if name.startswith(("exact", "high")))
    print(f"  {title}: {total} required; {told}; taken without asking {sure / max(1, total):.1%}")


def _unique(
    found: list[tuple[Any, RequiredModel]], catalogue: Catalogue, expected: dict[tuple[str, str, str], str]
) -> None:
    """Count each distinct model once: popular models would hide the ones that nobody knew."""
    first: dict[tuple[str | None, str], tuple[Any, RequiredModel]] = {}
    for row, model in found:
        first.setdefault((model.folder_name, model.name), (row, model))
    _names("the same, each distinct model once", first.values(), catalogue, expected)


def _outcome(
    template: str, model: RequiredModel, catalogue: Catalogue, expected: dict[tuple[str, str, str], str]
) -> str:
    candidates = find_candidates(model, catalogue)
    if not candidates:
        return "unknown"
    best = candidates[0]
    if not best.confidence.sure:
        return str(best.confidence)
    url = expected.get((template, model.folder_name or "?", model.name))
    return f"{best.confidence} and {'right' if url is None or _same(best, url) else 'another address'}"


def _same(candidate: Candidate, url: str) -> bool:
    try:
        return candidate.source == str(parse_reference(url))
    except InvalidReferenceError:
        return False


def _entries(rows: list[Any]) -> list[CatalogueEntry]:
    found: dict[tuple[str, str | None, str], CatalogueEntry] = {}
    for row in rows:
        for data in walk_models(row.workflow):
            entry = read_row(data, "templates of 0.7.25")
            if entry is not None:
                found.setdefault((entry.name, entry.folder_name, entry.source), entry)
    return list(found.values())


if __name__ == "__main__":
    raise SystemExit(main())
