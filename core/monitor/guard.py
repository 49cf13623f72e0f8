"""A call that may hang, made again and again: while it hangs no second one is begun."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

from ..detached import detach

_log = logging.getLogger("comfystow.monitor")

T = TypeVar("T")


class Guarded(Generic[T]):
    """One such call; `cost_seconds` is the CPU time of the last one."""

    def __init__(self, name: str, timeout_seconds: float) -> None:
        self._name = name
        self._timeout_seconds = timeout_seconds
        self._last: Future[T] | None = None
        self.cost_seconds = 0.0

    def call(self, ask: Callable[[], T]) -> T | None:
        """Return the answer, None when there is none in time or it ended in an error (which is logged)."""
        self.cost_seconds = 0.0
        if self._last is not None and not self._last.done():
            return None

        def run() -> T:
            spent = time.thread_time()
            try:
                return ask()
            finally:
                self.cost_seconds = time.thread_time() - spent

        self._last = detach(self._name, run)
        if not wait((self._last,), self._timeout_seconds).done:
            _log.warning(
                "the %s has not answered for %.1f s; the rest is sampled without it", self._name, self._timeout_seconds
            )
            return None
        try:
            return self._last.result()
        except Exception:  # noqa: BLE001 - whatever a driver's library raises
            _log.exception("reading the %s failed", self._name)
            return None
