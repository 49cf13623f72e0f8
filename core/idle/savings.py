"""What stops have saved: kept in the state folder, which outlives the machine where that is on a volume.

    <state folder>/idle-<id of the machine>.json (idle.json without one)
    {"stops": [{"stopped_at", "resumed_at", "cost_per_hour", "reason", "machine_id"}]}

Pods that share a volume share a state folder, so each has a file of its own; the id stays over stop and start.
The saving of a stop is the time until the next start times the price: what the machine would have cost had it gone on.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import UsageError
from ..records.json import from_json, to_json

_log = logging.getLogger("comfystow.idle")

_MOST_BYTES = 1 << 20
_MOST_STOPS = 500
_HOUR_SECONDS = 3600.0
_WRITE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One stop; times are seconds since the epoch, `resumed_at` None until the machine came up again."""

    stopped_at: float
    cost_per_hour: float | None = None
    reason: str = "idle"
    machine_id: str | None = None
    resumed_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    stops: tuple[Stop, ...] = field(default=())


def saved(stops: Sequence[Stop], since: float, now: float) -> float:
    """Return what stops saved between two moments, in the currency of their prices (pure)."""
    total = 0.0
    for stop in stops:
        began, ended = max(since, stop.stopped_at), min(now, stop.resumed_at if stop.resumed_at is not None else now)
        total += max(0.0, ended - began) / _HOUR_SECONDS * (stop.cost_per_hour or 0.0)
    return total


class Savings:
    """The stops of this state folder."""

    def __init__(self, state_dir: Path, machine_id: str | None = None) -> None:
        """`machine_id` is fit for a file's name, as providers check it."""
        self._file = state_dir / (f"idle-{machine_id}.json" if machine_id else "idle.json")
        self.stops: tuple[Stop, ...] = ()

    def open(self, now: float) -> None:
        """Read what was kept; a stop that had no end has it now: we run."""
        try:
            with self._file.open("rb") as file:
                self.stops = from_json(_Kept, json.loads(file.read(_MOST_BYTES)), strict=False).stops
        except FileNotFoundError:
            return
        except (OSError, ValueError, UsageError, RecursionError) as err:
            _log.warning("%s cannot be read and begins anew: %s", self._file.name, err)
            return
        resumed = tuple(stop if stop.resumed_at is not None else replace(stop, resumed_at=now) for stop in self.stops)
        if resumed != self.stops:
            self.stops = resumed
            self._write()

    def stopped(self, stop: Stop) -> None:
        """Keep a stop before the machine goes."""
        self.stops = (*self.stops, stop)[-_MOST_STOPS:]
        self._write()

    def unstopped(self) -> None:
        """Take the last stop back: the machine lives on."""
        if self.stops and self.stops[-1].resumed_at is None:
            self.stops = self.stops[:-1]
            self._write()

    def _write(self) -> None:
        temporary = self._file.with_name(f".{self._file.name}.new")
        try:
            temporary.write_text(json.dumps(to_json(_Kept(stops=self.stops))), encoding="utf-8")
            temporary.replace(self._file)
        except OSError as err:
            _log.warning("what stops save cannot be kept: %s", err)


async def in_time(change: Callable[[], None]) -> None:
    """Write a change down; a volume that hangs keeps no machine from being stopped."""
    try:
        async with asyncio.timeout(_WRITE_SECONDS):
            await asyncio.to_thread(change)
    except TimeoutError:
        _log.warning("what stops save cannot be kept: the state folder does not answer")
