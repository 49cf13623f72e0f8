"""A provider's HTTP API: its one host, its key in a header and nowhere else, and what each status means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ...config import Settings
from ...errors import ConfigError, EgressError, StowError
from ...net.answers import Answer, retry_after_seconds
from ...net.client import HttpClient, HttpLimits
from ...net.egress import EgressGate
from ...net.hosts import AllowList, HostRule, origin_of
from ...net.proxies import Proxies
from ...net.secrets import MASK, Secret, scrub

_MAX_ANSWER_BYTES = 4 << 20
_TIMED_OUT = frozenset({408, 425, 429})


class Verdict(StrEnum):
    """What an answer means for who wants to stop a machine."""

    DONE = "done"
    CONFLICT = "conflict"
    """The state of the machine does not allow it: its state says whether that is good news."""
    AGAIN = "again"
    """Nobody said no: too many calls, a fault of the server, no answer."""
    REFUSED = "refused"
    """The same call would be refused again."""


def judge(status: int) -> Verdict:
    """Return what a status means (RFC 9110 §15; RunPod's and vast.ai's published statuses are among them)."""
    if 200 <= status < 300:
        return Verdict.DONE
    if status == 409:
        return Verdict.CONFLICT
    return Verdict.AGAIN if status in _TIMED_OUT or status >= 500 else Verdict.REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came of one call. `data` is the JSON of the body, None where there is none."""

    verdict: Verdict
    words: str
    status: int | None = None
    data: Any = None
    pause_seconds: float | None = None


class ProviderApi:
    """Calls one host. A redirect is not followed: the key belongs to that host alone."""

    def __init__(
        self, base_url: str, default_url: str, key: Secret, settings: Settings, proxies: Proxies, *, timeout: float
    ) -> None:
        """`default_url` is the provider's own; another `base_url` is a machine that the owner named.

        Raises: ConfigError: the address is none.
        """
        origin = origin_of(base_url)
        if origin is None:
            raise ConfigError(f"`{base_url[:80]}` is no http(s) address of a provider", hint="write https://host")
        self.base_url = base_url.rstrip("/")
        self._key = key
        rule = (HostRule(origin[1], origin[2]),)
        allow = AllowList(providers=rule) if base_url == default_url else AllowList(added=rule)
        limits = HttpLimits(
            connect_timeout_seconds=min(settings.connect_timeout_seconds, timeout),
            response_timeout_seconds=timeout,
            stall_timeout_seconds=timeout,
        )
        self._client = HttpClient(limits, EgressGate(allow, proxies=proxies, timeout_seconds=timeout))

    async def call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Told:
        """Send one request; never raises but when it is cancelled."""
        headers = {"Authorization": f"Bearer {self._key.reveal()}", "Accept": "application/json"}
        try:
            answer = await self._client.request(
                method, self.base_url + path, headers=headers, json=body, max_body_bytes=_MAX_ANSWER_BYTES
            )
        except EgressError as err:
            return Told(verdict=Verdict.REFUSED, words=self.clean(err.message))
        except StowError as err:
            return Told(verdict=Verdict.AGAIN, words=self.clean(err.message), pause_seconds=err.retry_after_seconds)
        data = _read(answer.body)
        words = f"HTTP {answer.status}"
        if answer.status >= 300 and (detail := self._detail(answer.status, answer.headers, answer.body, data)):
            words = f"{words}: {detail}"
        return Told(
            verdict=judge(answer.status),
            words=words,
            status=answer.status,
            data=data,
            pause_seconds=retry_after_seconds(answer.headers) if answer.status == 429 else None,
        )

    def _detail(self, status: int, headers: Mapping[str, str], body: bytes, data: Any) -> str:
        """Return the server's own words: RFC 9457's `detail`, vast.ai's `msg`, else the beginning of the body."""
        if isinstance(data, dict):
            parts = [data.get(name) for name in ("detail", "msg", "message", "title", "error")]
            text = next((part for part in parts if isinstance(part, str) and part), "")
            line = " ".join("".join(char for char in text if char.isprintable()).split())
            return self.clean(line[:300])
        return self.clean(Answer(url=self.base_url, status=status, headers=headers, body=body).text(120))

    def clean(self, text: str) -> str:
        """Take the key and whatever looks like one out of words that others wrote."""
        key = self._key.reveal()
        return scrub(text.replace(key, MASK) if key else text)

    async def close(self) -> None:
        """Close connections."""
        await self._client.close()


def _read(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except (ValueError, RecursionError):
        return None


def text_of(data: Any, *path: str) -> str | None:
    """Return a text inside JSON that a stranger sent, None where there is none."""
    found = _at(data, path)
    return found[:200] if isinstance(found, str) and found else None


def number_of(data: Any, *path: str) -> float | None:
    """Return a finite number inside JSON that a stranger sent, None where there is none."""
    found = _at(data, path)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return float(found) if abs(found) < 1e15 else None


def _at(data: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data
