"""The boot report: what came up, how fast, what is off and why. Kept as `boot-report.json` in the state folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...records.json import to_json
from ...records.pod import BootLine, BootState, PodState, ServiceState, ServiceStatus

NAME = "boot-report.json"

_SIGNS = {BootState.OK: "ok  ", BootState.WARN: "warn", BootState.OFF: "off "}


class BootReport:
    """Lines by their matter; a later word on a matter replaces the earlier one."""

    def __init__(self) -> None:
        self._lines: dict[str, BootLine] = {}

    def say(self, state: BootState, what: str, detail: str, seconds: float | None = None) -> None:
        """Tell what became of a matter."""
        self._lines[what] = BootLine(state=state, what=what, detail=detail, seconds=seconds)

    def lines(self, services: Sequence[ServiceStatus]) -> tuple[BootLine, ...]:
        """Return all lines, those of the services last."""
        return (*self._lines.values(), *map(service_line, services))


def service_line(service: ServiceStatus) -> BootLine:
    """Say how far a service is."""
    where = f" on port {service.port}" if service.port is not None else ""
    if service.state is ServiceState.READY:
        detail = f"ready{where}" + (f": {service.url}" if service.url else "")
        return BootLine(state=BootState.OK, what=service.title, detail=detail, seconds=service.startup_seconds)
    state = BootState.OFF if service.state in {ServiceState.OFF, ServiceState.STOPPED} else BootState.WARN
    detail = service.state.value.replace("_", " ") + (f": {service.reason}" if service.reason else "")
    return BootLine(state=state, what=service.title, detail=detail, seconds=service.startup_seconds)


def settled(services: Iterable[ServiceStatus]) -> bool:
    """Tell whether every service has come up once, or has shown that it does not."""
    on_the_way = {ServiceState.WAITING, ServiceState.STARTING}
    return all(service.state not in on_the_way or service.last_exit is not None for service in services)


def rendered(lines: Iterable[BootLine]) -> str:
    """Write the report for people."""
    rows = list(lines)
    width = max((len(line.what) for line in rows), default=0)
    return "\n".join(
        f"  {_SIGNS[line.state]}  {line.what:<{width}}  {line.detail}"
        + (f" ({line.seconds:.1f} s)" if line.seconds is not None else "")
        for line in rows
    )


def keep(folder: Path, state: PodState) -> None:
    """Write the report down, for who comes later. Raises: OSError."""
    temporary = folder / f".{NAME}.new"
    temporary.write_text(json.dumps(to_json(state), indent=2) + "\n", encoding="utf-8")
    temporary.replace(folder / NAME)
