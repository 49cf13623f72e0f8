"""`comfystow bench`: comparisons with other tools. They are part of a checkout, not of the installed package."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from ..errors import UsageError

_BENCH = Path(__file__).resolve().parents[2] / "bench"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="…", help="passed on to bench/ of the checkout")


def run(arguments: argparse.Namespace) -> int:
    """Run the benchmarks of this checkout."""
    if not (_BENCH / "__main__.py").is_file():
        raise UsageError("there are no benchmarks here", hint="run this from a checkout of the repository")
    return subprocess.run([sys.executable, str(_BENCH), *arguments.words], check=False).returncode  # noqa: S603
