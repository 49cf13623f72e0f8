"""`comfystow engine`: the process that does the work."""

from __future__ import annotations

import argparse
import sys
import time

from ..errors import EngineError
from ..records.json import to_json
from ..units import format_duration
from .options import add_common, client_of, installation_of, settings_of
from .output import say, show_json


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "action",
        nargs="?",
        default="status",
        choices=("status", "stop", "run"),
        help="say who it is (default), let it journal and end, or be it",
    )
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Be the engine, or ask the living one; none is started for that."""
    if arguments.action == "run":
        return _be(arguments)
    with client_of(installation_of(arguments), start=False) as client:
        try:
            status = client.engine.status
        except EngineError as err:
            if err.retryable is False:
                raise
            show_json({"running": False}) if arguments.json else print("no engine runs")
            return 0
        if arguments.action == "stop":
            ended = client.stop(reason="asked to by the command line")
            say("the engine ended" if ended else "the engine does not end; its log says why")
            return 0 if ended else 1
    if arguments.json:
        show_json({"running": True, **to_json(status)})
    else:
        age = format_duration(time.time() - status.started_at)
        print(f"engine {status.version}, process {status.pid}, up for {age}, {'busy' if status.busy else 'idle'}")
        print(f"state folder {status.state_dir}, {status.sessions} attached")
    return 0


def _be(arguments: argparse.Namespace) -> int:
    installation = installation_of(arguments)
    settings = settings_of(installation)
    from ..engine.priority import step_back

    step_back(settings.engine_nice)  # before the imports, which cost the most of a start
    from .. import engine
    from ..engine.log import log_to_file, log_to_terminal
    from ..engine.service import run_engine

    installation.state_dir.mkdir(parents=True, exist_ok=True)
    if sys.stderr.isatty():
        log_to_terminal()
    else:
        log_to_file(installation.state_dir)
    package = sys.modules[engine.__name__.removesuffix(".core.engine")]
    return run_engine(installation.state_dir, settings, package.__version__)
