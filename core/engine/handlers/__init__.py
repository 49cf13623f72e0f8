"""What answers each row of the route table: one short function a row, found by the row's name."""

from __future__ import annotations

from .call import Handler
from .credentials import CREDENTIALS
from .downloads import DOWNLOADS
from .edit import EDIT
from .engine import ENGINE
from .ensure import ENSURE
from .host import HOST
from .idle import IDLE
from .inspect import INSPECT
from .library import LIBRARY
from .library_changes import LIBRARY_CHANGES
from .library_work import LIBRARY_WORK
from .manifest import MANIFEST
from .pod import POD
from .search import SEARCH
from .settings import SETTINGS
from .system import SYSTEM
from .workflow import WORKFLOW

HANDLERS: dict[str, Handler] = {
    **DOWNLOADS,
    **WORKFLOW,
    **ENSURE,
    **EDIT,
    **MANIFEST,
    **CREDENTIALS,
    **ENGINE,
    **HOST,
    **SETTINGS,
    **SYSTEM,
    **INSPECT,
    **SEARCH,
    **LIBRARY,
    **POD,
    **LIBRARY_WORK,
    **IDLE,
    **LIBRARY_CHANGES,
}

__all__ = ["HANDLERS", "Handler"]
