"""`comfystow pod doctor`: look for what breaks pods."""

from __future__ import annotations

import argparse
import os

from ..engine.podfile import ask_pod, read_pod
from ..errors import StowError
from ..records.json import to_json
from .options import add_common, installation_of, settings_of
from .output import show_json

_SIGNS = {"ok": "ok     ", "warn": "warn   ", "bad": "BAD    ", "unknown": "unknown"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--look-only", action="store_true", help="write nothing, not even a probe that is removed again"
    )
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Look, and tell; 0 when nothing is bad."""
    from ..pod.doctor.examined import Examined
    from ..pod.doctor.run import examine, healthy
    from ..pod.start.volume import find_volume_within

    installation = installation_of(arguments)
    settings = settings_of(installation)
    place = read_pod()
    try:
        pod = ask_pod(place, {"do": "status"}) if place is not None else None
    except StowError:
        pod = None
    volume = place.volume if place is not None else find_volume_within(settings.volume_seconds, settings.volume)
    findings = examine(
        Examined(
            settings=settings,
            installation=installation,
            environment=os.environ,
            volume=volume,
            look_only=arguments.look_only,
            pod=pod,
        )
    )
    if arguments.json:
        show_json({"healthy": healthy(findings), "findings": to_json(findings)})
    else:
        for finding in findings:
            print(f"{_SIGNS[finding.state.value]}  {finding.check}: {finding.what}")
            if finding.what_to_do:
                print(f"           {finding.what_to_do}")
    return 0 if healthy(findings) else 1
