"""Calls that may hang in the kernel: a GPU driver, a network file system whose server is gone.

No signal ends such a call. It runs in a thread of its own for which nobody has to wait: not its caller, not a loop that
closes, not a process that ends. Threads of an executor are joined at exit, and would keep the process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

T = TypeVar("T")


def detach(name: str, call: Callable[[], T]) -> Future[T]:
    """Begin a call; the result holds its answer or its error, when and if it comes. It cannot be cancelled."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            answer = call()
        except BaseException as err:  # noqa: BLE001 - the top of a thread: whoever looks at the result gets it
            future.set_exception(err)
        else:
            future.set_result(answer)

    threading.Thread(target=run, name=f"comfystow-{name}", daemon=True).start()
    return future


def within(seconds: float, name: str, call: Callable[[], T]) -> T | None:
    """Return the answer of a call, None where it does not come in time. Raises: what the call raises."""
    future = detach(name, call)
    # Not `result(seconds)`: a call's own TimeoutError (ETIMEDOUT of a mount) is an answer.
    return future.result() if wait((future,), seconds).done else None
