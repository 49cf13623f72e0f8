"""`comfystow pod`: the container's entrypoint and its tools, one file `pod_<name>.py` each, imported to run."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .main import Command

_SUMMARIES = {
    "up": "be the entrypoint of a container: services, provisioning, an end in order",
    "health": "what each service does; exit 0 when all that must be up is",
    "doctor": "check what breaks pods, and say what to do",
    "stop": "stop this machine at its provider, so that it costs no more than its disk",
    "template": "print the provider's template, or create or update it",
}

#: Name and what it does, of those that are there.
SUBCOMMANDS = {
    name: summary for name, summary in _SUMMARIES.items() if Path(__file__).with_name(f"pod_{name}.py").exists()
}


class _Late(argparse.ArgumentParser):
    """A parser that is filled when its words are read: one tool must not pay for the imports of the others."""

    tool = ""
    _filled = False

    def fill(self) -> argparse.ArgumentParser:
        """Add the arguments of the tool, once."""
        if not self._filled:
            self._filled = True
            subcommand(self.tool).configure(self)
        return self

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Fill, then read."""
        self.fill()
        return super().parse_known_args(args, namespace)


def subcommand(name: str) -> Command:
    """Import the module of a tool."""
    module: Command = importlib.import_module(f".pod_{name}", __package__)
    return module


def configure(parser: argparse.ArgumentParser) -> None:
    """Add one parser for each tool."""
    tools = parser.add_subparsers(dest="tool", required=True, metavar="TOOL", parser_class=_Late)
    for name, summary in SUBCOMMANDS.items():
        description = f"{summary[0].upper()}{summary[1:]}."
        tools.add_parser(name, help=summary, description=description, allow_abbrev=False).tool = name


def run(arguments: argparse.Namespace) -> int:
    """Run the tool."""
    return subcommand(arguments.tool).run(arguments)


def parser_of(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    """Return the filled parser of one tool out of the parser of `pod`."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001
    late: _Late = groups[0].choices[name]
    return late.fill()
