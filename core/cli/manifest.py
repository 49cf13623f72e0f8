"""`comfystow manifest`: write a models.yaml from a workflow, or from what is here."""

from __future__ import annotations

import argparse

from ..errors import UsageError
from . import typed
from .lock import write_text
from .options import add_common, installation_of, session_client_of
from .output import say, show_json


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "workflow", nargs="?", type=typed.path, metavar="WORKFLOW", help="JSON of ComfyUI, or an image it made"
    )
    parser.add_argument("--library", action="store_true", help="the models here that ComfyStow has brought")
    parser.add_argument("-o", "--output", type=typed.path, metavar="FILE", help="write it here; else it is printed")
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Let the engine write it; what has no known source stands in it as a comment."""
    from ..workflow.load import load_document

    if (arguments.workflow is None) is not arguments.library:
        raise UsageError("give a workflow or --library", hint="comfystow manifest WORKFLOW -o models.yaml")
    body = {"library": True} if arguments.library else {"workflow": load_document(arguments.workflow)}
    with session_client_of(installation_of(arguments)) as client:
        answer = client.call("POST", "/manifest/write", body)
    if arguments.output is not None:
        write_text(arguments.output, answer["manifest"])
    if arguments.json:
        show_json(answer)
    elif arguments.output is None:
        print(answer["manifest"], end="")
    without = answer["without_source"]
    to = f"{arguments.output}: " if arguments.output is not None else ""
    say(f"{to}{answer['with_source']} with a source" + (f", {without} without" if without else ""))
    return 1 if without else 0
