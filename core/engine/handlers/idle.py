"""The idle policy: what it sees, and the wish to be left alone."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from ...idle.keeper import Keeper, words_of
from ...idle.savings import saved
from ...records.idle import KeepAliveRequest
from ...records.json import to_json
from .call import Call, Handler


async def keep_alive(call: Call) -> object:
    """Take or end a wish; one a session."""
    request: KeepAliveRequest = call.body
    call.runtime.idle.keep_alive(call.session_id or "somebody", request.seconds)
    return idle_view(call.runtime.idle)


def idle_view(keeper: Keeper) -> dict[str, Any]:
    """Return where the policy stands, and what the signals say."""
    policy, standing = keeper.policy, keeper.standing
    left = standing.stops_in(policy) if policy.on else None
    return {
        "mode": policy.mode.value,
        "state": standing.state.value,
        "moved_seconds_ago": standing.now - standing.moved_at,
        "idle_seconds": None if standing.idle_since is None else standing.now - standing.idle_since,
        "quiet_seconds": standing.quiet_seconds if policy.on else None,
        "unknown_seconds": None if standing.doubt_since is None else standing.now - standing.doubt_since,
        "stops_in_seconds": left,
        "timeout_seconds": policy.timeout_seconds,
        "grace_seconds": policy.grace_seconds,
        "lifetime_seconds": policy.lifetime_seconds,
        "reason": None if standing.reason is None else standing.reason.value,
        "why": words_of(keeper.signals),
        "signals": to_json(keeper.signals),
        "keep_alive_seconds": keeper.keep_alives.seconds_left,
        "problems": list(keeper.problems),
        "result": to_json(keeper.result),
    }


def machine_view(keeper: Keeper) -> dict[str, Any]:
    """Return the machine and its price; the provider is asked beside this answer, and seldom."""
    keeper.look_at_machine()
    machine, now = keeper.machine, time.time()
    month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()
    return {
        **to_json(machine),
        "provider": keeper.provider.name if machine.provider == "none" else machine.provider,
        "cost_per_hour": keeper.cost_per_hour,
        "cost_so_far": keeper.cost_so_far,
        "saved_this_month": saved(keeper.savings.stops, month, now),
        "can_stop": keeper.provider.can_stop,
    }


def pod_parts(keeper: Keeper) -> dict[str, Any]:
    """Return what `GET /pod` says beside the services; nothing where this machine is nobody's but its owner's."""
    if not keeper.on_rented:
        return {"machine": None, "idle": None}
    return {"machine": machine_view(keeper), "idle": idle_view(keeper)}


IDLE: dict[str, Handler] = {"idle.keep_alive": keep_alive}
