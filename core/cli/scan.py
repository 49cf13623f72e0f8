"""`comfystow scan`: bring the index of the library up to date."""

from __future__ import annotations

import argparse
from collections import Counter

from ..units import format_duration
from .library_work import carry_out
from .options import add_common, installation_of, session_client_of
from .output import printable, say, show_json

#: Lines about one kind of problem that are shown; `--json` has them all.
_MOST_LINES = 10


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Scan, and say what was found."""
    with session_client_of(installation_of(arguments)) as client:
        report = carry_out(client, "scan", {"wait": False})
    if arguments.json:
        show_json(report)
        return 0
    counts = ", ".join(
        f"{report[name]} {name}" for name in ("added", "changed", "moved", "gone", "damaged") if report[name]
    )
    print(f"{report['files']} files, {counts or 'nothing new'} ({format_duration(report['seconds'])})")
    shown: Counter[str] = Counter()
    for problem in report["problems"]:
        shown[problem["code"]] += 1
        if shown[problem["code"]] <= _MOST_LINES:
            say(f"{printable(problem['path'])}: {problem['reason']}")
    for code, count in shown.items():
        if count > _MOST_LINES:
            say(f"and {count - _MOST_LINES} more of the kind `{code}`: --json lists them")
    return 0
