"""`comfystow undo`: take a change of files back."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any

from ..engine.sync_client import SyncEngineClient
from ..errors import ConflictError
from .changes import finished, plain, report
from .options import add_common, installation_of, session_client_of
from .output import say, show_json


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("id", nargs="?", metavar="ID", help="the change; without one the last")
    parser.add_argument("--list", action="store_true", help="list the last changes, and take none back")
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Take it back; a file that has changed since stays as it is, and is told."""
    with session_client_of(installation_of(arguments)) as client:
        if arguments.list:
            return _list(client, arguments)
        # The id is asked for first: a request that is made again after an engine's end must not undo one more.
        last = arguments.id is None  # an empty one is a variable of a shell that is not set
        change_id = client.call("GET", "/library/changes?limit=1")["undo"] if last else arguments.id
        if change_id is None:
            raise ConflictError("there is no change that could be taken back")
        change = finished(client, client.call("POST", "/library/undo", {"id": change_id}))
        return report(change, arguments, applied=True)


def _list(client: SyncEngineClient, arguments: argparse.Namespace) -> int:
    rows: list[dict[str, Any]] = client.call("GET", "/library/changes")["changes"]
    if arguments.json:
        show_json(rows)
        return 0
    if not rows:
        say("no change of files was made yet")
    for row in rows:
        at = datetime.fromtimestamp(row["created_at"], UTC).astimezone()
        what = f"{row['kind']:<9} {row['state']:<8} {row['done']} done  {plain(row['title'])}"
        print(f"{row['id']}  {at:%Y-%m-%d %H:%M}  {what}")
    return 0
