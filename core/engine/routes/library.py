"""Rows of the library that look and touch no file: the index, scans, proof, sources."""

from __future__ import annotations

from ..bodies import IdentifyRequest, ScanRequest, VerifyRequest
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
        path="/library/work",
        name="library.work",
        summary="Say what goes on in the library, and how the last scan, proof and search for sources ended",
        returns="`{scanning, reading, watching, scan, verify, identify, last_scan}`; see docs/library.md",
    ),
    Route(
        method="GET",
        path="/library/usage",
        name="library.usage",
        summary="Say what fills the disks: models by folder, kind and base model, and the volumes",
        returns="`{roots, volumes, folders, kinds, base_models}`",
    ),
    Route(
        method="GET",
        path="/library/parts",
        name="library.parts",
        summary="List parts of downloads that nobody goes on with",
        returns="`{parts: [{name, folder, size_bytes, modified_at, source}], bytes}`",
    ),
    Route(
        method="GET",
        path="/library/unreferenced",
        name="library.unreferenced",
        summary="List files that no workflow in the user folder names",
        returns="`{files: [row], bytes, workflows, unreadable}`",
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
        returns="the scan's report; as `GET /library/work` at once with `{wait: false}`",
        request=ScanRequest,
    ),
    Route(
        method="POST",
        path="/library/verify",
        name="library.verify",
        summary="Begin to prove all files: header against length, then the bytes of what has a digest",
        returns="as `GET /library/work`",
        request=VerifyRequest,
        status=202,
    ),
    Route(
        method="POST",
        path="/library/identify",
        name="library.identify",
        summary="Begin to find the sources of unknown files by their digests; reads files without one",
        returns="as `GET /library/work`",
        request=IdentifyRequest,
        status=202,
    ),
    Route(
        method="POST",
        path="/library/cancel",
        name="library.cancel",
        summary="Stop proof and search; what was learnt stays",
        returns="as `GET /library/work`",
    ),
)
