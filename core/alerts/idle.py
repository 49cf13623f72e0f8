"""What the idle policy sees and says: sessions, queue and samples on one side, alerts and events on the other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ..downloads.manager import DownloadManager
from ..events import EventBus
from ..idle.keeper import IdleReport, Outside
from ..idle.providers.detect import completed_environment
from ..idle.signals import Surroundings
from ..idle.signals.reader import AttachedHost
from ..metrics.reading import Reading
from ..net.proxies import Proxies
from ..records.event import Event, Topic
from ..records.pod import PodState, ServiceStatus
from ..sessions import SessionRegistry
from .watch import Watch

_FOREVER = float("inf")
_HOLDER = "idle"
#: The keeper tells with every look; what is older than this is of a keeper that has stopped.
_VALID_SECONDS = 300.0


def idle_outside(
    *,
    watch: Watch,
    events: EventBus,
    sessions: SessionRegistry,
    downloads: DownloadManager,
    busy: Callable[[], bool],
    pod: Callable[[], PodState | None],
    proxies: Proxies,
) -> Outside:
    """Connect the idle policy; `busy` is about the queue and the library, `pod` what the pod's controller told."""

    def hosts() -> dict[str, AttachedHost]:
        return {
            session.server_id: AttachedHost(session.url, sessions.state(session.server_id))
            for session in sessions.all()
            if session.url is not None
        }

    def come_up() -> bool:
        told = pod()
        up = told.settled if told is not None else any(host.state is not None for host in hosts().values())
        return up and not downloads.busy

    def environment() -> Mapping[str, str]:
        handed_over: dict[str, str] = {}
        for session in sessions.all():
            handed_over.update(session.environment)
        return {**handed_over, **os.environ}

    def services() -> tuple[ServiceStatus, ...]:
        told = pod()
        return told.services if told is not None else ()

    def lease(on: bool, interval_seconds: float) -> None:  # noqa: FBT001 - one of two verbs
        if on:
            watch.sampler.lease(_HOLDER, _FOREVER, interval_seconds)
        else:
            watch.sampler.release(_HOLDER)

    return Outside(
        around=Surroundings(
            hosts=hosts,
            downloads=downloads.list,
            downloads_busy=busy,
            sample=lambda: watch.fresh_sample,
            history=watch.sampler.history,
            services=services,
            environment=environment,
        ),
        environment=completed_environment(os.environ),
        come_up=come_up,
        lease=lease,
        report=lambda told: watch.report("idle", list(_readings(told)), valid_seconds=_VALID_SECONDS),
        changed=lambda: events.publish(Event(Topic.NOTICE, {"kind": "pod"})),
        age_seconds=container_age,
        proxies=proxies,
    )


def _readings(told: IdleReport) -> Iterator[Reading]:
    numbers = {
        "idle_seconds": told.idle_seconds,
        "idle_stop_in_seconds": told.stop_in_seconds,
        "machine_cost_per_hour": told.cost_per_hour,
        "idle_stop_failures": told.stop_failures,
    }
    for name, value in numbers.items():
        if value is not None:
            yield Reading(name, value)


def container_age(proc: Path = Path("/proc")) -> float:
    """Return the seconds since the first process of this container, or machine, began (proc(5)); 0 if unknown."""
    try:
        uptime = float((proc / "uptime").read_text().split()[0])
        fields = (proc / "1" / "stat").read_text().rpartition(")")[2].split()
        return max(0.0, uptime - int(fields[19]) / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0
