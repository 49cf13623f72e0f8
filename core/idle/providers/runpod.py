"""RunPod: its REST API v2, then its GraphQL API, then its own tool `runpodctl`, which every pod has.

Facts: docs.runpod.io/api-reference-v2/pods/trigger-a-pod-state-transition (v1 was retired on 15 November 2026),
docs.runpod.io/sdks/graphql/manage-pods, docs.runpod.io/runpodctl/reference/runpodctl-pod. An end of the container is
no stop: RunPod starts it again and goes on billing (github.com/runpod/runpodctl/issues/149).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ...config import Settings
from ...net.proxies import Proxies
from ...net.secrets import Secret
from ...records.idle import Machine, StopResult, Survives
from .api import ProviderApi, Told, Verdict, number_of, text_of
from .program import run_program
from .provider import Patience, Still, always
from .ways import Ways

RUNPOD_URL = "https://api.runpod.io"
_NAME = "RunPod"
_ENDED = frozenset({"EXITED", "TERMINATED"})
_ID_FORM = re.compile(r"[A-Za-z0-9_-]{1,64}")
_STOP = "mutation Stop($input: PodStopInput!) { podStop(input: $input) { id desiredStatus } }"
_TERMINATE = "mutation Terminate($input: PodTerminateInput!) { podTerminate(input: $input) }"


class RunPod:
    """One pod."""

    name = "runpod"

    def __init__(self, environment: Mapping[str, str], settings: Settings, proxies: Proxies) -> None:
        """Raises: ConfigError: `runpod_api_url` is no address."""
        self._environment = environment
        self._id = environment.get("RUNPOD_POD_ID", "").strip()
        self._key = Secret("".join(environment.get("RUNPOD_API_KEY", "").split()))
        self._patience = Patience.of(settings)
        self._api = ProviderApi(
            settings.runpod_api_url, RUNPOD_URL, self._key, settings, proxies, timeout=self._patience.timeout_seconds
        )

    @property
    def id(self) -> str | None:
        """The pod's id, where it is one."""
        return self._id if self._sound else None

    @property
    def can_stop(self) -> bool:
        """True with a key, or with the tool, which may have one of its own."""
        return self._sound and (bool(self._key.reveal()) or self._tool() is not None)

    @property
    def _sound(self) -> bool:
        """An id that would lead elsewhere inside a path is none."""
        return _ID_FORM.fullmatch(self._id) is not None

    def _tool(self) -> str | None:
        return shutil.which("runpodctl", path=self._environment.get("PATH"))

    async def describe(self) -> Machine:
        """Ask for the pod."""
        known = Machine(
            provider=self.name,
            id=self._id or None,
            region=self._environment.get("RUNPOD_DC_ID") or None,
            survives=Survives.TERMINATION if self._environment.get("RUNPOD_VOLUME_ID") else None,
        )
        if not self._sound or not self._key.reveal():
            why = "RUNPOD_POD_ID is no id" if not self._sound else "RUNPOD_API_KEY is not set"
            return _noted(known, why)
        told = await self._api.call("GET", f"/v2/pods/{self._id}")
        if told.verdict is Verdict.DONE and isinstance(told.data, dict):
            return _machine(known, told.data)
        if told.status == 404:
            return _noted(known, f"RunPod does not know this pod ({told.words})")
        return _noted(known, f"RunPod did not tell: {told.words}")

    async def stop(self, *, terminate: bool = False, still: Still = always) -> StopResult:
        """Try the ways in their order, until one works."""
        action = "stop"
        if not self._sound:
            return StopResult(done=False, action=action, words="RUNPOD_POD_ID is no id of a pod")
        remark = ""
        if terminate:
            kept = (await self.describe()).survives
            if kept is Survives.TERMINATION:
                action = "terminate"
            else:
                remark = "; not terminated, because no network volume is known that would survive"
        ways = Ways(patience=self._patience, look=self.describe, still=still)
        for way, send in self._ways(action):
            if await ways.by(way, send):
                words = f"{_NAME} was asked by {way} to {action} the pod{remark}"
                return StopResult(done=True, action=action, words=words, attempts=tuple(ways.attempts))
            if ways.locked or ways.abandoned:
                break
        return _failed(action, ways)

    def plan(self, *, terminate: bool = False) -> list[str]:
        """Say what would be called."""
        action = "terminate (stop, unless a network volume survives)" if terminate else "stop"
        steps = [
            f'POST {{api}}/v2/pods/{self._id}/action {{"action": "{action}"}}',
            f"POST {{api}}/graphql {'podTerminate' if terminate else 'podStop'}",
            f"runpodctl pod {'delete' if terminate else 'stop'} {self._id}",
        ]
        return [step.replace("{api}", self._api.base_url) for step in steps]

    async def close(self) -> None:
        """Close connections."""
        await self._api.close()

    def _ways(self, action: str) -> list[tuple[str, Any]]:
        ways: list[tuple[str, Any]] = []
        if self._key.reveal():
            ways.append(("API v2", lambda: self._by_rest(action)))
            ways.append(("GraphQL", lambda: self._by_graphql(action)))
        ways.append(("runpodctl", lambda: self._by_tool(action)))
        return ways

    async def _by_rest(self, action: str) -> Told:
        return await self._api.call("POST", f"/v2/pods/{self._id}/action", {"action": action})

    async def _by_graphql(self, action: str) -> Told:
        query = _TERMINATE if action == "terminate" else _STOP
        # The documentation writes the key into the URL; a header stays out of everybody's logs.
        told = await self._api.call("POST", "/graphql", {"query": query, "variables": {"input": {"podId": self._id}}})
        errors = told.data.get("errors") if isinstance(told.data, dict) else None
        if told.verdict is not Verdict.DONE or not errors:
            return told
        first = errors[0] if isinstance(errors, list) else None
        words = text_of(first, "message") or "the answer holds errors"
        return Told(verdict=Verdict.REFUSED, words=self._api.clean(f"HTTP {told.status}: {words}"), status=told.status)

    async def _by_tool(self, action: str) -> Told:
        tool = self._tool()
        if tool is None:
            return Told(verdict=Verdict.REFUSED, words="`runpodctl` is not installed")
        verb = "delete" if action == "terminate" else "stop"
        return await run_program(
            [tool, "pod", verb, self._id],
            self._environment,
            timeout_seconds=self._patience.timeout_seconds,
            key=self._key,
        )


