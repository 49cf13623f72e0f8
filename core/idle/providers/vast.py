"""vast.ai: one API.

Facts: docs.vast.ai/api-reference (`PUT /api/v0/instances/{id}/` with `{"state": "stopped"}`, `GET` of the same path);
docs.vast.ai/api-reference/rate-limits-and-errors (429 comes as plain text and without Retry-After). A stopped instance
still pays for its disk; a destroyed one loses it, so this is never asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...config import Settings
from ...net.proxies import Proxies
from ...net.secrets import Secret
from ...records.idle import Machine, StopResult, Survives
from .api import ProviderApi, Told, Verdict, number_of, text_of
from .provider import Patience, Still, always
from .ways import Ways

VAST_URL = "https://console.vast.ai"
_STOPPED = "stopped"  # `exited` is none: the container's process ended, and the instance goes on being billed


def vast_instance(environment: Mapping[str, str]) -> str | None:
    """Return the instance's id: CONTAINER_ID, or what stands behind `C.` in VAST_CONTAINERLABEL."""
    label = environment.get("VAST_CONTAINERLABEL", "").strip()
    number = environment.get("CONTAINER_ID", "").strip() or label.removeprefix("C.").partition(".")[0]
    known = label.startswith("C.") or environment.get("CONTAINER_API_KEY")
    return number if known and number.isascii() and number.isdigit() else None


class Vast:
    """One instance."""

    name = "vast"

    def __init__(self, environment: Mapping[str, str], settings: Settings, proxies: Proxies) -> None:
        """Raises: ConfigError: `vast_api_url` is no address."""
        self._id = vast_instance(environment) or ""
        self._key = Secret("".join(environment.get("CONTAINER_API_KEY", "").split()))
        self._patience = Patience.of(settings)
        self._api = ProviderApi(
            settings.vast_api_url, VAST_URL, self._key, settings, proxies, timeout=self._patience.timeout_seconds
        )
        self._path = f"/api/v0/instances/{self._id}/"

    @property
    def id(self) -> str | None:
        """The instance's number."""
        return self._id or None

    @property
    def can_stop(self) -> bool:
        """True with a key."""
        return bool(self._id and self._key.reveal())

    async def describe(self) -> Machine:
        """Ask for the instance."""
        known = Machine(provider=self.name, id=self._id or None, survives=Survives.STOP)
        if not self.can_stop:
            return replace(known, note="CONTAINER_API_KEY is not set")
        told = await self._api.call("GET", self._path)
        data = told.data.get("instances") if isinstance(told.data, dict) else None
        if told.verdict is not Verdict.DONE or not isinstance(data, dict):
            return replace(known, note=f"vast.ai did not tell: {told.words}")
        return _machine(known, data)

    async def stop(self, *, terminate: bool = False, still: Still = always) -> StopResult:
        """Ask until it is done."""
        if not self.can_stop:
            return StopResult(done=False, action="stop", words="CONTAINER_API_KEY is not set: vast.ai cannot be asked")
        ways = Ways(patience=self._patience, look=self.describe, still=still)
        done = await ways.by("API", self._ask)
        remark = "; not destroyed: an instance's disk would not survive that" if terminate else ""
        last = ways.last_words
        return StopResult(
            done=done,
            action="stop",
            words=f"vast.ai was asked to stop the instance{remark}" if done else f"vast.ai did not stop it: {last}",
            attempts=tuple(ways.attempts),
            abandoned=ways.abandoned,
            hint=None if done else "stop it in vast.ai's console; it goes on costing money",
        )

    def plan(self, *, terminate: bool = False) -> list[str]:  # noqa: ARG002 - an instance is never destroyed
        """Say what would be called."""
        return [f'PUT {self._api.base_url}{self._path} {{"state": "stopped"}}']

    async def close(self) -> None:
        """Close connections."""
        await self._api.close()

    async def _ask(self) -> Told:
        told = await self._api.call("PUT", self._path, {"state": "stopped"})
        success = told.data.get("success") if isinstance(told.data, dict) else None
        if told.verdict is not Verdict.DONE or success is True:
            return told
        words = text_of(told.data, "msg") or text_of(told.data, "error") or "the answer does not say `success`"
        return replace(told, verdict=Verdict.AGAIN, words=self._api.clean(f"HTTP {told.status}: {words}"))


def _machine(known: Machine, data: dict[str, Any]) -> Machine:
    """Read an instance (docs.vast.ai/sdk/python/reference/show-instance)."""
    actual, wanted = text_of(data, "actual_status"), text_of(data, "intended_status")
    count, gpu = number_of(data, "num_gpus"), text_of(data, "gpu_name")
    states = {state for state in (actual, wanted, text_of(data, "cur_state")) if state is not None}
    return replace(
        known,
        status=actual or wanted,
        running=None if not states else _STOPPED not in states,
        cost_per_hour=number_of(data, "dph_total"),
        region=text_of(data, "geolocation"),
        gpu=None if gpu is None else f"{int(count or 1)} × {gpu}",
        started_at=number_of(data, "start_date"),
    )
