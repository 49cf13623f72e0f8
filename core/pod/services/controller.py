"""All services together: started when what they need is ready, in parallel; ended in reverse order within a grace."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ...errors import ConflictError, NotFoundHereError, StowError
from ...records.pod import ServiceState, ServiceStatus
from .order import start_levels
from .processes import below, end, marked
from .restart import RestartPolicy
from .service import Missing, Service, Timing
from .supervisor import Supervisor
from .unit import Unit

_log = logging.getLogger("comfystow.pod")

_SWEEP_SECONDS = 1.0
_LOOK_SECONDS = 0.1
_AGAIN_SECONDS = 2.0


class Controller:
    """Keeps the services of the table as they should be. On one loop."""

    def __init__(
        self,
        rows: Sequence[Service | Missing],
        supervisor: Supervisor,
        *,
        policy: RestartPolicy,
        timing: Timing,
        mark: str,
        changed: Callable[[], None],
        first: str | None = None,
        alone_seconds: float = 0.0,
    ) -> None:
        """All others start when `first` (if it is there) is up or has failed, after `alone_seconds` at the latest.

        Raises: ConfigError: a service needs one that is not there, or itself in a circle.
        """
        self._rows = tuple(rows)
        self._supervisor = supervisor
        self._mark = mark
        self._timing = timing
        self._changed = changed
        self.models_ready = asyncio.Event()
        self._others_may = asyncio.Event()
        self._alone_seconds = alone_seconds
        services = [row for row in rows if isinstance(row, Service)]
        self.levels = start_levels({service.name: service.needs for service in services})
        self.units: Mapping[str, Unit] = {
            service.name: Unit(
                service=service,
                supervisor=supervisor,
                policy=policy,
                timing=timing,
                changed=changed,
                may_start=self._may_start,
            )
            for service in services
        }
        self._first = self.units.get(first or "")
        self._tasks: list[asyncio.Task[None]] = []
        self._keeper: asyncio.Task[None] | None = None
        self._closing = False

    async def open(self) -> None:
        """Start what can start. Raises: EngineError: supervisord does not come up."""
        await self._supervisor.ready()
        self._tasks = [asyncio.create_task(unit.run(), name=name) for name, unit in self.units.items()]
        if self._first is not None:
            self._tasks.append(asyncio.create_task(self._let_others_start(self._first), name="others"))
        self._keeper = asyncio.create_task(self._keep_supervisor(), name="supervisord")

    @property
    def statuses(self) -> tuple[ServiceStatus, ...]:
        """Every row now, in the table's order."""
        return tuple(
            self.units[row.name].status
            if isinstance(row, Service)
            else ServiceStatus(name=row.name, title=row.title, state=ServiceState.OFF, reason=row.reason)
            for row in self._rows
        )

    async def order(self, verb: str, name: str | None) -> ServiceStatus:
        """Start, stop or restart a service. Raises: NotFoundHereError, ConflictError."""
        if self._closing:
            raise ConflictError("the pod is about to end")
        unit = self.units.get(name or "")
        if unit is None:
            off = next((row for row in self._rows if row.name == name and isinstance(row, Missing)), None)
            if off is not None:
                raise ConflictError(f"{off.title} cannot run here: {off.reason}")
            raise NotFoundHereError(
                f"there is no service `{(name or '')[:60]}`", hint=f"there are {', '.join(self.units)}"
            )
        match verb:
            case "start":
                unit.start()
            case "stop":
                await unit.stop()
            case _:
                await unit.stop()
                if not self._closing:  # the pod's end may have come meanwhile
                    unit.start()
        return unit.status

    async def close(self, grace_seconds: float) -> bool:
        """End everything, what needs others first; true where all ended by themselves within the grace."""
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return True
        self._closing = True
        keeper.cancel()
        await asyncio.wait({keeper})
        deadline = time.monotonic() + grace_seconds
        own = {unit.pid for unit in self.units.values() if unit.pid is not None}
        family = await asyncio.to_thread(below, own) | own
        for level in reversed(self.levels):
            left = max(0.1, deadline - time.monotonic())
            for name in level:
                self.units[name].timing = replace(self.units[name].timing, grace_seconds=left)
            await asyncio.gather(*(self.units[name].stop() for name in level))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._supervisor.close()
        # What left its process group, and what others started in sessions of their own.
        stray = (await asyncio.to_thread(marked, self._mark)) | {pid for pid in family if pid not in own}
        killed = await asyncio.to_thread(end, stray, max(_SWEEP_SECONDS, deadline - time.monotonic()))
        return not killed and not any(unit.killed for unit in self.units.values())

    async def _may_start(self, unit: Unit) -> None:
        """Wait for the services that it needs, and for the models that must be there first."""
        if unit.service.waits_for_models and not self.models_ready.is_set():
            unit.wait_for("models that must be there first")
            await self.models_ready.wait()
        if self._first is not None and unit is not self._first and not self._others_may.is_set():
            unit.wait_for(f"{self._first.service.title}, which has the few cores of this machine first")
            await self._others_may.wait()
        for name in unit.service.needs:
            needed = self.units[name]
            if not needed.ready.is_set():
                unit.wait_for(f"{needed.service.title} to be ready")
                await needed.ready.wait()

    async def _let_others_start(self, first: Unit) -> None:
        """Wait until the first one is up, has failed, waits itself, or has had the cores for long enough."""
        deadline = time.monotonic() + self._alone_seconds
        while first.on_its_way and time.monotonic() < deadline:
            if first.service.waits_for_models and not self.models_ready.is_set():
                break
            await asyncio.sleep(_LOOK_SECONDS)
        self._others_may.set()

    async def _keep_supervisor(self) -> None:
        """When supervisord itself dies, end what it leaves behind, and start anew: nothing else could end that."""
        while True:
            process = self._supervisor.daemon.process
            if process is None or process.poll() is None:
                await asyncio.sleep(0.5)
                continue
            _log.error("supervisord ended with %s; it is started again, and the services with it", process.returncode)
            left = {unit.pid for unit in self.units.values() if unit.pid is not None}
            await asyncio.to_thread(end, left, self._timing.grace_seconds)
            try:
                self._supervisor.daemon.launch(list(self.units))
                await self._supervisor.ready()
            except (OSError, StowError) as err:
                _log.error("supervisord cannot be started: %s", err)
                await asyncio.sleep(_AGAIN_SECONDS)
