"""Watches the machine and the queue for everybody: takes the samples, keeps the numbers, judges and tells alerts.

On the engine's loop, but for the sampler's own thread. Without a lease and with a quiet queue nothing runs at all: no
timer, no thread.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from ..config import Settings
from ..errors import ConfigError
from ..events import EventBus
from ..metrics.reading import Reading, host_readings, sample_readings
from ..monitor.gpu_nvml import NvmlReader
from ..monitor.host import HostReader
from ..monitor.sampler import Sampler
from ..net.proxies import Proxies
from ..records.alert import ActiveAlert
from ..records.catalogue import BY_NAME
from ..records.download import Download
from ..records.event import Event, Topic
from ..records.sample import SystemSample
from ..records.session import HostState
from .judge import MAX_GAP_SECONDS, Judge
from .rules import choose_rules
from .sinks import Sinks
from .tally import DownloadTally, queue_readings
from .webhook import Webhook

_log = logging.getLogger("comfystow.alerts")

#: Between two looks, however often somebody samples or the queue changes.
_LOOK_SECONDS = 5.0
#: What was seen longer ago than this is no beginning for what happens now.
_STALE_SECONDS = 60.0
_FOREVER = float("inf")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Where the numbers come from."""

    downloads: Callable[[], list[Download]]
    states: Callable[[], Mapping[str, HostState]]
    roots: Callable[[], Iterable[Path]]
    environment: Callable[[], Mapping[str, str]] = lambda: os.environ
    proxies: Proxies = field(default_factory=Proxies)


