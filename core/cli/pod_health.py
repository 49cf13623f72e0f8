"""`comfystow pod health`: what each service does, asked of the pod's controller; cheap enough for a health check."""

from __future__ import annotations

import argparse
import json
import sys

from ..engine.podfile import ask_pod, read_pod
from ..errors import StowError

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
        print(json.dumps({"healthy": healthy, "error": None, **state}, indent=2, ensure_ascii=False))
    else:
        for service in state["services"]:
            why = f"  {service['reason']}" if service["reason"] else ""
            print(f"{service['name']:<12}{service['state']}{why}")
    return 0 if healthy else 1


def _ill(arguments: argparse.Namespace, why: str) -> int:
    if arguments.json:
        print(json.dumps({"healthy": False, "error": why, "services": []}, indent=2))
    else:
        print(f"error: {why}", file=sys.stderr)
    return 1
