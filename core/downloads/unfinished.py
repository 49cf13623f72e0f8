"""Is there anything to go on with? Asked by a starting ComfyUI, without an engine."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ..database import database_path
from ..records.download import DownloadState

_GOES_ON = tuple(state.value for state in DownloadState if not state.final and state is not DownloadState.PAUSED)


def has_unfinished(state_dir: Path) -> bool:
    """Tell whether the queue of a state folder holds downloads that an engine would go on with."""
    path = database_path(state_dir)
    if not path.is_file():
        return False
    marks = ", ".join("?" * len(_GOES_ON))
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=1.0)
        try:
            query = f"SELECT 1 FROM downloads WHERE state IN ({marks}) LIMIT 1"  # noqa: S608 - only question marks
            return connection.execute(query, _GOES_ON).fetchone() is not None
        finally:
            connection.close()
    except sqlite3.Error:
        return False  # a queue that cannot be read now is the engine's to complain of
