"""`comfystow pod health`: what each service does, asked of the pod's controller; cheap enough for a health check."""

from __future__ import annotations

import argparse

from ..engine.podfile import ask_pod, read_pod
from ..errors import StowError
from .output import say, show_json

_WELL = {"ready", "stopped", "stopping", "off"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--json", action="store_true", help="print data for programs")


def run(arguments: argparse.Namespace) -> int:
    """Ask and tell; 0 when everything that shall run answers as it should."""
    place = read_pod()
    try:
        state = ask_pod(place, {"do": "status"}) if place is not None else None
    except StowError as err:
        return _ill(arguments, err.message)
    if state is None:
        return _ill(arguments, "no pod runs on this machine")
    healthy = all(service["state"] in _WELL for service in state["services"])
    if arguments.json:
        show_json({"healthy": healthy, "error": None, **state})
    else:
        for service in state["services"]:
            why = f"  {service['reason']}" if service["reason"] else ""
            print(f"{service['name']:<12}{service['state']}{why}")
    return 0 if healthy else 1


def _ill(arguments: argparse.Namespace, why: str) -> int:
    if arguments.json:
        show_json({"healthy": False, "error": why, "services": []})
    else:
        say(f"error: {why}")
        say("hint: `comfystow pod up` is what starts one")
    return 1
