"""Who is there: open event streams, requests under way, and when the last one ended. On the engine's loop only."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator


class Presence:
    """Counts callers. A session lives as long as its event stream, and a while before it opens the first one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_seen = clock()
        self._requests = 0
        self._streams = 0
        self._session_streams: Counter[str] = Counter()
        self._session_seen: dict[str, float] = {}
        self.leaving = False

    @contextlib.contextmanager
    def request(self, session_id: str | None) -> Iterator[None]:
        """Count a request for as long as it runs."""
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1
            self._seen(session_id)

    @contextlib.contextmanager
    def stream(self, session_id: str | None) -> Iterator[None]:
        """Count an event stream for as long as it is open."""
        self._streams += 1
        if session_id is not None:
            self._session_streams[session_id] += 1
        try:
            yield
        finally:
            self._streams -= 1
            if session_id is not None:
                self._session_streams[session_id] -= 1
            self._seen(session_id)

    @property
    def requests(self) -> int:
        """Requests under way, streams not counted."""
        return self._requests

    @property
    def sessions(self) -> int:
        """Attached sessions."""
        return len(self._session_seen)

    @property
    def streams(self) -> int:
        """Event streams that are open."""
        return self._streams

    def idle_seconds(self) -> float:
        """Return for how long nobody has been there; 0 while somebody is."""
        return 0.0 if self._streams or self._requests else self._clock() - self._last_seen

    def attached(self, session_id: str) -> None:
        """Note a session that will open its stream soon."""
        self._seen(session_id)
        self._session_seen[session_id] = self._clock()

    def absent(self, grace_seconds: float) -> list[str]:
        """Return the sessions without a stream for longer than the grace."""
        now = self._clock()
        return [
            session_id
            for session_id, seen in self._session_seen.items()
            if not self._session_streams[session_id] and now - seen >= grace_seconds
        ]

    def forget(self, session_id: str) -> None:
        """Drop a session that was detached."""
        self._session_seen.pop(session_id, None)
        self._session_streams.pop(session_id, None)

    def _seen(self, session_id: str | None) -> None:
        self._last_seen = self._clock()
        if session_id in self._session_seen:
            self._session_seen[session_id] = self._last_seen
