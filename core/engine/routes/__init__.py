"""The one table of routes: what the engine serves, ComfyUI's server mounts, openapi.json and docs/http.md say.

Rows of `Where.ENGINE` are served by the engine and proxied by ComfyUI's server under `HTTP_PREFIX`; rows of
`Where.HOST` need torch or ComfyUI's queue and are served there; `internal` rows are between the engine and its callers
on this machine, and are never proxied. Each part of the table is a file here. A row needs a handler in `handlers/` (a
test compares).
"""

from __future__ import annotations

from .downloads import DOWNLOADS_ROUTES
from .engine import ENGINE_ROUTES
from .idle import IDLE_ROUTES
from .library import LIBRARY_ROUTES
from .library_changes import LIBRARY_CHANGES_ROUTES
from .manifest import MANIFEST_ROUTES
from .pod import POD_ROUTES
from .route import Route, Where
from .settings import SETTINGS_ROUTES
from .sources import SOURCES_ROUTES
from .system import SYSTEM_ROUTES
from .workflow import WORKFLOW_ROUTES

ROUTES: tuple[Route, ...] = (
    *DOWNLOADS_ROUTES,
    *SOURCES_ROUTES,
    *WORKFLOW_ROUTES,
    *LIBRARY_ROUTES,
    *LIBRARY_CHANGES_ROUTES,
    *MANIFEST_ROUTES,
    *SETTINGS_ROUTES,
    *SYSTEM_ROUTES,
    *POD_ROUTES,
    *IDLE_ROUTES,
    *ENGINE_ROUTES,
)

__all__ = ["ROUTES", "Route", "Where"]
