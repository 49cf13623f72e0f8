"""`comfystow bench`: comparisons with other tools. They are part of a checkout, not of the installed package."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from ..errors import UsageError

#: Modules of bench/ with a `main(arguments) -> exit code`.
SUITES = ("download", "faults", "headers", "image", "library", "manners", "organise", "monitor", "pod", "templates")
_BENCH = Path(__file__).resolve().parents[2] / "bench"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "suite",
        choices=SUITES,
        help="speed beside other tools, faults, headers, the library, the image and start of a pod, use of the machine",
    )
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="…", help="of the suite; it has its own `--help`")


def run(arguments: argparse.Namespace) -> int:
    """Run one suite of this checkout. Raises: UsageError: this is no checkout."""
    if not (_BENCH / f"{arguments.suite}.py").is_file():
        raise UsageError("there are no benchmarks here", hint="run this from a checkout of the repository")
    package = (__package__ or "").removesuffix(".core.cli")
    return int(importlib.import_module(f"{package}.bench.{arguments.suite}").main(arguments.words))
