"""A program that stops the machine: the provider's own tool, or the owner's command."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence

from ...net.secrets import MASK, Secret, scrub
from .api import Told, Verdict

_MOST_WORDS = 300


async def run_program(
    words: Sequence[str], environment: Mapping[str, str], *, timeout_seconds: float, key: Secret | None = None
) -> Told:
    """Run a program to its end, without a shell; its exit code 0 means done. Never raises but when it is cancelled."""
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )
    except (OSError, ValueError) as err:
        reason = err.strerror if isinstance(err, OSError) and err.strerror else str(err)
        return Told(verdict=Verdict.REFUSED, words=f"`{words[0]}` cannot be run: {reason}")
    try:
        async with asyncio.timeout(timeout_seconds):
            out, _ = await process.communicate()
    except TimeoutError:
        return Told(verdict=Verdict.AGAIN, words=f"`{words[0]}` did not end within {timeout_seconds:g} s")
    finally:
        if process.returncode is None:
            _end(process)
            await process.wait()
    said = _clean(out, key)
    code = process.returncode
    if code == 0:
        return Told(verdict=Verdict.DONE, words=said or "exit 0", status=0)
    return Told(verdict=Verdict.AGAIN, words=f"exit {code}: {said}" if said else f"exit {code}", status=code)


def _end(process: asyncio.subprocess.Process) -> None:
    """End it with all that it started: the pipe stays open as long as one of them lives."""
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _clean(out: bytes, key: Secret | None) -> str:
    text = out[-4 * _MOST_WORDS :].decode("utf-8", "replace")
    if key is not None and key.reveal():
        text = text.replace(key.reveal(), MASK)
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return scrub(line)[-_MOST_WORDS:]
