"""Services that misbehave as a test wants, under a real supervisord."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from comfystow.core.pod.services.controller import Controller
from comfystow.core.pod.services.probe import HttpProbe, Probe
from comfystow.core.pod.services.processes import MARK
from comfystow.core.pod.services.restart import RestartPolicy
from comfystow.core.pod.services.service import Service, Timing
from comfystow.core.pod.services.supervisor import Supervisor
from comfystow.core.pod.services.supervisord import Supervisord

from .comfyui import free_port

CHILD = Path(__file__).with_name("service_child.py")
SECONDS = 60.0


def service(
    name: str, *, needs: tuple[str, ...] = (), probe: Probe | None = None, port: int = 0, **options: Any
) -> Service:
    """Make a row whose child does what `options` say."""
    port = port or free_port()
    words = [sys.executable, "-u", str(CHILD), str(port), *(f"{key}={value}" for key, value in options.items())]
    return Service(
        name=name,
        title=name,
        words=tuple(words),
        environment={"PATH": os.environ["PATH"], MARK: "unset"},
        directory=Path("/"),
        probe=probe or HttpProbe(port=port, key="works"),
        needs=needs,
        port=port,
    )


class Bench:
    """Controllers of one test."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.folder = folder
        self.mark = folder.name
        self._stack = stack
        self.controller: Controller
        self.daemon: Supervisord
        self.supervisor: Supervisor

    async def run(
        self,
        *rows: Service,
        policy: RestartPolicy | None = None,
        first: str | None = None,
        alone_seconds: float = 0.0,
        **timing: float,
    ) -> Controller:
        """Start services under a supervisord of their own; times are short unless given."""
        rows = tuple(replace(row, environment={**row.environment, MARK: self.mark}) for row in rows)
        self.daemon = Supervisord(self.folder / "pod")
        self.supervisor = Supervisor(self.daemon)
        self.daemon.launch([row.name for row in rows])
        self.supervisor.prepare(rows)
        times = {
            "check_seconds": 0.1,
            "check_timeout_seconds": 0.5,
            "hang_seconds": 0.0,
            "grace_seconds": 5.0,
            **timing,
        }
        self.controller = Controller(
            rows,
            self.supervisor,
            policy=policy or RestartPolicy(base_seconds=0.05, max_seconds=0.2),
            timing=Timing(**times),
            mark=self.mark,
            changed=lambda: None,
            first=first,
            alone_seconds=alone_seconds,
        )
        self._stack.push_async_callback(self.controller.close, 5.0)
        await self.controller.open()
        return self.controller

    def status(self, name: str) -> Any:
        """Give the status of a service."""
        return self.controller.units[name].status

    def log(self, name: str) -> str:
        """Give what a service wrote."""
        return self.daemon.log_of(name).read_text(errors="replace")


async def until(look: Callable[[], Any], what: str = "it", seconds: float = SECONDS) -> Any:
    """Wait until something is true, and give it."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not (found := look()):
        assert asyncio.get_running_loop().time() < deadline, f"{what} did not come within {seconds:g} s"
        await asyncio.sleep(0.02)
    return found
