"""Looks into many files at once, in processes of low priority: headers cost Python time that the downloads' loop needs.

A few files are looked into right here; so is everything where no process can be made, or one has died at a file. The
processes are ours alone: they read the orders of their standard input and end with it.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import os
import queue
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeVar

_log = logging.getLogger("comfystow.library")

_CHILD = Path(__file__).with_name("crew_child.py")
#: Below this the start of processes takes longer than it saves.
_LEAST_FILES = 400
_MOST_PROCESSES = 8
_CHUNK = 16
_END_SECONDS = 5.0

#: How this tree is called here: ComfyUI loads it under a name like a path.
_TREE = __name__.removesuffix(".core.library.index.crew")

T = TypeVar("T")

_Job = tuple[bytes, int]


class Crew(Generic[T]):
    """Helpers for a look into so many files.

    `look` is a function of a module of ours, which never raises; what it returns is a named tuple of plain values, and
    `made` makes one of these again.
    """

    def __init__(self, files: int, look: Callable[[bytes, int], T], made: Callable[..., T]) -> None:
        self._look = look
        self._made = made
        wanted = min(os.cpu_count() or 1, _MOST_PROCESSES, files // (_LEAST_FILES // 2)) if files >= _LEAST_FILES else 0
        self._all = [child for _ in range(wanted) if (child := _start(look)) is not None]
        self._free: queue.SimpleQueue[subprocess.Popen[str] | None] = queue.SimpleQueue()
        for child in self._all:
            self._free.put(child)
        self._threads = ThreadPoolExecutor(len(self._all), thread_name_prefix="library-crew") if self._all else None

    def __enter__(self) -> Crew[T]:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
        for child in self._all:
            _end(child)

    def look_into(self, jobs: list[_Job]) -> Iterator[T]:
        """Yield what each file `(path, size in bytes)` shows, in order."""
        if self._threads is None:
            for path, size in jobs:
                yield self._look(path, size)
            return
        chunks = [jobs[start : start + _CHUNK] for start in range(0, len(jobs), _CHUNK)]
        for part in self._threads.map(self._ask, chunks):
            yield from part

    def _ask(self, chunk: list[_Job]) -> list[T]:
        child = self._free.get()
        if child is not None:
            try:
                return [self._made(*values) for values in _asked(child, chunk)]
            except (OSError, ValueError) as err:
                _log.warning("a helper that looks into files ended: %s", err)
                child = None
            finally:
                self._free.put(child)
        else:
            self._free.put(None)
        return [self._look(path, size) for path, size in chunk]


def _asked(child: subprocess.Popen[str], chunk: list[_Job]) -> list[list[object]]:
    assert child.stdin is not None  # noqa: S101
    assert child.stdout is not None  # noqa: S101
    order = [(base64.b64encode(path).decode(), size) for path, size in chunk]
    child.stdin.write(json.dumps(order) + "\n")
    child.stdin.flush()
    answer: list[list[object]] = json.loads(child.stdout.readline())  # nothing is no JSON: it has died
    return answer


def _start(look: Callable[[bytes, int], object]) -> subprocess.Popen[str] | None:
    try:
        return subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-P", str(_CHILD), look.__module__.removeprefix(_TREE), look.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    except OSError as err:
        _log.warning("no process to look into files could be made: %s", err)
        return None


def _end(child: subprocess.Popen[str]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # what was not flushed to a dead one
                pipe.close()
    try:
        child.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:  # it hangs at a dead volume
        child.kill()
        child.wait()
