"""How ComfyUI's prompts ended and how long they took, counted from the history that it keeps anyway.

Facts of ComfyUI 0.3.75: `PromptQueue.task_done` adds an entry at the end of `history`, whose `status.messages` are
pairs of event and data, `execution_start` first, each with a `timestamp` in milliseconds; the oldest entry goes when
there are more than 10,000, and a user can remove one or all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.records.session import PromptCount

_OUTCOMES = {"execution_success": "success", "execution_error": "error", "execution_interrupted": "interrupted"}


class PromptTally:
    """Counts each prompt once, with the first look after its end."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._counted: dict[str, tuple[int, float]] = {}
        self.ended: tuple[Any, ...] = ()
        """Entries of history that the last look has seen first."""

    def look(self, history: Mapping[str, Any]) -> tuple[PromptCount, ...]:
        """Count what has ended since the last look, and return all there has been."""
        # One call copies it whole: ComfyUI's worker thread may add to it meanwhile.
        rows = list(history.items())
        self.ended = ()
        if len(rows) != len(self._seen) or (rows and rows[-1][0] not in self._seen):
            self.ended = tuple(entry for prompt_id, entry in rows if prompt_id not in self._seen)
            for entry in self.ended:
                self._count(entry)
            self._seen = {prompt_id for prompt_id, _ in rows}
        return tuple(
            PromptCount(outcome=outcome, count=count, seconds=seconds)
            for outcome, (count, seconds) in self._counted.items()
        )

    def _count(self, entry: Any) -> None:
        outcome, seconds = _ended(entry)
        count, before = self._counted.get(outcome, (0, 0.0))
        self._counted[outcome] = (count + 1, before + seconds)


def _ended(entry: Any) -> tuple[str, float]:
    """Return how a prompt ended, and the seconds between its first message and its last."""
    status = entry.get("status") if isinstance(entry, dict) else None
    if not isinstance(status, dict):
        return "unknown", 0.0
    messages = [message for message in status.get("messages") or () if len(message) == 2]
    named = [_OUTCOMES[event] for event, _ in messages if event in _OUTCOMES]
    times = [data["timestamp"] for _, data in messages if isinstance(data, dict) and "timestamp" in data]
    seconds = (max(times) - min(times)) / 1000 if times else 0.0
    return (named[-1] if named else str(status.get("status_str") or "unknown")), seconds
