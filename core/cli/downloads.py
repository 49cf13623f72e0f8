"""`comfystow downloads`: show and steer the queue."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ..engine.sync_client import SyncEngineClient
from ..errors import StowError, UsageError
from ..units import parse_size
from .fetch import follow
from .line import line_of
from .options import add_common, client_of, installation_of
from .output import exit_code_of, say, show, show_error, show_json

_VERBS = ("pause", "resume", "cancel", "retry")
_ON_ALL = {"pause": "pause-all", "resume": "resume-all", "retry": "retry-failed"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=("list", *_VERBS, "priority", "limit"),
        default="list",
        help="list them (default), or what to do",
    )
    parser.add_argument(
        "ids", nargs="*", metavar="ID", help="downloads; `pause`, `resume` and `retry` without one take all"
    )
    parser.add_argument("--position", type=int, default=0, metavar="N", help="place for `priority`; 0 is first")
    parser.add_argument("--rate", metavar="SIZE", help="bandwidth a second for `limit`, like 20M; 0 lifts it")
    parser.add_argument("--follow", action="store_true", help="keep showing what changes, until Ctrl-C")
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """List, steer or follow."""
    with client_of(installation_of(arguments)) as client:
        if arguments.follow:
            return _follow(client, as_json=arguments.json)
        if arguments.action == "list":
            rows = client.call("GET", "/downloads")["downloads"]
            _show(rows, arguments)
            if not rows and not arguments.json:
                say("the queue is empty")
            return 0
        return _steer(client, arguments)


def _steer(client: SyncEngineClient, arguments: argparse.Namespace) -> int:
    if not arguments.ids:
        if arguments.action not in _ON_ALL:
            raise UsageError(f"`{arguments.action}` needs an ID", hint="`comfystow downloads` lists them")
        rows = client.call("POST", f"/downloads/{_ON_ALL[arguments.action]}")["downloads"]
        _show(rows, arguments)
        if not rows:
            say(f"there is nothing to {arguments.action}")
        return 0
    changed, errors = [], []
    for download_id in arguments.ids:
        try:
            changed.append(_one(client, arguments, download_id))
        except StowError as err:
            show_error(err)
            errors.append(err)
    _show(changed, arguments)
    return exit_code_of(errors)


def _one(client: SyncEngineClient, arguments: argparse.Namespace, download_id: str) -> dict[str, Any]:
    from urllib.parse import quote

    if not download_id:
        raise UsageError("an ID is empty", hint="`comfystow downloads` lists them")
    path = f"/downloads/{quote(download_id, safe='')}"
    if arguments.action == "priority":
        moved: dict[str, Any] = client.call("PATCH", path, {"position": arguments.position})
        return moved
    if arguments.action == "limit" and arguments.rate is None:
        raise UsageError("`limit` needs `--rate`", hint="20M a second, say; 0 lifts the limit")
    if arguments.action == "limit":
        limited: dict[str, Any] = client.call(
            "PATCH", path, {"limit_rate_bytes_per_second": parse_size(arguments.rate)}
        )
        return limited
    changed: dict[str, Any] = client.call("POST", f"{path}/{arguments.action}")
    return changed


def _show(rows: list[dict[str, Any]], arguments: argparse.Namespace) -> None:
    if arguments.json:
        show_json(rows)
        return
    for row in rows:
        show(f"{row['id']}  {line_of(row)}")


def _follow(client: SyncEngineClient, *, as_json: bool) -> int:
    shown: dict[str, str] = {}

    def take(rows: list[dict[str, Any]], *, whole: bool) -> bool:  # noqa: ARG001 - every row is shown
        for row in rows:
            line = f"{row['id']}  {line_of(row)}"
            if shown.get(row["id"]) != line:
                shown[row["id"]] = line
                print(json.dumps(row), flush=True) if as_json else show(line, flush=True)
        return False

    say("following the queue; Ctrl-C ends it")
    follow(client, take)
    return 0
