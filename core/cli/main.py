"""Find the command, run it, and turn what goes wrong into words and an exit code."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Protocol

from .streams import drop_output, prepare_streams

PROGRAM = "comfystow"
EXIT_INTERRUPTED = 130

#: Name, and what it does. `core/cli/<name>.py` holds `configure` and `run`, and is imported only to run.
COMMANDS = {
    "get": "download models: URLs, hf://, civitai:// and more",
    "search": "find models by name on Hugging Face and Civitai",
    "inspect": "what a model file holds, here or at its source",
    "missing": "say what a workflow needs and lacks",
    "ensure": "fetch what a workflow, manifest or lock lacks",
    "lock": "pin what workflows and manifests want, to the byte",
    "sync": "make the library hold what a lock says",
    "manifest": "write a models.yaml from a workflow or the library",
    "ls": "the models that are here: filter, sort, what is damaged or double",
    "scan": "bring the index of the library up to date",
    "verify": "is the library whole? headers first, then every byte",
    "identify": "find where unknown files come from, by their digests",
    "organise": "put the models of a folder where loaders look",
    "dedupe": "one copy of equal files, by links",
    "prune": "free space: what was not used for longest goes",
    "trash": "put files into the trash, list it, empty it",
    "undo": "take a change of files back",
    "downloads": "show and steer the queue",
    "store": "the shared object store: list, fill, fetch from it",
    "monitor": "GPU, processor, memory, disk and network, live",
    "metrics": "all numbers for Prometheus; its rules and a dashboard",
    "pod": "the container's entrypoint, and its tools",
    "auth": "keep, remove and try tokens; show the access secret",
    "engine": "the process that downloads: status, stop, run",
    "bench": "compare with other tools on this machine",
}


class Command(Protocol):
    """What the module of a command holds."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add its arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it, and return the exit code."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the result is the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    prepare_streams()
    try:
        code = _command(words) if words and words[0] in COMMANDS else _without_command(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever read us has enough
        drop_output()
        return 1
    except OSError as err:  # a full disk behind standard output, a folder that may not be read
        from .output import say

        drop_output()
        say(f"error: {err.strerror or err}{f': `{err.filename}`' if err.filename else ''}")
        return 1
    return code


def _command(words: list[str]) -> int:
    from ..errors import StowError

    arguments = parser_for(words[0]).parse_args(words[1:])
    try:
        return command_module(words[0]).run(arguments)
    except StowError as err:
        from .output import show_error, show_error_json

        if getattr(arguments, "json", False):
            show_error_json(err)
        show_error(err)
        return err.exit_code


def _without_command(words: list[str]) -> int:
    if words[:1] == ["help"] and len(words) > 1:
        if words[1] not in COMMANDS:
            return _unknown(words[1])
        parser_for(words[1]).print_help()
        return 0
    if words and words[0] == "--version":
        print(f"{PROGRAM} {_version()}")
        return 0
    if words and words[0] in {"-h", "--help", "help"}:
        print(overview())
        return 0
    if words:
        return _unknown(words[0])
    print(overview(), file=sys.stderr)
    return 2


def _unknown(word: str) -> int:
    from difflib import get_close_matches

    from .output import say

    near = get_close_matches(word, COMMANDS, 1)
    say(f"error: there is no command `{word}`")
    say(f"hint: `{PROGRAM} {near[0]}`?" if near else f"hint: `{PROGRAM} --help` lists them")
    return 2


def overview() -> str:
    """Return what `--help` shows."""
    rows = "\n".join(f"  {name:<11}{summary}" for name, summary in COMMANDS.items())
    return (
        f"usage: {PROGRAM} COMMAND …\n\nBring models into a ComfyUI installation, whole and where the loaders look.\n\n"
        f"commands:\n{rows}\n\n`{PROGRAM} COMMAND --help` tells more; `{PROGRAM} --version` tells the version."
    )


def command_module(name: str) -> Command:
    """Import the module of a command."""
    module: Command = importlib.import_module(f".{name}", __package__)
    return module


def parser_for(name: str) -> argparse.ArgumentParser:
    """Build the parser of one command."""
    parser = argparse.ArgumentParser(
        prog=f"{PROGRAM} {name}", description=_sentence(COMMANDS[name]), allow_abbrev=False
    )
    command_module(name).configure(parser)
    return parser


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _version() -> str:
    package = __package__.rpartition(".core.")[0]
    return str(sys.modules[package].__version__)
