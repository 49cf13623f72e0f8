"""`comfystow search`: models by name."""

from __future__ import annotations

import argparse
from typing import Any
from urllib.parse import urlencode

from ..engine.connection import error_of_code
from ..errors import StowError
from . import typed
from .options import add_common, installation_of, session_client_of
from .output import exit_code_of, say, show, show_error, show_json


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("words", nargs="+", metavar="WORD", help="a part of the model's name")
    parser.add_argument("--folder", help="only models for this folder of ComfyUI, like `loras`")
    parser.add_argument("--provider", choices=("huggingface", "civitai"), help="only there")
    parser.add_argument("--limit", type=typed.count, default=20, metavar="N", help="most finds (%(default)s)")
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Search and print, best first. A site that fails is told, and the other's finds are shown."""
    query = {
        "q": " ".join(arguments.words),
        "folder": arguments.folder,
        "provider": arguments.provider,
        "limit": arguments.limit,
    }
    given = urlencode({name: value for name, value in query.items() if value is not None})
    with session_client_of(installation_of(arguments)) as client:
        found = client.call("GET", f"/search?{given}")
    if arguments.json:
        show_json(found)
    else:
        for hit in found["hits"]:
            show(_line(hit))
        if not found["hits"] and not found["errors"]:
            say("nothing was found")
    errors: list[StowError] = []
    for told in found["errors"].values():
        errors.append(error_of_code(told["code"])(told["message"], hint=told["hint"]))
        show_error(errors[-1])
    return exit_code_of(errors) if not found["hits"] else 0


def _line(hit: dict[str, Any]) -> str:
    facts = [
        hit["folder_name"],
        hit["base_model"],
        f"{hit['downloads']:,} downloads" if hit["downloads"] is not None else None,
        "gated" if hit["gated"] else None,
    ]
    return f"{hit['source']}  {hit['title']} ({', '.join(fact for fact in facts if fact) or hit['provider']})"
