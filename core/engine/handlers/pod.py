"""The pod: what its controller told, and questions to it; the doctor, which works on any machine."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ...errors import EngineError, NotFoundHereError
from ...metrics.reading import Reading
from ...records.json import to_json
from ...records.pod import PodState, ServiceState, ServiceStatus
from ..podfile import TELL_SECONDS, ask_pod, read_pod
from .call import Call, Handler
from .idle import pod_parts

#: A restart waits for the grace that the service has to end.
_COMMAND_SECONDS = 60.0
_DOCTOR_SECONDS = 90.0
_MAIN = Path(__file__).resolve().parents[3] / "__main__.py"


async def show(call: Call) -> object:
    """Show what the controller told last."""
    state, told_at = call.runtime.pod, call.runtime.pod_told_at
    present = state is not None and told_at is not None and time.time() - told_at < 3 * TELL_SECONDS
    return {
        "present": present,
        "told_at": told_at,
        **pod_parts(call.runtime.idle),
        **(to_json(state) if state is not None else to_json(PodState(provider="none", started_at=0.0))),
    }


async def tell(call: Call) -> object:
    """Keep what the controller tells, and judge its numbers."""
    state: PodState = call.body
    call.runtime.pod, call.runtime.pod_told_at = state, time.time()
    call.runtime.watch.report("pod", list(_readings(state)), valid_seconds=3 * TELL_SECONDS)
    return {}


def _readings(state: PodState) -> Iterator[Reading]:
    for service in state.services:
        if service.state is ServiceState.OFF:
            continue
        labels = (service.name,)
        if (up := _up(service)) is not None:
            yield Reading("service_up", up, labels)
        yield Reading("service_restarts", service.restarts, labels)
        if service.response_seconds is not None:
            yield Reading("service_response_seconds", service.response_seconds, labels)
        if service.startup_seconds is not None:
            yield Reading("service_startup_seconds", service.startup_seconds, labels)


def _up(service: ServiceStatus) -> float | None:
    """1 or 0; None while nobody may expect an answer: it is on its first way up, or somebody stopped it."""
    if service.state is ServiceState.READY:
        return 1.0
    first = service.state in {ServiceState.WAITING, ServiceState.STARTING} and not service.restarts
    return None if first or not service.state.wanted else 0.0


def _command(verb: str) -> Handler:
    async def handler(call: Call) -> object:
        place = await asyncio.to_thread(read_pod, call.runtime.settings.run_dir)
        if place is None:
            raise NotFoundHereError("this machine runs no pod", hint="`comfystow pod up` starts its services")
        question = {"do": verb, "service": call.parameters["name"]}
        return await asyncio.to_thread(ask_pod, place, question, timeout_seconds=_COMMAND_SECONDS)

    return handler


async def doctor(call: Call) -> object:
    """Let the command look, in a process of its own: a driver or a volume that hangs must not hang the engine."""
    words = [sys.executable, str(_MAIN), "pod", "doctor", "--json", "--look-only"]
    words += ["--state-dir", str(call.runtime.state_dir)]
    base = call.runtime.sessions.layout().base_path
    if base is not None and (base / "folder_paths.py").is_file():
        words += ["--comfyui", str(base)]
    process = await asyncio.create_subprocess_exec(
        *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(_DOCTOR_SECONDS):
            out, _ = await process.communicate()
        return {"findings": json.loads(out)["findings"]}
    except TimeoutError:
        raise EngineError(
            "the doctor did not come to an end", hint="run `comfystow pod doctor` in a terminal"
        ) from None
    except (ValueError, KeyError):
        raise EngineError("the doctor failed", hint="run `comfystow pod doctor` in a terminal") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


POD: dict[str, Handler] = {
    "pod.show": show,
    "pod.services.start": _command("start"),
    "pod.services.stop": _command("stop"),
    "pod.services.restart": _command("restart"),
    "pod.doctor": doctor,
    "pod.state": tell,
}
