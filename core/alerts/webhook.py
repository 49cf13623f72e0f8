"""Alerts to an address of the owner's: signed, tried again for a while, never piling up.

Each message is a POST of JSON with `X-ComfyStow-Signature: t=SECONDS,v1=HEX`, where HEX is the HMAC-SHA256 of
`SECONDS.BODY` under `alert_webhook_secret` (left out without one): the time is inside, so that an old message cannot
be sent again by somebody else.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import random
import time
from collections import deque
from dataclasses import dataclass

from ..config import Settings
from ..errors import ConfigError, EgressError, StowError
from ..net.client import HttpClient, HttpLimits
from ..net.egress import EgressGate
from ..net.hosts import AllowList, HostRule, origin_of
from ..net.proxies import Proxies
from ..net.secrets import redact
from ..records.alert import ActiveAlert
from ..records.json import to_json

_log = logging.getLogger("comfystow.alerts")

#: Older news is dropped first: whoever comes back after a day wants to know what is, not what was.
_MAX_WAITING = 64
_MAX_PAUSE_SECONDS = 300.0
_MAX_ANSWER_BYTES = 64 << 10
SIGNATURE_HEADER = "X-ComfyStow-Signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookStatus:
    """What has become of the messages; no path or query of the address, which often hold its secret."""

    host: str
    waiting: int
    delivered: int
    dropped: int
    last_error: str | None


def signature(secret: str, sent_at: int, body: bytes) -> str:
    """Return the value of the signature's header."""
    digest = hmac.new(secret.encode(), f"{sent_at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={sent_at},v1={digest}"


def message_of(alert: ActiveAlert) -> dict[str, object]:
    """Return the JSON of a message; `text` and `content` are what Slack's and Discord's webhooks show."""
    state = "resolved" if alert.resolved_at is not None else "firing"
    words = (
        f"resolved: {alert.summary}" if state == "resolved" else f"{alert.severity}: {alert.summary} ({alert.action})"
    )
    return {"version": 1, "status": state, "alert": to_json(alert), "text": words, "content": words}


class Webhook:
    """Sends one message after the other, on the loop that `offer` is called on."""

    def __init__(self, settings: Settings, proxies: Proxies) -> None:
        """Raises: ConfigError: the address is none."""
        url = settings.alert_webhook_url or ""
        origin = origin_of(url)
        if origin is None:
            raise ConfigError("`alert_webhook_url` is no http(s) address", hint="write https://host/path")
        self._url = url
        self._host = origin[1]
        self._secret = settings.alert_webhook_secret
        self._pause_seconds = settings.alert_webhook_retry_seconds
        self._tries = max(1, settings.alert_webhook_retry_limit)
        # A gate of its own: naming a webhook must not allow downloads from its host, nor the other way round.
        allow = AllowList(added=(HostRule(origin[1], origin[2]),))
        gate = EgressGate(allow, proxies=proxies, timeout_seconds=settings.connect_timeout_seconds)
        self._client = HttpClient(HttpLimits.of(settings), gate)
        self._waiting: deque[ActiveAlert] = deque()
        self._task: asyncio.Task[None] | None = None
        self._delivered = self._dropped = 0
        self._last_error: str | None = None

    @property
    def status(self) -> WebhookStatus:
        """What has become of the messages."""
        return WebhookStatus(
            host=self._host,
            waiting=len(self._waiting),
            delivered=self._delivered,
            dropped=self._dropped,
            last_error=self._last_error,
        )

    def offer(self, alert: ActiveAlert) -> None:
        """Take a message; the oldest is dropped where too many wait."""
        if len(self._waiting) >= _MAX_WAITING:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(alert)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._send_all(), name="alert-webhook")

    async def close(self) -> None:
        """Give up what waits."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._client.close()

    async def _send_all(self) -> None:
        while self._waiting:
            await self._send(self._waiting.popleft())

    async def _send(self, alert: ActiveAlert) -> None:
        pause = self._pause_seconds
        for tried in range(1, self._tries + 1):
            error, final = await self._try(alert)
            if error is None:
                self._delivered += 1
                self._last_error = None
                return
            self._last_error = error
            if final or tried == self._tries:
                break
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))
            pause = min(_MAX_PAUSE_SECONDS, pause * 2)
        self._dropped += 1
        _log.warning("the webhook did not take `%s`: %s", alert.name, self._last_error)

    async def _try(self, alert: ActiveAlert) -> tuple[str | None, bool]:
        """Post once; return what went wrong, and whether trying again is useless."""
        message, sent_at = message_of(alert), int(time.time())
        headers = {}
        if self._secret is not None:
            headers[SIGNATURE_HEADER] = signature(self._secret, sent_at, json.dumps(message).encode())
        try:
            answer = await self._client.request(
                "POST", self._url, json=message, headers=headers, max_body_bytes=_MAX_ANSWER_BYTES
            )
        except EgressError as err:
            return err.message, True
        except StowError as err:
            return err.message, False
        if answer.status < 300:
            return None, False
        again = answer.status in {408, 425, 429} or answer.status >= 500
        return f"{redact(self._url).rpartition('/')[0]} answered {answer.status}", not again
