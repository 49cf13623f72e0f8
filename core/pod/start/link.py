"""The pod's way to the engine: a session with the pod's folders, what it fetches, and `POST /pod/state`."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import Callable, Mapping

from ...config import Settings, session_environment
from ...engine.client import EngineClient
from ...engine.podfile import TELL_SECONDS
from ...errors import StowError
from ...records.json import to_json
from ...records.pod import PodState
from ...records.session import Session
from ..services.supervisor import ended
from .plan import PodPlan
from .provision import Provisioning
from .wanted import describe

_log = logging.getLogger("comfystow.pod")

#: Changes come in bursts while services start.
_QUIET_SECONDS = 0.3
_LEAVE_SECONDS = 5.0


class Link:
    """Keeps the engine alive and informed for as long as the pod runs."""

    def __init__(
        self, plan: PodPlan, settings: Settings, provisioning: Provisioning, state: Callable[[], PodState]
    ) -> None:
        self._plan = plan
        self._settings = settings
        self._provisioning = provisioning
        self._state = state
        self._changed = asyncio.Event()
        self.client = EngineClient(plan.state_dir, settings, session=_session(plan, os.environ), local=True)
        self._tasks: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Begin."""
        self._tasks = [
            asyncio.create_task(self._provisioning.run(self.client), name="provisioning"),
            asyncio.create_task(self._tell(), name="tell"),
        ]

    def changed(self) -> None:
        """Something is to be told."""
        self._changed.set()

    async def close(self) -> None:
        """Tell the engine to journal and leave: the machine is about to go, and with it everybody who could ask it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # Where we never asked for one, ComfyUI's extension may have; none is started to be told to leave.
        client = self.client if self._tasks else EngineClient(self._plan.state_dir, self._settings, start=False)
        try:
            pid = (await client.ready()).info.pid
            await client.call("POST", "/engine/stop", {"reason": "the pod ends"})
            async with asyncio.timeout(max(_LEAVE_SECONDS, self._settings.service_grace_seconds)):
                await ended(pid)
        except StowError as err:
            _log.info("the engine was not asked to leave: %s", err.message)
        except TimeoutError:
            _log.warning("the engine still works; what it has is journalled")
        await client.close()

    async def _tell(self) -> None:
        while True:
            try:
                await self.client.call("POST", "/pod/state", to_json(self._state()))
            except StowError as err:
                _log.info("the engine was not told: %s", describe(err))
            try:
                await asyncio.wait_for(self._changed.wait(), TELL_SECONDS / 2)
            except TimeoutError:
                continue
            await asyncio.sleep(_QUIET_SECONDS)
            self._changed.clear()


def _session(plan: PodPlan, environment: Mapping[str, str]) -> dict[str, object]:
    key = hashlib.sha256(os.fsencode(plan.state_dir)).hexdigest()[:12]
    told = session_environment(environment)
    if (token := plan.passwords.by_service.get("jupyter")) is not None:
        told["JUPYTER_TOKEN"] = token  # in memory alone: the engine asks whether somebody works there
    session = Session(server_id=f"pod-{key}", layout=plan.folders, environment=told)
    return dict(to_json(session))
