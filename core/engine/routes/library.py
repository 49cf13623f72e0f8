"""Rows of the library that look and do not touch: the index, scans."""

from __future__ import annotations

from .route import Route

_FILTERS = (
    "q",
    "folder",
    "kind",
    "base",
    "root",
    "damaged",
    "duplicates",
    "unidentified",
    "sort",
    "descending",
    "offset",
    "limit",
)

LIBRARY_ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/library",
        name="library.list",
        summary="List model files by filters, a page at a time, with the totals of the library",
        returns="`{files: [row], count, totals, roots}`; see docs/library.md",
        query=_FILTERS,
    ),
    Route(
        method="GET",
        path="/library/{id}",
        name="library.show",
        summary="Show all that is known of one file",
        returns="a row with all digests",
    ),
    Route(
        method="POST",
        path="/library/scan",
        name="library.scan",
        summary="Look at all folders again; opens only what is new or changed",
        returns="the scan's report",
    ),
)
