"""`engine.log` in the state folder, and the one before it, `engine.log.1`: what the engine logs and what it prints.

The engine's own standard output and error go there too (a crash of the interpreter speaks through them), so turning
the file over turns them over.
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
from pathlib import Path
from typing import BinaryIO

LOG_NAME = "engine.log"
_MAX_SIZE_BYTES = 1 << 20
_TAIL_BYTES = 4096
_MAX_LINE = 300
_FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"


def open_log(state_dir: Path) -> BinaryIO:
    """Open the log for the standard output of an engine to be."""
    state_dir.mkdir(parents=True, exist_ok=True)
    path = state_dir / LOG_NAME
    with contextlib.suppress(OSError):
        if path.stat().st_size > _MAX_SIZE_BYTES:
            path.replace(path.with_name(f"{LOG_NAME}.1"))
    return (path if os.name == "posix" else Path(os.devnull)).open("ab")  # Windows renames no file that is open


def last_line(state_dir: Path) -> str:
    """Return the last line of the log, as far as there is one: the word of an engine that could not start."""
    with contextlib.suppress(OSError), (state_dir / LOG_NAME).open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
        lines = log.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip()[:_MAX_LINE] if lines else ""
    return ""


class _TurningHandler(logging.handlers.RotatingFileHandler):
    """A rotating file that standard output and error follow."""

    def doRollover(self) -> None:  # noqa: N802 - the name of the base class
        super().doRollover()
        if os.name == "posix" and self.stream is not None:
            for descriptor in (1, 2):
                os.dup2(self.stream.fileno(), descriptor)


def log_to_file(state_dir: Path) -> None:
    """Send all logging of the engine process to its file."""
    handler = _TurningHandler(state_dir / LOG_NAME, maxBytes=_MAX_SIZE_BYTES, backupCount=1, encoding="utf-8")
    _use(handler)


def log_to_terminal() -> None:
    """Send all logging to standard error: an engine in the foreground."""
    _use(logging.StreamHandler())


def _use(handler: logging.Handler) -> None:
    handler.setFormatter(logging.Formatter(_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
