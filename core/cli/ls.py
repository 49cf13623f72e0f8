"""`comfystow ls`: the models that are here."""

from __future__ import annotations

import argparse
from typing import Any
from urllib.parse import urlencode

from ..engine.sync_client import SyncEngineClient
from ..units import format_bytes
from . import typed
from .library_work import carry_out
from .options import add_common, installation_of, session_client_of
from .output import printable, say, show_json

_PAGE = 1000
_SORTS = ("name", "size", "added", "used", "kind", "base")
_FLAGS = ("damaged", "duplicates", "unidentified")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("words", nargs="*", metavar="WORD", help="must be in the path")
    parser.add_argument("--folder", help="ComfyUI's name of a folder, like `loras`")
    parser.add_argument("--kind", help="like `lora`, `checkpoint`, `vae`")
    parser.add_argument("--base", help="base model, like `SDXL`, `Flux`")
    parser.add_argument("--damaged", action="store_true", help="what is not whole")
    parser.add_argument("--duplicates", action="store_true", help="contents that lie on disk more than once")
    parser.add_argument("--unidentified", action="store_true", help="whose source is not known")
    parser.add_argument("--unreferenced", action="store_true", help="what no workflow in the user folder names")
    parser.add_argument("--parts", action="store_true", help="parts of downloads that nobody goes on with")
    parser.add_argument("--sort", choices=_SORTS, default="name", help="order (%(default)s)")
    parser.add_argument("--reverse", action="store_true", help="the other way round")
    parser.add_argument("--limit", type=typed.count, metavar="N", help="at most N files")
    parser.add_argument("--no-scan", action="store_true", help="take the index as it is")
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """List."""
    with session_client_of(installation_of(arguments)) as client:
        if not arguments.no_scan:
            carry_out(client, "scan", {"wait": False})
        if arguments.parts:
            return _show_parts(client.call("GET", "/library/parts"), as_json=arguments.json)
        rows = _unreferenced(client, arguments) if arguments.unreferenced else list(_rows(client, arguments))
    if arguments.json:
        show_json(rows)
        return 0
    for row in rows:
        print(_line(row))
    say(f"{len(rows)} files, {format_bytes(sum(row['size_bytes'] for row in rows))}")
    return 0


def _rows(client: SyncEngineClient, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    query = {
        "q": " ".join(arguments.words),
        "folder": arguments.folder,
        "kind": arguments.kind,
        "base": arguments.base,
        "sort": arguments.sort,
        "descending": "1" if arguments.reverse else None,
        **{name: "1" for name in _FLAGS if getattr(arguments, name)},
    }
    given = {name: value for name, value in query.items() if value}
    rows: list[dict[str, Any]] = []
    while True:
        left = _PAGE if arguments.limit is None else min(_PAGE, arguments.limit - len(rows))
        if left <= 0:
            return rows
        page = client.call("GET", f"/library?{urlencode({**given, 'offset': len(rows), 'limit': left})}")
        rows += page["files"]
        if len(page["files"]) < left:
            return rows


def _unreferenced(client: SyncEngineClient, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Return what no workflow names, among what the other options choose."""
    found = client.call("GET", "/library/unreferenced")
    say(f"{found['workflows']} workflows were read")
    for name in found["unreadable"]:
        say(f"`{printable(name)}` could not be read: what it names is counted as unreferenced")
    chosen = {row["id"] for row in found["files"]}
    return [row for row in _rows(client, arguments) if row["id"] in chosen]


def _line(row: dict[str, Any]) -> str:
    facts = [row["kind"], row["base_model"], row["precision"], format_bytes(row["size_bytes"])]
    if row["links"] > 1:
        facts.append(f"{row['links']} names")
    if not row["available"]:
        facts.append("not reachable")
    if row["damaged"]:
        facts.append(f"damaged: {row['damaged']}")
    return f"{row['folder']}/{printable(row['relative_path'])}  ({', '.join(fact for fact in facts if fact)})"


def _show_parts(found: dict[str, Any], *, as_json: bool) -> int:
    if as_json:
        show_json(found["parts"])
        return 0
    for part in found["parts"]:
        print(f"{printable(part['path'])}  ({format_bytes(part['size_bytes'])}, {part['source'] or 'no journal'})")
    say(f"{len(found['parts'])} parts, {format_bytes(found['bytes'])}")
    return 0
