"""Xid errors: what the NVIDIA driver reports when a GPU, its memory or a program on it fails.

NVML tells them only as they happen and only to who listens (nvml.h, "Event Handling Methods"), so they are counted
while somebody looks. Not every system tells them: Windows and WSL answer NotSupported, and then the count is unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: One look takes at most this many: a broken GPU can report faster than we read.
_MAX_EVENTS = 64


class XidWatch:
    """Listen to all GPUs from the moment the driver was opened."""

    def __init__(self, nvml: Any, handles: list[Any]) -> None:
        self._nvml = nvml
        self._counts: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self._set = self._ask(nvml.nvmlEventSetCreate)
        for handle in handles if self._set is not None else []:
            self._listen(handle)

    def _listen(self, handle: Any) -> None:
        nvml = self._nvml
        uuid = self._uuid(handle)
        try:
            nvml.nvmlDeviceRegisterEvents(handle, nvml.nvmlEventTypeXidCriticalError, self._set)
        except (nvml.NVMLError, AttributeError):
            return
        if uuid is not None:
            self._counts[uuid] = 0

    def poll(self) -> None:
        """Take what has been reported since the last look, without waiting."""
        nvml = self._nvml
        for _ in range(_MAX_EVENTS if self._counts else 0):
            event = self._ask(lambda: nvml.nvmlEventSetWait_v2(self._set, 0))
            if event is None:  # nothing more: NVML says so by a time-out error
                return
            uuid = self._uuid(event.device)
            if uuid is not None and event.eventType == nvml.nvmlEventTypeXidCriticalError:
                self._counts[uuid] = self._counts.get(uuid, 0) + 1
                self._last[uuid] = int(event.eventData)

    def of(self, uuid: str) -> tuple[int | None, int | None]:
        """Return how many errors a GPU has reported and the last code; None where the driver does not tell."""
        return self._counts.get(uuid), self._last.get(uuid)

    def close(self) -> None:
        """Stop listening."""
        if self._set is not None:
            self._ask(lambda: self._nvml.nvmlEventSetFree(self._set))

    def _uuid(self, handle: Any) -> str | None:
        uuid = self._ask(lambda: self._nvml.nvmlDeviceGetUUID(handle))
        return uuid.decode("ascii", "replace") if isinstance(uuid, bytes) else uuid

    def _ask(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (self._nvml.NVMLError, AttributeError):
            return None
