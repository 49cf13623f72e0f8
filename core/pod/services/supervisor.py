"""supervisord as we use it: it starts and ends processes, keeps their output in bounded files, and decides nothing."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import time
import xmlrpc.client
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from ...errors import EngineError
from .processes import runs
from .service import Service
from .supervisord import Supervisord, write_private

_START_SECONDS = 15.0
_ANSWER_SECONDS = 10.0
_POLL_SECONDS = 0.02
_REAP_SECONDS = 3.0
_SHUTDOWN = 6  # Faults.SHUTDOWN_STATE (supervisor/xmlrpc.py)
_RUNNING = {10, 20, 40}  # STARTING, RUNNING, STOPPING (supervisor/states.py)


class AwayError(EngineError):
    """supervisord does not answer, or is about to end: nothing that can be held against a service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a process ended; `code` None where a signal ended it."""

    code: int | None

    def __str__(self) -> str:
        return "a signal ended it" if self.code is None else f"it ended with {self.code}"


class Supervisor:
    """One supervisord. Calls block for a moment only, in threads."""

    def __init__(self, daemon: Supervisord) -> None:
        self.daemon = daemon

    def prepare(self, services: Sequence[Service]) -> None:
        """Write down what each program is, before it is started."""
        for service in services:
            for path, text in service.files.items():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_private(path, text)
            write_private(self.daemon.children / f"{service.name}.json", json.dumps(_child(service)))

    async def ready(self) -> None:
        """Wait until it answers. Raises: EngineError: it ended, or takes too long."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if not self.daemon.runs:
                break
            if self.daemon.socket.exists():
                try:
                    await self._call("getState")
                except (xmlrpc.client.Fault, OSError):
                    pass
                else:
                    return
            await asyncio.sleep(_POLL_SECONDS)
        raise EngineError("supervisord does not start", hint=f"see `{self.daemon.folder / 'supervisord.out'}`")

    async def start(self, name: str) -> int:
        """Start a program and return its process. Raises: AwayError; EngineError: it cannot be started."""
        deadline = time.monotonic() + _REAP_SECONDS
        while True:
            try:
                await self._call("startProcess", name, False)
                info = await self._call("getProcessInfo", name)
            except xmlrpc.client.Fault as fault:
                if fault.faultCode == _SHUTDOWN:
                    raise AwayError("supervisord is about to end") from None
                if "ALREADY_STARTED" not in fault.faultString or time.monotonic() > deadline:
                    raise EngineError(f"it cannot be started: {fault.faultString}") from None
            except OSError as err:
                raise AwayError(f"supervisord does not answer: {err}") from err
            else:
                if info["pid"]:
                    return int(info["pid"])
                if info["statename"] in {"FATAL", "BACKOFF"} or time.monotonic() > deadline:
                    raise EngineError(f"it cannot be started: {info['spawnerr'] or info['statename']}")
            await asyncio.sleep(_POLL_SECONDS)

    async def stop(self, name: str) -> bool:
        """Ask a program's process group to end; it may take its time. False where supervisord cannot pass that on."""
        try:
            await self._call("stopProcess", name, False)
        except (xmlrpc.client.Fault, OSError):
            return False  # it does not run, or supervisord is about to end, or has
        return True

    async def exit_of(self, name: str) -> Exit:
        """Return how a program ended that ended just now; each call lets supervisord take the status of the dead."""
        deadline = time.monotonic() + _REAP_SECONDS
        while time.monotonic() < deadline:
            try:
                info = await self._call("getProcessInfo", name)
            except (xmlrpc.client.Fault, OSError):
                break
            if info["state"] not in _RUNNING:
                code = int(info["exitstatus"])
                return Exit(code=None if code < 0 else code)
            await asyncio.sleep(_POLL_SECONDS)
        return Exit(code=None)

    async def close(self) -> None:
        """End supervisord; the services have ended before."""
        await asyncio.to_thread(self.daemon.end)

    async def _call(self, method: str, *arguments: object) -> Any:
        return await asyncio.to_thread(self._call_blocking, method, *arguments)

    def _call_blocking(self, method: str, *arguments: Any) -> Any:
        """Raises: xmlrpc.client.Fault: what supervisord answered; OSError: it did not."""
        connection = _UnixConnection(self.daemon.socket)
        try:
            question = xmlrpc.client.dumps(arguments, f"supervisor.{method}")
            connection.request("POST", "/RPC2", question, {"Content-Type": "text/xml"})
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                raise ConnectionError(f"it answers {answer.status}")
            return xmlrpc.client.loads(answer.read())[0][0]
        except (http.client.HTTPException, ExpatError, xmlrpc.client.ResponseError) as err:
            raise ConnectionError(f"it broke off: {type(err).__name__}") from err
        finally:
            connection.close()


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket; supervisor's own transport would wait for ever for one that hangs."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_ANSWER_SECONDS)
        self.sock.connect(str(self._path))


def _child(service: Service) -> dict[str, object]:
    return {
        "words": list(service.words),
        "directory": str(service.directory),
        "environment": dict(service.environment),
    }


async def ended(pid: int, *, poll_seconds: float = 0.25) -> None:
    """Wait until a process has ended; at once where the kernel tells (pidfd_open(2)), else by looking."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):  # another system, or a sandbox without the call
        while runs(pid):
            await asyncio.sleep(poll_seconds)
        return
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    loop.add_reader(descriptor, done.set)
    try:
        await done.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
