"""Look, once everything has started, whether what was set has really taken effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ...records.pod import BootLine, BootState, ServiceState, ServiceStatus
from ..services.probe import failure_of
from .machine import really_loaded
from .plan import PodPlan

_LOOK_SECONDS = 5.0


def after_start(plan: PodPlan, services: Sequence[ServiceStatus]) -> list[BootLine]:
    """Return what was found; blocking."""
    return [*_preloaded(plan, services), *_unlocked(plan, services)]


def _preloaded(plan: PodPlan, services: Sequence[ServiceStatus]) -> Iterator[BootLine]:
    """A wrong LD_PRELOAD is a warning of the loader that nobody reads: only the mapping tells."""
    library = next((item.value for item in plan.tuning if item.name == "LD_PRELOAD" and item.value), None)
    comfyui = next((service for service in services if service.name == "comfyui"), None)
    if library is None or comfyui is None or comfyui.pid is None:
        return
    loaded = really_loaded(Path(library).name, comfyui.pid)
    if loaded is None:
        yield BootLine(state=BootState.WARN, what="LD_PRELOAD", detail=f"whether {library} is loaded cannot be seen")
    elif loaded:
        yield BootLine(state=BootState.OK, what="LD_PRELOAD", detail=f"{library} is loaded into ComfyUI")
    else:
        yield BootLine(state=BootState.WARN, what="LD_PRELOAD", detail=f"{library} is not loaded into ComfyUI")


def _unlocked(plan: PodPlan, services: Sequence[ServiceStatus]) -> Iterator[BootLine]:
    """Ask each service as anybody would: who gets an answer without a password, everybody does."""
    ready = {status.name for status in services if status.state is ServiceState.READY}
    for service in plan.services:
        asked = service.unlocked if service.name in ready else None
        if asked is not None and failure_of(asked, _LOOK_SECONDS) is None:
            detail = f"{service.title} answers anybody without a password"
            yield BootLine(state=BootState.WARN, what=f"password of {service.name}", detail=detail)
