"""From a filter to SQL (pure)."""

from __future__ import annotations

from ...records.library import LibraryFilter, LibrarySort
from .tables import FROM, IDENTITY

ORDERS = {
    LibrarySort.NAME: "f.folded",
    LibrarySort.SIZE: "f.size_bytes",
    LibrarySort.ADDED: "f.added_at",
    LibrarySort.USED: "f.last_used_at",
    LibrarySort.KIND: "f.kind",
    LibrarySort.BASE: "f.base_model",
}

#: Contents that lie on disk more than once.
DUPLICATES = (
    f"SELECT f.sha256 AS sha256, min(f.size_bytes) AS size_bytes, count(DISTINCT {IDENTITY}) AS copies FROM {FROM} "  # noqa: S608
    "WHERE f.sha256 IS NOT NULL AND f.damaged IS NULL AND r.listed GROUP BY f.sha256 HAVING copies > 1"
)


def where(wanted: LibraryFilter) -> tuple[str, list[object]]:
    """Return the condition and its values."""
    terms: list[str] = ["r.listed"]
    values: list[object] = []
    for word in wanted.text.casefold().split():
        terms.append("instr(f.folded, ?)")
        values.append(word)
    for column, value in (
        ("f.kind", wanted.kind),
        ("f.base_model", wanted.base_model),
        ("f.root_id", wanted.root_id),
    ):
        if value is not None:
            terms.append(f"{column} = ?")
            values.append(value)
    if wanted.folder is not None:
        terms.append("EXISTS (SELECT 1 FROM json_each(r.folder_names) WHERE value = ?)")
        values.append(wanted.folder)
    if wanted.damaged:
        terms.append("f.damaged IS NOT NULL")
    if wanted.unidentified:
        terms.append("f.source IS NULL")
    if wanted.missing_digest:
        terms.append("f.sha256 IS NULL")
    if wanted.duplicates:
        terms.append(f"f.sha256 IN (SELECT sha256 FROM ({DUPLICATES}))")  # noqa: S608 - our own words
    return " AND ".join(terms), values


def order(sort: LibrarySort, *, descending: bool) -> str:
    """Return the order; unknown comes last, equal ones by name."""
    column = ORDERS[sort]
    direction = "DESC" if descending else "ASC"
    if sort is LibrarySort.NAME:
        return f"f.folded {direction}, f.id"
    return f"{column} IS NULL, {column} {direction}, f.folded, f.id"
