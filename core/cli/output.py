"""Data goes to standard output, everything said to people goes to standard error."""

from __future__ import annotations

import json
import sys

from ..errors import StowError


def show_json(data: object) -> None:
    """Print data for programs."""
    print(json.dumps(data, indent=2, ensure_ascii=False))


def printable(text: str) -> str:
    """Return a name of a file as one line that moves no cursor: whoever named it may be anybody."""
    return "".join(char if char.isprintable() else "�" for char in text)


def show(line: str, *, flush: bool = False) -> None:
    """Print a line of data for people: what a file, a page or a workflow says of itself stays in its line."""
    print(printable(line), flush=flush)


def say(text: str) -> None:
    """Tell people something."""
    print("\n".join(map(printable, text.split("\n"))), file=sys.stderr, flush=True)


def show_error(error: StowError) -> None:
    """Tell what is wrong and what to do."""
    say(f"error: {error.message}")
    if error.hint:
        say(f"hint: {error.hint}")


def show_error_json(error: StowError) -> None:
    """Print for programs why there is no data, in one line: some commands print an object a line."""
    from ..records.download import ErrorInfo
    from ..records.json import to_json

    print(json.dumps({"error": to_json(ErrorInfo.of(error))}, ensure_ascii=False))


def exit_code_of(errors: list[StowError]) -> int:
    """Return the exit code of all failures of a command: their own when they are of one class, else 1."""
    codes = {error.exit_code for error in errors}
    return 0 if not codes else codes.pop() if len(codes) == 1 else 1
