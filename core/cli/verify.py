"""`comfystow verify`: is the library whole?"""

from __future__ import annotations

import argparse
from typing import Any

from ..units import format_bytes, format_duration
from .library_work import carry_out
from .options import add_common, installation_of, session_client_of
from .output import printable, say, show_json

EXIT_DAMAGED = 6


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--all", action="store_true", help="read files without a known digest too, and learn it")
    extent.add_argument("--headers", action="store_true", help="compare headers with lengths alone: seconds")
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check, and list what is damaged; then the exit code is 6."""
    with session_client_of(installation_of(arguments)) as client:
        report = carry_out(client, "verify", {"headers_only": arguments.headers, "all": arguments.all})
        damaged = [client.call("GET", f"/library/{file_id}") for file_id in report["damaged"]]
    if arguments.json:
        show_json({**report, "damaged": damaged})
    else:
        _show(report, damaged)
    return EXIT_DAMAGED if damaged else 0


def _show(report: dict[str, Any], damaged: list[dict[str, Any]]) -> None:
    for row in damaged:
        print(f"{printable(row['path'])}: {row['damaged']}")
    read = f", {report['read']} read ({format_bytes(report['read_bytes'])})" if report["read"] else ""
    say(f"{report['headers']} headers{read}, {len(damaged)} damaged ({format_duration(report['seconds'])})")
    if report["unread"]:
        say(f"{len(report['unread'])} files could not be read, or changed meanwhile: verify again")
    if report["cancelled"]:
        say("it was cancelled before its end")