class Watch:
    """The one place that knows what the machine and the engine do now."""

    def __init__(self, settings: Settings, events: EventBus, watched: Watched, *, version: str) -> None:
        """A setting of the alerts that cannot be used is logged and shown, and switches off nothing else."""
        self._events = events
        self._watched = watched
        self._version = version
        self._interval_seconds = settings.alert_interval_seconds
        self._history_seconds = settings.monitor_history_seconds if settings.monitor_history else None
        self.problems: list[str] = []
        chosen = self._accept(lambda: choose_rules(settings.alerts))
        self.rules = choose_rules(()) if chosen is None else chosen
        self._alerts_sample = any(rule.alert.sampled for rule in self.rules)
        self.judge = Judge(self.rules)
        wanted = settings.alert_webhook_url is not None
        self.webhook = self._accept(lambda: Webhook(settings, watched.proxies)) if wanted else None
        self._sinks = Sinks(publish=events.publish, webhook=self.webhook)
        self.sampler = Sampler(
            roots=watched.roots,
            on_sample=self._on_sample,
            download_rate=lambda: self._tally.rate_bytes_per_second,
            gpu=NvmlReader(watched.environment),
            host=HostReader(rented_cores=settings.rented_cores),
            gpu_timeout_seconds=settings.gpu_timeout_seconds,
            budget_ratio=settings.monitor_budget_ratio,
        )
        self._tally = DownloadTally(())
        self._reported: dict[str, tuple[float, tuple[Reading, ...]]] = {}
        self._arrived = asyncio.Event()
        self._sampled_at = float("-inf")
        self._looked_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._follower: asyncio.Task[None] | None = None

    def _accept(self, make: Callable[[], T]) -> T | None:
        try:
            return make()
        except ConfigError as err:
            _log.error("%s (%s)", err.message, err.hint)
            self.problems.append(err.message)
            return None

    # Life

    def open(self) -> None:
        """Begin to follow the queue, and take the leases that settings ask for."""
        self._loop = asyncio.get_running_loop()
        self._tally = DownloadTally(self._watched.downloads())
        self._follower = asyncio.create_task(self._follow(), name="watch")
        if self._alerts_sample:
            self.sampler.lease("alerts", _FOREVER, self._interval_seconds)
        if self._history_seconds is not None:
            self.sampler.lease("history", _FOREVER, self._history_seconds)

    async def close(self) -> None:
        """Stop everything."""
        self._loop = None
        if self._timer is not None:
            self._timer.cancel()
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.wait([self._follower])
        await asyncio.to_thread(self.sampler.close)
        if self.webhook is not None:
            await self.webhook.close()

    @property
    def lasting(self) -> bool:
        """True where settings ask for samples though nobody looks: ComfyUI then stays attached without a browser."""
        return self._history_seconds is not None or self._alerts_sample

    # Numbers

    @property
    def active(self) -> tuple[ActiveAlert, ...]:
        """The alerts that fire, and those that wait for their time."""
        return self.judge.active

    def report(self, source: str, readings: Iterable[Reading], *, valid_seconds: float = MAX_GAP_SECONDS) -> None:
        """Take what another part knows (services, idle policy, library), in place of what it said before.

        Raises: KeyError, ValueError: a reading that the catalogue does not have, or with other labels; one of these
        would spoil every scrape.
        """
        rows = tuple(readings)
        for row in rows:
            if len(row.labels) != len(BY_NAME[row.name].labels):
                raise ValueError(f"`{row.name}` takes the labels {BY_NAME[row.name].labels}, not {row.labels}")
        self._reported[source] = (time.monotonic() + valid_seconds, rows)
        self._look_soon()

    def readings(self) -> list[Reading]:
        """Return every number that is known now."""
        return list(self._readings(time.monotonic()))

    def _readings(self, now: float) -> Iterator[Reading]:
        yield Reading("build_info", 1, (self._version,))
        yield from queue_readings(self._watched.downloads(), self._tally.rate_bytes_per_second)
        yield from self._tally.counters.readings()
        sample = self.fresh_sample
        if sample is not None:
            yield from sample_readings(sample)
        yield from host_readings(self._watched.states())
        for valid_until, readings in self._reported.values():
            if now <= valid_until:
                yield from readings

    @property
    def fresh_sample(self) -> SystemSample | None:
        """The newest sample, None where it is too old to speak of now."""
        age = time.monotonic() - self._sampled_at
        return self.sampler.latest if age <= 3 * max(self._interval_seconds, 10.0) else None

    async def sampled(self, holder: str, seconds: float, interval_seconds: float, *, wait_seconds: float = 2.0) -> None:
        """Take a lease, and wait for a sample where there is none of it yet."""
        self.sampler.lease(holder, seconds, interval_seconds)
        if time.monotonic() - self._sampled_at <= 2 * interval_seconds:
            return
        self._arrived.clear()
        try:
            async with asyncio.timeout(wait_seconds):
                await self._arrived.wait()
        except TimeoutError:
            _log.info("no sample within %.1f s", wait_seconds)

    def states(self) -> Mapping[str, HostState]:
        """Return what each attached ComfyUI tells of itself, by its id."""
        return self._watched.states()

    # Looking

    def _on_sample(self, _sample: SystemSample) -> None:
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self._sample_arrived)

    def _sample_arrived(self) -> None:
        self._sampled_at = time.monotonic()
        self._arrived.set()
        self._look_soon()

    async def _follow(self) -> None:
        with self._events.subscribe() as subscription:
            while True:
                event = await subscription.get()
                try:
                    self._take_event(event)
                except Exception:  # noqa: BLE001 - a worker's top level: one odd event must not end the counting
                    _log.exception("an event could not be counted")

    def _take_event(self, event: Event) -> None:
        if event.data.get("kind") == "lost":
            self._tally.recount(self._watched.downloads())
        if event.topic is not Topic.DOWNLOADS:
            return
        if time.monotonic() - self._looked_at > _STALE_SECONDS:
            self._look()  # growth needs a beginning: a download can begin and fail within one event
        changed = event.data.get("downloads")
        if isinstance(changed, list) and self._tally.take(changed):
            self._look_soon()

    def _look_soon(self) -> None:
        if self._loop is not None:
            pause = self._looked_at + min(_LOOK_SECONDS, self._interval_seconds) - time.monotonic()
            self._look_in(self._loop, max(0.0, pause))

    def _look_in(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        """Plan the next look, unless an earlier one is planned."""
        if self._timer is not None:
            if self._timer.when() <= loop.time() + seconds:
                return
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self._look)

    def _look(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._looked_at = time.monotonic()
        for alert in self.judge.observe(self._looked_at, time.time(), self._readings(self._looked_at)):
            self._sinks.tell(alert)
        # What waits for its time, and a transfer that may stall, need another look though nothing more is told.
        if self._loop is not None and (self.judge.unsettled or self._tally.moving):
            self._look_in(self._loop, self._interval_seconds)
