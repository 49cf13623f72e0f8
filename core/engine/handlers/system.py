"""The machine: its latest sample, its history, its alerts, and all numbers for Prometheus."""

from __future__ import annotations

from typing import Any

from ...alerts.view import MAX_POINTS, alerts_view, history_view, metrics_text, system_view
from ...errors import UsageError
from ...metrics.exposition import CONTENT_TYPE
from ..bodies import LeaseRequest
from .call import Call, Handler, Text

_MAX_LEASE_SECONDS = 300.0
_MAX_HOLDER_LENGTH = 40
#: How old a number of a scrape may be; Prometheus asks every 15 s by the configuration that we write.
_SCRAPE_INTERVAL_SECONDS = 5.0


async def show(call: Call) -> object:
    """Show what is known; nothing is sampled for it."""
    return _shown(call)


def _shown(call: Call) -> dict[str, Any]:
    """Show the machine; what it costs is known also while nobody looks after it."""
    view, keeper = system_view(call.runtime.watch), call.runtime.idle
    price = view["cost_per_hour"] if view["cost_per_hour"] is not None else keeper.cost_per_hour
    return {**view, "cost_per_hour": price, "cost_so_far": keeper.cost_so_far}


async def lease(call: Call) -> object:
    """Take or renew a viewer's lease."""
    request: LeaseRequest = call.body
    if not 0 < request.seconds <= _MAX_LEASE_SECONDS or not 0 < request.interval_seconds <= _MAX_LEASE_SECONDS:
        raise UsageError(f"a lease lasts, and samples within, more than 0 and at most {_MAX_LEASE_SECONDS:g} seconds")
    if len(request.holder) > _MAX_HOLDER_LENGTH:
        raise UsageError(f"`holder` is longer than {_MAX_HOLDER_LENGTH} characters")
    holder = f"{request.holder} of {call.session_id}"
    await call.runtime.watch.sampled(holder, request.seconds, request.interval_seconds)
    return _shown(call)


async def history(call: Call) -> object:
    """Show the ring buffer, thinned."""
    since, points = _number(call, "since", 0.0), _number(call, "points", float(MAX_POINTS))
    if not 1 <= points <= MAX_POINTS:
        raise UsageError(f"`points` must be from 1 to {MAX_POINTS}")
    return history_view(call.runtime.watch.sampler.history(since), int(points))


def _number(call: Call, name: str, default: float) -> float:
    text = call.query.get(name)
    try:
        number = default if text is None else float(text)
    except ValueError:
        raise UsageError(f"`{name}` is no number") from None
    if number != number:  # NaN compares with nothing
        raise UsageError(f"`{name}` is no number")
    return number


async def alerts(call: Call) -> object:
    """Show the alerts."""
    return alerts_view(call.runtime.watch)


async def metrics(call: Call) -> object:
    """Answer one scrape, from a fresh sample."""
    watch = call.runtime.watch
    seconds = call.runtime.settings.scrape_lease_seconds
    await watch.sampled("scrape", seconds, _SCRAPE_INTERVAL_SECONDS)
    watch.report("library", await call.runtime.librarian.numbers.readings())
    return Text(metrics_text(watch), CONTENT_TYPE)


SYSTEM: dict[str, Handler] = {
    "system.show": show,
    "system.lease": lease,
    "system.history": history,
    "alerts": alerts,
    "metrics": metrics,
}
