"""Ask a service whether it does its work: HTTP with exact expectations, TCP, or a command.

Blocking, within a time limit; the controller runs probes in threads. A status code alone proves nothing: copyparty
answers 200 with an empty list to anybody, and a proxy's error page may be 200 too.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field

_MOST_BODY_BYTES = 1 << 18
_MOST_BANNER_BYTES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpProbe:
    """GET `path` on this machine; right is `status`, and a JSON object with `key` in it (and `holds` in that)."""

    port: int
    path: str = "/"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    key: str | None = None
    holds: str | None = None
    host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpProbe:
    """Connect; right is that the other side greets with `banner`, or just takes the connection."""

    port: int
    banner: str | None = None
    host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandProbe:
    """Run a command; right is exit code 0."""

    words: tuple[str, ...]


Probe = HttpProbe | TcpProbe | CommandProbe


def failure_of(probe: Probe, timeout_seconds: float) -> str | None:
    """Return what is wrong with the answer, None where it is exactly as it should be."""
    try:
        match probe:
            case HttpProbe():
                return _http(probe, timeout_seconds)
            case TcpProbe():
                return _tcp(probe, timeout_seconds)
            case CommandProbe():
                return _command(probe, timeout_seconds)
    except TimeoutError:
        return f"no answer within {timeout_seconds:g} s"
    except ConnectionRefusedError:
        return f"nothing listens on port {getattr(probe, 'port', None)}"
    except (OSError, http.client.HTTPException, ValueError) as err:
        return f"{type(err).__name__}: {err}"[:200]


def _http(probe: HttpProbe, timeout_seconds: float) -> str | None:
    connection = http.client.HTTPConnection(probe.host, probe.port, timeout=timeout_seconds)
    try:
        connection.request("GET", probe.path, headers=dict(probe.headers))
        response = connection.getresponse()
        body = response.read(_MOST_BODY_BYTES)
    finally:
        connection.close()
    if response.status != probe.status:
        return f"it answers {response.status}, not {probe.status}"
    if probe.key is None:
        return None
    data = json.loads(body)
    if not isinstance(data, dict) or probe.key not in data:
        return f"its answer has no `{probe.key}`"
    if probe.holds is not None and probe.holds not in data[probe.key]:
        return f"`{probe.key}` of its answer does not hold `{probe.holds}`"
    return None


def _tcp(probe: TcpProbe, timeout_seconds: float) -> str | None:
    with socket.create_connection((probe.host, probe.port), timeout=timeout_seconds) as connection:
        if probe.banner is None:
            return None
        greeting = connection.recv(_MOST_BANNER_BYTES)
    wanted = probe.banner.encode()
    return None if greeting.startswith(wanted) else f"it does not greet with `{probe.banner}`"


def _command(probe: CommandProbe, timeout_seconds: float) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - the owner's own command
            probe.words, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return f"its check did not end within {timeout_seconds:g} s"
    return None if done.returncode == 0 else f"its check ended with {done.returncode}"
