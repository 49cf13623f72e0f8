"""One HTTP request to a server on this machine, with the standard library alone."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# A proxy of the environment is never meant for loopback.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A response of the server."""

    status: int
    headers: Mapping[str, str]  # as the server spelled them
    body: bytes

    def json(self) -> Any:
        """Parse the body."""
        return json.loads(self.body)


def ask(
    method: str,
    url: str,
    body: object = None,
    *,
    headers: Mapping[str, str] | None = None,
    timeout_seconds: float = 30,
) -> Reply:
    """Send a request, `body` as JSON, bytes as they are. A refusal is a Reply too."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json"} if data is not None else {}
    request = urllib.request.Request(url, data=data, method=method, headers={**sent, **(headers or {})})
    try:
        with _OPENER.open(request, timeout=timeout_seconds) as answer:
            return Reply(status=answer.status, headers=dict(answer.headers), body=answer.read())
    except urllib.error.HTTPError as refusal:
        with refusal:
            return Reply(status=refusal.code, headers=dict(refusal.headers), body=refusal.read())
