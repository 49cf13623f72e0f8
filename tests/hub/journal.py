"""What was asked of the hub: every request, the bytes sent for every file, and how many connections were open."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

KEPT_REQUESTS = 50_000
KEPT_GAUGE_POINTS = 100_000

Left = Callable[[], bool]


@dataclass(slots=True, kw_only=True)
class Entry:
    """One request, updated while its reply goes out."""

    number: int
    at: float
    origin: str
    connection: int
    method: str
    target: str
    headers: list[tuple[str, str]]
    range: str | None = None
    file: str = ""
    carries_file: bool = False
    status: int | None = None
    bytes_sent: int = 0
    seconds: float | None = None
    faults: list[str] = field(default_factory=list)
    body: str = ""


class Journal:
    """Thread-safe record of requests, counters and the connection gauge."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections = 0
        self._number = 0
        self.clear()

    def clear(self) -> None:
        with self._lock:
            self._entries: deque[Entry] = deque(maxlen=KEPT_REQUESTS)
            self._sent: dict[str, int] = {}
            self._gauge: deque[tuple[float, str, int, int]] = deque(maxlen=KEPT_GAUGE_POINTS)
            self._peak: dict[str, int] = {}
            # Open connections and running transfers outlive a clear.
            self._open: dict[int, tuple[str, Left]] = getattr(self, "_open", {})
            self._running: dict[int, tuple[str, Left]] = getattr(self, "_running", {})

    def connected(self, origin: str, left: Left) -> int:
        """Note a connection. `left` tells whether the client has closed it: from then on it counts no more.

        The thread that serves it notices later, on a busy machine much later.
        """
        with self._lock:
            self._connections += 1
            self._open[self._connections] = (origin, left)
            self._mark(origin)
            return self._connections

    def disconnected(self, origin: str, connection: int) -> None:
        with self._lock:
            del self._open[connection]
            self._mark(origin)

    def begin(self, **values: Any) -> Entry:
        with self._lock:
            self._number += 1
            entry = Entry(number=self._number, at=time.time(), **values)
            self._entries.append(entry)
            self._running[entry.number] = self._open[entry.connection]
            self._peak[entry.origin] = max(self._peak.get(entry.origin, 0), _count(self._running, entry.origin))
            self._mark(entry.origin)
            return entry

    def sent(self, entry: Entry, count: int) -> None:
        with self._lock:
            entry.bytes_sent += count
            if entry.carries_file:
                self._sent[entry.file] = self._sent.get(entry.file, 0) + count

    def end(self, entry: Entry) -> None:
        with self._lock:
            entry.seconds = time.time() - entry.at
            del self._running[entry.number]
            self._mark(entry.origin)

    def _mark(self, origin: str) -> None:
        self._gauge.append((time.time(), origin, _count(self._open, origin), _count(self._running, origin)))

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(entry) for entry in self._entries if entry.number > since]

    def counters(self) -> dict[str, Any]:
        """Give body bytes a file, and the number and peak of requests an origin had at once."""
        with self._lock:
            active = {origin: _count(self._running, origin) for origin in self._peak}
            return {"bytes_by_file": dict(self._sent), "active": active, "peak_active": dict(self._peak)}

    def gauge(self) -> list[dict[str, Any]]:
        with self._lock:
            rows = list(self._gauge)
        return [{"at": at, "origin": origin, "open": opened, "active": active} for at, origin, opened, active in rows]


def _count(rows: dict[int, tuple[str, Left]], origin: str) -> int:
    return sum(1 for name, left in rows.values() if name == origin and not left())
