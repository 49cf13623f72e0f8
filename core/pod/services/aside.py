"""A blocking look that nobody has to wait for."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def aside(look: Callable[[], T]) -> asyncio.Future[T]:
    """Look in a thread of its own; `look` must not raise. A loop and a process that end do not wait for it."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[T] = loop.create_future()

    def tell(result: T) -> None:
        if not found.done():
            found.set_result(result)

    def work() -> None:
        result = look()
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, result)

    threading.Thread(target=work, name="look", daemon=True).start()
    return found
