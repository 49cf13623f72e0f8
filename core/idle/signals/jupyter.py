"""Jupyter: kernels that are busy, and kernels and terminals in which something happened since the last look.

Servers of this user are found by the files that they leave in their runtime folder (jupyter_server `jpserver-*.json`,
0600: url, token, pid), the pod's own by what its controller tells. `/api/kernels` and `/api/terminals` are asked with
`no_track_activity`, or our own question would count as activity (jupyter_server `base/handlers.py`). The server's own
`last_activity` is of no use: an open browser tab keeps it at now.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...config import Settings
from ...errors import StowError
from ...net.client import HttpClient, HttpLimits
from ...net.egress import EgressGate
from ...net.hosts import AllowList, HostRule, origin_of
from ...net.secrets import Secret
from ...records.idle import Signal
from ...records.pod import ServiceState
from .reader import Surroundings, active, counted, idle, unknown

_TIMEOUT_SECONDS = 5.0
_MOST_ANSWER_BYTES = 4 << 20
_MOST_FILE_BYTES = 1 << 16
_ANSWERING = frozenset({ServiceState.READY, ServiceState.UNHEALTHY})
_BUSY = frozenset({"busy", "starting", "restarting", "autorestarting"})


@dataclass(frozen=True, slots=True)
class Server:
    """One Jupyter server, and the way in."""

    url: str
    token: Secret = field(repr=False)


class Jupyter:
    """All servers together."""

    name = "jupyter"

    def __init__(self, surroundings: Surroundings, settings: Settings) -> None:
        self._surroundings = surroundings
        self._own = settings.jupyter_url
        self._token = Secret(settings.jupyter_token or "")
        self._clients: dict[tuple[str, int], HttpClient] = {}
        self._seen: dict[str, dict[str, object]] = {}

    async def read(self) -> Signal | None:
        """Ask every server that lives; one that does not tell makes all unknown."""
        servers = await asyncio.to_thread(self._servers)
        if not servers:
            return None
        doubtful, kernels = None, 0
        for server in servers:
            try:
                found = await self._look(server)
            except StowError as err:
                doubtful = err.message
                continue
            if (busy := self._judge(server.url, found)) is not None:
                return active(self.name, busy)
            kernels += len(found)
        if doubtful is not None:
            return unknown(self.name, doubtful)
        return idle(self.name, f"{counted(kernels, 'kernel or terminal', 'kernels or terminals')}, none is busy")

    def _servers(self) -> list[Server]:
        environment = self._surroundings.environment()
        token = Secret(environment.get("JUPYTER_TOKEN") or self._token.reveal())
        urls = [self._own.rstrip("/")] if self._own else []
        urls += [
            f"http://127.0.0.1:{status.port}"
            for status in self._surroundings.services()
            if status.name == self.name and status.port is not None and status.state in _ANSWERING
        ]
        found = {server.url: server for server in living_servers(environment)}
        known = {url: found.get(url, Server(url, token)) for url in urls}
        return list({**known, **found}.values())

    async def _look(self, server: Server) -> list[dict[str, Any]]:
        kernels = await self._ask(server, "/api/kernels")
        terminals = await self._ask(server, "/api/terminals", optional=True)
        return [row for row in (*kernels, *terminals) if isinstance(row, dict)]

    async def _ask(self, server: Server, path: str, *, optional: bool = False) -> list[Any]:
        token = server.token.reveal() or self._token.reveal()
        headers = {"Authorization": f"token {token}"} if token else {}
        answer = await self._client(server.url).request(
            "GET", f"{server.url}{path}?no_track_activity=1", headers=headers, max_body_bytes=_MOST_ANSWER_BYTES
        )
        if optional and answer.status == 404:  # terminals can be switched off
            return []
        if answer.status != 200:
            raise StowError(f"its server answers HTTP {answer.status}", hint="set COMFYSTOW_JUPYTER_TOKEN")
        rows = answer.json()
        return rows if isinstance(rows, list) else []

    def _client(self, url: str) -> HttpClient:
        """Have one client a server: each may reach that server's port and nothing else."""
        origin = origin_of(url)
        if origin is None:
            raise StowError("`jupyter_url` is no http(s) address")
        place = (origin[1], origin[2])
        if place not in self._clients:
            limits = HttpLimits(
                connect_timeout_seconds=_TIMEOUT_SECONDS,
                response_timeout_seconds=_TIMEOUT_SECONDS,
                stall_timeout_seconds=_TIMEOUT_SECONDS,
            )
            gate = EgressGate(AllowList(added=(HostRule(*place),)), timeout_seconds=_TIMEOUT_SECONDS)
            self._clients[place] = HttpClient(limits, gate)
        return self._clients[place]

    def _judge(self, url: str, rows: list[dict[str, Any]]) -> str | None:
        """Say what is busy, None where nothing is; a kernel or terminal that is new has just been used."""
        before = self._seen.get(url)
        now = {str(row.get("id") or row.get("name")): row.get("last_activity") for row in rows}
        self._seen[url] = now
        busy = sum(row.get("execution_state") in _BUSY for row in rows)
        if busy:
            return f"{counted(busy, 'kernel is', 'kernels are')} busy"
        if before is not None and any(before.get(name, ...) != moment for name, moment in now.items()):
            return "a kernel or terminal was used just now"
        return None

    async def close(self) -> None:
        """Close connections."""
        for client in self._clients.values():
            await client.close()


def runtime_dir(environment: Mapping[str, str]) -> Path:
    """Return where servers leave their files (jupyter_core `paths.py`, on Linux)."""
    if folder := environment.get("JUPYTER_RUNTIME_DIR"):
        return Path(folder)
    if folder := environment.get("JUPYTER_DATA_DIR"):
        return Path(folder) / "runtime"
    home = environment.get("HOME") or "/root"
    data = environment.get("XDG_DATA_HOME")
    return (Path(data) if data else Path(home) / ".local" / "share") / "jupyter" / "runtime"


def living_servers(environment: Mapping[str, str]) -> list[Server]:
    """List the servers of this user that live; what a dead one left is passed over."""
    servers = []
    if os.name != "posix":  # elsewhere `os.kill` asks nothing, it ends the process
        return []
    try:
        files = sorted(runtime_dir(environment).glob("jpserver-*.json"))
    except OSError:
        return []
    for file in files:
        try:
            with file.open("rb") as opened:
                told = json.loads(opened.read(_MOST_FILE_BYTES))
            pid, port = int(told["pid"]), int(told["port"])
            base, scheme = str(told.get("base_url", "/")), "https" if told.get("secure") else "http"
            token = str(told.get("token") or "")
            os.kill(pid, 0)
        except PermissionError:
            continue  # another user's: its file could not be used either
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        # The name that it gives itself may not resolve here; it listens on this machine.
        servers.append(Server(f"{scheme}://127.0.0.1:{port}{base.rstrip('/')}", Secret(token)))
    return servers
