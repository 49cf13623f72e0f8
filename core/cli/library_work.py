"""Long works on the library: begin one in the engine, show how far it is, and wait for its end."""

from __future__ import annotations

import sys
import time
from typing import Any

from ..engine.connection import error_of_code
from ..engine.sync_client import SyncEngineClient
from ..errors import StowError
from ..units import format_bytes
from .output import say

_LOOK_SECONDS = 0.3
_LINE_SECONDS = 5.0


def carry_out(client: SyncEngineClient, name: str, body: dict[str, object] | None = None) -> dict[str, Any]:
    """Begin `scan`, `verify` or `identify`, wait for its end, and return its report.

    Ctrl-C stops the work in the engine too; what was learnt stays. Raises: StowError: the work's own.
    """
    work = client.call("POST", f"/library/{name}", body or {})
    shown = _Line()
    try:
        while work[name]["running"]:
            shown.show(_words(work))
            time.sleep(_LOOK_SECONDS)
            work = client.call("GET", "/library/work")
    except KeyboardInterrupt:
        client.call("POST", "/library/cancel")
        raise
    finally:
        shown.end()
    return _report(work[name])


def _report(ended: dict[str, Any]) -> dict[str, Any]:
    error, report = ended["error"], ended["report"]
    if error is not None:
        raise error_of_code(error["code"])(error["message"], hint=error["hint"])
    if report is None:
        raise StowError("the engine ended before the work did", hint="the next one goes on with it; ask again")
    found: dict[str, Any] = report
    return found


def _words(work: dict[str, Any]) -> str | None:
    reading, scanning = work["reading"], work["scanning"]
    if reading is not None:
        held = ", waiting while ComfyUI generates" if reading["held"] else ""
        done, total = format_bytes(reading["bytes_done"]), format_bytes(reading["bytes_total"])
        return f"reading: {done} of {total}, {reading['files_done']} of {reading['files_total']} files{held}"
    if scanning is None:
        return None
    if scanning["total"]:
        return f"looking into new files: {scanning['done']} of {scanning['total']}"
    return f"looking: {scanning['done']} files"


class _Line:
    """One line that changes on a terminal, now and then a new one elsewhere; on standard error."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._said_at = time.monotonic()
        self._width = 0

    def show(self, words: str | None) -> None:
        if words is None:
            return
        if self._terminal:
            print(f"\r{words.ljust(self._width)}", end="", file=sys.stderr, flush=True)
            self._width = len(words)
        elif time.monotonic() - self._said_at >= _LINE_SECONDS:
            self._said_at = time.monotonic()
            say(words)

    def end(self) -> None:
        if self._width:
            print(f"\r{' ' * self._width}\r", end="", file=sys.stderr, flush=True)
