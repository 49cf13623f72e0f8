"""`comfystow dedupe`: one copy of equal files."""

from __future__ import annotations

import argparse

from . import typed
from .changes import add_apply, plan_and_apply
from .options import add_common, installation_of, session_client_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "dirs", nargs="*", type=typed.path, metavar="DIR", help="folders beside the library: other UIs' models"
    )
    parser.add_argument("--link", choices=("hard", "reflink"), default="hard", help="what equal files become")
    parser.add_argument("--no-hf-cache", action="store_true", help="leave the cache of Hugging Face out")
    add_apply(parser)
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show what is there more than once, and link it with `--apply`."""
    body = {
        "directories": [str(folder.absolute()) for folder in arguments.dirs],
        "hf_cache": not arguments.no_hf_cache,
        "link": arguments.link,
    }
    with session_client_of(installation_of(arguments)) as client:
        return plan_and_apply(client, "/library/dedupe", body, arguments)
