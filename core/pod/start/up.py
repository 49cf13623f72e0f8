"""`pod up`: the entrypoint of a container, from its first second to its end in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...config import Settings
from ...detached import within
from ...engine.installation import Installation
from ...engine.podfile import PodPlace, pod_file, write_pod
from ...errors import UsageError
from ...records.json import to_json
from ...records.pod import BootState, PodState, ServiceState
from ..services.controller import Controller
from ..services.restart import RestartPolicy
from ..services.service import Timing
from ..services.supervisor import Supervisor
from .begin import Begun
from .plan import PodPlan, make_plan
from .questions import Questions
from .report import keep, rendered, settled
from .shown import show_secrets, tuning_lines
from .wanted import Wishes, read_wishes

if TYPE_CHECKING:
    from .link import Link
    from .provision import Provisioning

_log = logging.getLogger("comfystow.pod")

_ALONE_SECONDS = 60.0

Say = Callable[[str], None]


class Pod:
    """One life of a container. `say` writes a line for people to the container's output."""

    def __init__(
        self,
        settings: Settings,
        installation: Installation,
        environment: Mapping[str, str],
        questions: Questions,
        begun: Begun,
        say: Say,
    ) -> None:
        """`questions` are those to the installation, asked already: the answers take their time."""
        self._settings = settings
        self._installation = installation
        self._environment = environment
        self._questions = questions
        self._begun = begun
        self._say = say
        self._started_at = time.time()
        self._ending = asyncio.Event()
        self._told: dict[str, ServiceState] = {}
        self._settled = False
        self._plan: PodPlan
        self._controller: Controller
        self._provisioning: Provisioning
        self._link: Link | None = None

    async def run(self) -> int:
        """Start everything, stay until a signal comes, end everything; the result is the exit code.

        Raises: ConfigError: something cannot be read; EngineError: supervisord does not come up.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._ending.set)
        supervisor = Supervisor(self._begun.supervisord)
        self._plan, wishes = await asyncio.to_thread(self._prepare)
        await asyncio.to_thread(supervisor.prepare, self._plan.services)
        return await self._live(wishes, supervisor)

    def _prepare(self) -> tuple[PodPlan, Wishes]:
        seconds = self._settings.volume_seconds
        wishes = within(seconds, "wishes", lambda: read_wishes(self._settings))
        if wishes is None:
            wishes = Wishes(problems=(f"the volume did not answer within {seconds:g} s",))
        plan = make_plan(
            self._settings,
            self._installation,
            self._environment,
            questions=self._questions,
            waits_for_models=wishes.before,
            more=self._begun.more,
        )
        if self._begun.problem is not None:
            plan.report.say(BootState.WARN, "services of your own", self._begun.problem)
        for line in tuning_lines(plan.tuning):
            plan.report.say(line.state, line.what, line.detail)
        return plan, wishes

    async def _live(self, wishes: Wishes, supervisor: Supervisor) -> int:
        plan = self._plan
        self._controller = Controller(
            plan.rows,
            supervisor,
            policy=policy_of(self._settings),
            timing=timing_of(self._settings),
            mark=plan.mark,
            changed=self._changed,
            first="comfyui" if plan.few_cores else None,
            alone_seconds=self._settings.service_alone_seconds,
        )
        grace = self._settings.service_grace_seconds
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._controller.close, grace)  # whatever goes wrong below
            await self._controller.open()
            await self._publish(stack)
            # Late: ComfyUI is on its way while these are imported.
            from ..services.tail import Tail
            from .link import Link
            from .provision import Provisioning

            self._provisioning = Provisioning(wishes, self._changed)
            show_secrets(plan, self._say)
            self._link = link = Link(plan, self._settings, self._provisioning, self._state)
            logs = {service.name: self._begun.supervisord.log_of(service.name) for service in plan.services}
            tail = Tail(logs, self._say)
            attach = self._attach(link, at_once=bool(wishes.all))
            for work in (tail.run(), attach, self._let_comfyui_start(), self._watch_boot()):
                task = asyncio.create_task(work)
                task.add_done_callback(_tell_failure)
                stack.callback(task.cancel)
            await self._ending.wait()
            self._say("ending: services in reverse order, and the engine")
            closing = asyncio.create_task(link.close())
            clean = await self._controller.close(grace)
            await closing
            tail.look()
        self._say("ended" if clean else "ended; some processes had to be killed")
        return 0 if clean else 1

    async def _publish(self, stack: contextlib.AsyncExitStack) -> None:
        from ..services.control import serve_control

        plan = self._plan
        socket = plan.folder / "pod.sock"
        server = await serve_control(socket, self._answer)
        stack.callback(server.close)
        await asyncio.to_thread(
            write_pod,
            PodPlace(
                pid=os.getpid(),
                comfyui=plan.installation.comfyui or plan.folder,
                state_dir=plan.state_dir,
                socket=socket,
                extra_model_paths=(plan.extra_model_paths,) if plan.extra_model_paths is not None else (),
                output_directory=plan.layout.output,
                volume=plan.volume.path if plan.volume is not None else None,
            ),
            self._settings.run_dir,
        )
        stack.callback(pod_file(self._settings.run_dir).unlink, missing_ok=True)

    async def _answer(self, do: str, service: str | None) -> Any:
        if do == "status":
            return to_json(self._state())
        if do in {"start", "stop", "restart"}:
            return to_json(await self._controller.order(do, service))
        raise UsageError(f"the controller cannot `{do[:40]}`")

    def _state(self) -> PodState:
        services = self._controller.statuses
        return PodState(
            provider=self._plan.provider.name,
            pod_id=self._plan.provider.pod_id,
            started_at=self._started_at,
            settled=self._settled,
            services=services,
            boot=self._plan.report.lines(services),
        )

    def _changed(self) -> None:
        """Something is different: say what people want to know, and let the engine know."""
        for status in self._controller.statuses:
            if self._told.get(status.name) is not status.state:
                self._told[status.name] = status.state
                if status.state not in {ServiceState.OFF, ServiceState.STARTING}:
                    self._say(
                        f"{status.title}: {status.state.value}" + (f" ({status.reason})" if status.reason else "")
                    )
        if self._link is not None:
            self._link.changed()

    async def _attach(self, link: Link, *, at_once: bool) -> None:
        """Have an engine: at once where models are to come, else when services had the processor to themselves."""
        deadline = time.monotonic() + _ALONE_SECONDS
        while not at_once and not self._settled and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
        link.open()

    async def _let_comfyui_start(self) -> None:
        """Models that must be there first are there, or cannot come."""
        await self._provisioning.first_there.wait()
        self._controller.models_ready.set()

    async def _watch_boot(self) -> None:
        """Report once when everything has started, and keep the report up to date after that."""
        from .verify import after_start

        while not settled(self._controller.statuses):
            await asyncio.sleep(0.2)
        for line in await asyncio.to_thread(after_start, self._plan, self._controller.statuses):
            self._plan.report.say(line.state, line.what, line.detail)
        self._settled = True
        self._say("boot report\n" + rendered(self._state().boot))
        before: PodState | None = None
        while True:
            self._say_models()
            state = self._state()
            if before is None or replace(before, services=()) != replace(state, services=()):
                before = state
                self._changed()
                try:
                    await asyncio.to_thread(keep, self._plan.state_dir, state)
                except OSError as err:
                    _log.info("the boot report cannot be kept: %s", err)
            await asyncio.sleep(1.0)

    def _say_models(self) -> None:
        (asked, there), problems = self._provisioning.counts, self._provisioning.problems
        if not asked and not problems:
            return
        detail = f"{there} of {asked} are there"
        if problems:
            detail += f"; {len(problems)} cannot come by themselves: {'; '.join(problems[:3])}"
        self._plan.report.say(BootState.WARN if problems else BootState.OK, "models to fetch", detail)


def _tell_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a part of the pod ended: %r", error)


def policy_of(settings: Settings) -> RestartPolicy:
    """Return how services that end are started again."""
    return RestartPolicy(
        base_seconds=settings.service_retry_seconds,
        max_seconds=settings.service_retry_max_seconds,
        stable_seconds=settings.service_stable_seconds,
        limit=max(1, settings.service_crash_limit),
        rare_seconds=settings.service_crash_pause_seconds,
    )


def timing_of(settings: Settings) -> Timing:
    """Return how services are watched."""
    return Timing(
        check_seconds=settings.service_check_seconds,
        check_timeout_seconds=settings.service_check_timeout_seconds,
        start_seconds=settings.service_start_seconds,
        hang_seconds=settings.service_hang_seconds,
        grace_seconds=settings.service_grace_seconds,
    )
