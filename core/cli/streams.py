"""Standard streams as they may be: closed, full, or of an encoding that has not all letters."""

from __future__ import annotations

import io
import os
import sys


def prepare_streams() -> None:
    """Let printing never raise for a letter, and leave no number of a standard stream to a file or socket of ours."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed by who started us
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for the life of the process
    if sys.stderr is None:  # `print` to None would go to standard output
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for the life of the process
    # An old locale, or a file's name that is no text; standard error does so by itself.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def drop_output() -> None:
    """Throw away what could not be written: without this Python complains once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
