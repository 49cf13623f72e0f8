"""`comfystow prune`: what was not used for longest goes, until the library fits a size."""

from __future__ import annotations

import argparse

from ..units import parse_size
from . import typed
from .changes import add_apply, plan_and_apply
from .options import add_common, installation_of, session_client_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--to", required=True, metavar="SIZE", help="what the library may take: 200G")
    parser.add_argument(
        "files", nargs="*", type=typed.path, metavar="FILE", help="these go first, whatever is known of them"
    )
    add_apply(parser)
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show what would go, and move it into the trash with `--apply`."""
    body = {"to_bytes": parse_size(arguments.to), "paths": [str(file.absolute()) for file in arguments.files]}
    with session_client_of(installation_of(arguments)) as client:
        return plan_and_apply(client, "/library/prune", body, arguments)
