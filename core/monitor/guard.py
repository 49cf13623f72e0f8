"""Calls that may hang in the kernel: a GPU driver, a network file system whose server is gone.

Such a call cannot be ended from outside, so it runs in a thread of its own. While it hangs no second one is begun.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

_log = logging.getLogger("comfystow.monitor")

T = TypeVar("T")


class Guarded(Generic[T]):
    """One such call; `cost_seconds` is the CPU time of the last one."""

    def __init__(self, name: str, timeout_seconds: float) -> None:
        self._name = name
        self._timeout_seconds = timeout_seconds
        self._thread: threading.Thread | None = None
        self.cost_seconds = 0.0

    @property
    def hanging(self) -> bool:
        """True while the last call has not come back."""
        return self._thread is not None and self._thread.is_alive()

    def call(self, ask: Callable[[], T]) -> T | None:
        """Return the answer, None when there is none in time or it ended in an error (which is logged)."""
        self.cost_seconds = 0.0
        if self.hanging:
            return None
        answers: list[T] = []

        def run() -> None:
            spent = time.thread_time()
            try:
                answers.append(ask())
            except Exception:  # noqa: BLE001 - the top of a thread
                _log.exception("reading the %s failed", self._name)
            self.cost_seconds = time.thread_time() - spent

        self._thread = threading.Thread(target=run, name=f"comfystow-{self._name}", daemon=True)
        self._thread.start()
        self._thread.join(self._timeout_seconds)
        if self.hanging:
            _log.warning(
                "the %s has not answered for %.1f s; the rest is sampled without it", self._name, self._timeout_seconds
            )
            return None
        self._thread = None
        return answers[0] if answers else None
