"""`comfystow monitor`: what the machine does, live or once."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from ..engine.sync_client import SyncEngineClient
from . import typed
from .machine import Line, lines_of
from .options import add_common, installation_of, session_client_of
from .output import say, show, show_json

#: Longer than one look: the next one renews it.
_LEASE_FACTOR = 5.0
_MOST_SECONDS = 300.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--once", action="store_true", help="show one sample and end")
    parser.add_argument(
        "--interval",
        type=typed.number(1, _MOST_SECONDS),
        default=1.0,
        metavar="SECONDS",
        help="between two samples, 1 (default) to 300",
    )
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show the machine; with `--json` one object, or without `--once` one a line."""
    with session_client_of(installation_of(arguments)) as client:
        if arguments.once:
            view = _look(client, arguments.interval)
            show_json(view) if arguments.json else _print(lines_of(view))
            return 0
        views = _looks(client, arguments.interval)
        if arguments.json:
            for view in views:
                print(json.dumps(view), flush=True)
        elif not sys.stdout.isatty() or not _draw(views):
            for view in views:
                _print(lines_of(view))
                print(flush=True)
    return 0


def _look(client: SyncEngineClient, interval_seconds: float) -> dict[str, Any]:
    lease = {"seconds": min(_MOST_SECONDS, _LEASE_FACTOR * interval_seconds), "interval_seconds": interval_seconds}
    view: dict[str, Any] = client.call("POST", "/system/lease", {**lease, "holder": "monitor"})
    return view


def _looks(client: SyncEngineClient, interval_seconds: float) -> Iterator[dict[str, Any]]:
    while True:
        began = time.monotonic()
        yield _look(client, interval_seconds)
        time.sleep(max(0.0, began + interval_seconds - time.monotonic()))


def _draw(views: Iterator[dict[str, Any]]) -> bool:
    """Draw with rich; false where it is not installed."""
    try:
        from .monitor_live import draw
    except ImportError:
        say("hint: `pip install rich` draws this in place")
        return False
    draw(views)
    return True


def _print(lines: list[Line]) -> None:
    for line in lines:
        show(f"{line.label:<14} {line.text}" if line.label else line.text)
