"""What the set-up tells the person at the terminal, and how it runs other programs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_TAIL_LINES = 25


class SetupError(RuntimeError):
    """The set-up cannot go on; the text says what to do."""


def say(text: str) -> None:
    """Print one line of progress to standard error."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Name a long step before it, and its time after it."""
    say(f"{what} …")
    started = time.monotonic()
    yield
    say(f"{what}: {time.monotonic() - started:.0f} s")


def run(
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_seconds: float = 1800,
) -> None:
    """Run a program silently, its output into `log`; raise SetupError with the end of that output when it fails."""
    words = [str(word) for word in command]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        sink.write(f"\n$ {' '.join(words)}\n".encode())
        sink.flush()
        try:
            code = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                timeout=timeout_seconds,
                check=False,
            ).returncode
        except FileNotFoundError as err:
            raise SetupError(f"`{words[0]}` is not installed") from err
        except subprocess.TimeoutExpired as err:
            raise SetupError(f"`{' '.join(words[:4])} …` took longer than {timeout_seconds:.0f} s; see {log}") from err
    if code != 0:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:])
        raise SetupError(f"`{' '.join(words[:4])} …` failed with code {code}; the whole output is in {log}\n{tail}")
