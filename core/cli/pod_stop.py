"""`comfystow pod stop`: stop this machine at its provider, now."""

from __future__ import annotations

import argparse
import os
from typing import Any

from ..config import Settings, load_settings
from ..errors import UsageError
from ..records.json import to_json
from .options import add_common, installation_of, settings_of
from .output import say, show_json


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--dry-run", action="store_true", help="say what would be called; nothing is changed")
    parser.add_argument(
        "--terminate", action="store_true", help="delete the machine, where a network volume survives; else stop it"
    )
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Stop it, and say what came of every call."""
    import asyncio

    told = asyncio.run(_stop(_settings(arguments), dry_run=arguments.dry_run, terminate=arguments.terminate))
    if arguments.json:
        show_json(told)
    else:
        _print(told)
    return 0 if told["dry_run"] or told["done"] else 1


def _settings(arguments: argparse.Namespace) -> Settings:
    """A machine without a ComfyUI can be stopped too."""
    try:
        return settings_of(installation_of(arguments))
    except UsageError:
        if arguments.comfyui or arguments.models_dir or arguments.state_dir:
            raise
        return load_settings()


async def _stop(settings: Settings, *, dry_run: bool, terminate: bool) -> dict[str, Any]:
    from ..idle.providers import detect
    from ..idle.providers.detect import completed_environment
    from ..net.proxies import Proxies

    environment = completed_environment(os.environ)
    provider = detect(environment, settings, Proxies.from_environment(environment))
    try:
        machine = await provider.describe()
        result = None if dry_run else await provider.stop(terminate=terminate)
    finally:
        await provider.close()
    return {
        "provider": provider.name,
        "machine": to_json(machine),
        "dry_run": dry_run,
        "steps": provider.plan(terminate=terminate),
        "action": None if result is None else result.action,
        "done": result is not None and result.done,
        "words": None if result is None else result.words,
        "hint": None if result is None else result.hint,
        "attempts": [] if result is None else to_json(result.attempts),
    }


def _print(told: dict[str, Any]) -> None:
    machine = told["machine"]
    cost = "" if machine["cost_per_hour"] is None else f", ${machine['cost_per_hour']:.2f} / h"
    if machine["provider"] != "none":
        print(f"{machine['provider']} {machine['id'] or ''}: {machine['status'] or 'status unknown'}{cost}")
    if machine["note"]:
        say(machine["note"])
    if told["dry_run"]:
        for step in told["steps"]:
            print(f"would: {step}")
        if not told["steps"]:
            known = "" if machine["note"] else ": no provider is recognised, neither RunPod nor vast.ai"
            say(f"nothing would be called{known}")
            say("hint: set COMFYSTOW_IDLE_STOP_COMMAND to what stops this machine")
        return
    for attempt in told["attempts"]:
        print(f"{attempt['way']}: {attempt['words']} ({attempt['seconds']:.1f} s)")
    say(told["words"])
    if told["hint"]:
        say(f"hint: {told['hint']}")
