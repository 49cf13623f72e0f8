"""`comfystow identify`: where do unknown files come from?"""

from __future__ import annotations

import argparse

from ..units import format_duration
from .library_work import carry_out
from .options import add_common, installation_of, session_client_of
from .output import say, show, show_json


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Read what has no digest yet, and look all digests up; a place that does not answer makes the exit code 1."""
    with session_client_of(installation_of(arguments)) as client:
        report = carry_out(client, "identify")
    if arguments.json:
        show_json(report)
    else:
        hashed = f", {report['hashed']} read for it" if report["hashed"] else ""
        show(f"{report['identified']} of {report['asked']} files identified{hashed}")
        say(f"{report['unknown']} are unknown to the places we ask ({format_duration(report['seconds'])})")
    for line in report["failed"]:
        say(f"not asked: {line}")
    return 1 if report["failed"] else 0
