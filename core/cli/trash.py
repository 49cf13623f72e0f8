"""`comfystow trash`: what waits to be deleted or taken back."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..engine.sync_client import SyncEngineClient
from ..errors import NotFoundHereError, UsageError
from ..units import format_bytes
from . import typed
from .changes import add_apply, plain, plan_and_apply
from .options import add_common, installation_of, session_client_of
from .output import say, show_json

_SECONDS_A_DAY = 86400
_MOST_DAYS = 36500


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=("list", "put", "empty"),
        default="list",
        help="list it (default), fill it, empty it",
    )
    parser.add_argument(
        "items", nargs="*", metavar="FILE|ID", help="put: files of the library; empty: changes, without one all"
    )
    parser.add_argument(
        "--older-than", type=typed.number(0, _MOST_DAYS), default=0.0, metavar="DAYS", help="empty: only what is older"
    )
    add_apply(parser)
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """List, fill or empty."""
    with session_client_of(installation_of(arguments)) as client:
        if arguments.action == "list":
            return _list(client, arguments)
        if arguments.action == "put":
            if not all(arguments.items or [""]):
                raise UsageError("`put` needs a FILE")
            ids = [int(item) for item in arguments.items if item.isdigit()]
            paths = [str(Path(item).absolute()) for item in arguments.items if not item.isdigit()]
            return plan_and_apply(client, "/library/delete", {"ids": ids, "paths": paths}, arguments)
        _check_changes(client, arguments.items)
        body = {"changes": arguments.items, "older_than_seconds": arguments.older_than * _SECONDS_A_DAY}
        return plan_and_apply(client, "/library/trash/empty", body, arguments)


def _check_changes(client: SyncEngineClient, ids: list[str]) -> None:
    """Refuse what is no change with files in the trash. Raises: NotFoundHereError."""
    known = {item["change"] for item in client.call("GET", "/library/trash")["items"]} if ids else set()
    for given in ids:
        if given not in known:
            raise NotFoundHereError(f"nothing of `{given}` is in the trash", hint="`comfystow trash` lists what is")


def _list(client: SyncEngineClient, arguments: argparse.Namespace) -> int:
    trash: dict[str, Any] = client.call("GET", "/library/trash")
    if arguments.json:
        show_json(trash["items"])
        return 0
    for item in trash["items"]:
        at = datetime.fromtimestamp(item["deleted_at"], UTC).astimezone()
        gone = "" if item["there"] else " (its file is gone)"
        print(f"{item['change']}  {at:%Y-%m-%d %H:%M}  {format_bytes(item['bytes']):>8}  {plain(item['from'])}{gone}")
    say(f"{len(trash['items'])} files, {format_bytes(trash['bytes'])}; `comfystow undo ID` takes a change back")
    return 0
