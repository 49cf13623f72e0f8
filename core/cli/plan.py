"""What would be done, shown before anything is."""

from __future__ import annotations

import argparse
import re
from typing import Any

from ..engine.connection import error_of_code
from ..engine.sync_client import SyncEngineClient
from ..errors import NotEnoughSpaceError, StowError
from ..units import format_bytes
from .fetch import Wanted
from .output import exit_code_of, say, show, show_error, show_json

#: Each file is asked for at its source, a few side by side.
_LEAST_SECONDS = 120.0
_SECONDS_EACH = 1.0
#: For people a commit is told by its beginning, as git does; `--json` has all of it.
_COMMIT = re.compile(r"(@[0-9a-f]{8})[0-9a-f]{32}(?=/)")


def ask_plan(client: SyncEngineClient, wanted: list[Wanted]) -> dict[str, Any]:
    """Ask the engine what would become of each; nothing is written. Raises: StowError."""
    patience = _LEAST_SECONDS + _SECONDS_EACH * len(wanted)
    body = {"downloads": [item.body() for item in wanted]}
    plan: dict[str, Any] = client.call("POST", "/plan", body, timeout_seconds=patience)
    return plan


def dry_run(client: SyncEngineClient, wanted: list[Wanted], arguments: argparse.Namespace) -> int:
    """Show the plan as data; the exit code says whether it would go through."""
    plan = ask_plan(client, wanted)
    if arguments.json:
        show_json([_row(item) for item in plan["items"]])
    else:
        for item in plan["items"]:
            show(_line(item))
        say(_total(plan))
    errors = errors_of(plan)
    for error in errors:
        show_error(error)
    return exit_code_of(errors)


def show_plan(plan: dict[str, Any]) -> None:
    """Tell a person what is about to be done."""
    for item in plan["items"]:
        say(_line(item))
    say(_total(plan))


def errors_of(plan: dict[str, Any]) -> list[StowError]:
    """Return what stands in the way."""
    told = [item["error"] for item in plan["items"] if item["error"] is not None]
    errors = [error_of_code(error["code"])(error["message"], hint=error["hint"]) for error in told]
    errors += [
        NotEnoughSpaceError(
            f"{format_bytes(volume['needed_bytes'])} are needed for {', '.join(volume['folders'])}, "
            f"{format_bytes(volume['free_bytes'])} are free",
            hint="make room, or lower COMFYSTOW_FREE_SPACE_FLOOR_BYTES",
        )
        for volume in plan["volumes"]
        if not volume["fits"]
    ]
    return errors


def _row(item: dict[str, Any]) -> dict[str, object]:
    return {
        "action": item["action"],
        "from": item["source"] or item["request"]["source"],
        "to": item["dest_path"],
        "method": "link" if item["action"] == "link" else None,
        "bytes": item["fetch_bytes"],
        "reason": item["reason"],
        "conflict": item["error"]["message"] if item["error"] is not None else None,
    }


def _line(item: dict[str, Any]) -> str:
    source = _COMMIT.sub(r"\1", item["source"] or item["request"]["source"])
    if item["error"] is not None:
        return f"{item['action']}: {source}: {item['error']['message']}"
    if item["dest_path"] is None:
        return f"{item['action']}: {source}"
    why = f": {item['reason']}" if item["action"] != "fetch" else ""  # that is why all of them are
    return f"{item['action']}: {item['dest_path']} ({format_bytes(item['size_bytes'])}) from {source}{why}"


def _total(plan: dict[str, Any]) -> str:
    return f"{format_bytes(plan['fetch_bytes'])} to be fetched"