def _machine(known: Machine, data: dict[str, Any]) -> Machine:
    """Read a pod (schema `Pod` of api-reference-v2/openapi.json)."""
    status = text_of(data, "status")
    mounts = data.get("mounts")
    mounts = mounts if isinstance(mounts, dict) else {}
    kept = Survives.STOP if mounts.get("persistent") else Survives.NOTHING
    survives = Survives.TERMINATION if mounts.get("network") else kept
    count, gpu = number_of(data, "gpu", "count"), text_of(data, "gpu", "id")
    locked = data.get("locked")
    return Machine(
        provider=known.provider,
        id=known.id,
        status=status,
        running=None if status is None else status not in _ENDED,
        cost_per_hour=number_of(data, "cost"),
        region=text_of(data, "dataCenterId") or known.region,
        gpu=None if gpu is None else f"{int(count or 1)} × {gpu}",
        locked=locked if isinstance(locked, bool) else None,
        survives=survives,
        started_at=_epoch(text_of(data, "startedAt")),
    )


def _epoch(text: str | None) -> float | None:
    try:
        return None if text is None else datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _noted(machine: Machine, note: str) -> Machine:
    return replace(machine, note=note)


def _failed(action: str, ways: Ways) -> StopResult:
    hint = (
        "unlock the pod in RunPod's console: a locked pod cannot be stopped"
        if ways.locked
        else "stop it in RunPod's console; it goes on costing money"
    )
    tried = ", ".join(dict.fromkeys(attempt.way for attempt in ways.attempts))
    words = f"RunPod did not {action} the pod (tried {tried or 'nothing'}): {ways.last_words}"
    return StopResult(
        done=False, action=action, words=words, attempts=tuple(ways.attempts), abandoned=ways.abandoned, hint=hint
    )
