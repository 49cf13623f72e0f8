"""`comfystow pod up`: be the entrypoint of a container."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from ..config import Settings, load_settings
from ..engine.installation import Installation, find_installation
from ..errors import UsageError
from ..pod.start.begin import begin
from ..pod.start.questions import Questions
from . import typed

_ENGINE_NICE = "10"
_LOG_FORMAT = "comfystow | %(message)s"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--comfyui", type=typed.path, metavar="DIR", help="the ComfyUI to run; else $COMFYUI_PATH, or found"
    )
    parser.add_argument(
        "--volume",
        type=typed.path,
        metavar="DIR",
        help="what outlives the container; else /workspace or /runpod-volume",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")


def run(arguments: argparse.Namespace) -> int:
    """Live until a signal ends us."""
    named = arguments.comfyui or (Path(os.environ["COMFYUI_PATH"]) if os.environ.get("COMFYUI_PATH") else None)
    installation = find_installation(comfyui=named)
    settings = load_settings(file=installation.state_dir / "settings.json")
    if arguments.volume is not None:
        settings = replace(settings, volume=str(arguments.volume))
    if installation.comfyui is None:
        raise UsageError("`pod up` needs a ComfyUI", hint="give --comfyui DIR")
    # Asked before the rest is imported: ComfyUI cannot start before it has answered.
    questions = Questions(installation.comfyui, os.environ)
    if arguments.dry_run:
        return _dry_run(settings, installation, questions)
    return _live(settings, installation, questions)


def _dry_run(settings: Settings, installation: Installation, questions: Questions) -> int:
    from ..pod.services.extra import extra_rows
    from ..pod.start.plan import make_plan
    from ..pod.start.shown import dry_run_lines
    from ..pod.start.wanted import read_wishes

    plan = make_plan(
        settings,
        installation,
        os.environ,
        questions=questions,
        waits_for_models=False,
        more=extra_rows(settings.services_file, os.environ),
        write=False,
    )
    for line in dry_run_lines(plan, read_wishes(settings)):
        print(line)
    return 0


def _live(settings: Settings, installation: Installation, questions: Questions) -> int:
    # Whoever starts the engine here, we or ComfyUI's extension: it goes behind ComfyUI.
    os.environ.setdefault("COMFYSTOW_ENGINE_NICE", _ENGINE_NICE)
    # Until the loop listens for signals: what has begun must end with us.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    begun = begin(settings, os.environ)
    try:
        import asyncio
        import logging

        from ..pod.start.up import Pod

        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter(_LOG_FORMAT))
        logger = logging.getLogger("comfystow")
        logger.addHandler(handler)
        logger.setLevel(logging.WARNING)
        return asyncio.run(Pod(settings, installation, os.environ, questions, begun, _say).run())
    finally:
        begun.end()


def _say(text: str) -> None:
    print(text if " | " in text.partition("\n")[0] else f"comfystow | {text}", flush=True)
