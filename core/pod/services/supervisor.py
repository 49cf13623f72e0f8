"""supervisord as we use it: it starts and ends processes, keeps their output in bounded files, and decides nothing.

    <folder>/supervisord.conf   0600
    <folder>/supervisor.sock    0700: its XML-RPC
    <folder>/children/NAME.json 0600: words, folder and environment of a service, read by `child.py`
    <folder>/logs/NAME.log      what the service writes, 10 MB and two older files at most

The folder is machine-local and ours alone. Facts of supervisor 4.3.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...errors import ConfigError, EngineError
from .processes import runs
from .service import Service

_CHILD = Path(__file__).with_name("child.py")
_START_SECONDS = 15.0
_POLL_SECONDS = 0.02
_REAP_SECONDS = 3.0
#: supervisord ends nobody by itself before we do: this is only how long it would wait.
_STOP_WAIT_SECONDS = 3600
_LOG_BYTES = 10_000_000
_RUNNING = {10, 20, 40}  # STARTING, RUNNING, STOPPING (supervisor/states.py)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a process ended; `code` None where a signal ended it."""

    code: int | None

    def __str__(self) -> str:
        return "a signal ended it" if self.code is None else f"it ended with {self.code}"


class Supervisor:
    """One supervisord. Calls block for a moment only, in threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def check() -> None:
        """Raises: ConfigError: supervisor is not installed."""
        if find_spec("supervisor") is None:
            raise ConfigError(
                "`pod up` needs the package supervisor, which is not installed here",
                hint=f'install it: "{sys.executable}" -m pip install "supervisor>=4.3"',
            )

    def log_of(self, name: str) -> Path:
        """Return the file that holds what a service writes."""
        return self.logs / f"{name}.log"

    def launch(self, names: Sequence[str]) -> None:
        """Start supervisord for programs of these names, without waiting for it; what they are may be told later."""
        for folder in (self.folder, self._children, self.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        conf = self.folder / "supervisord.conf"
        _write(conf, self._configuration(names))
        self._socket.unlink(missing_ok=True)
        with (self.folder / "supervisord.out").open("wb") as out:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(conf)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self.folder,
                start_new_session=True,  # a signal to our group is for us alone: we end the services in order
            )

    def prepare(self, services: Sequence[Service]) -> None:
        """Write down what each program is, before it is started."""
        for service in services:
            for path, text in service.files.items():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _write(path, text)
            _write(self._children / f"{service.name}.json", json.dumps(_child(service)))

    async def ready(self) -> None:
        """Wait until it answers. Raises: EngineError: it ended, or takes too long."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                break
            if self._socket.exists():
                try:
                    await self._call("getState")
                except OSError:
                    pass
                else:
                    return
            await asyncio.sleep(_POLL_SECONDS)
        raise EngineError("supervisord does not start", hint=f"see `{self.folder / 'supervisord.out'}`")

    async def start(self, name: str) -> int:
        """Start a program and return its process. Raises: EngineError: it cannot be started."""
        import xmlrpc.client

        deadline = time.monotonic() + _REAP_SECONDS
        while True:
            try:
                await self._call("startProcess", name, False)
                info = await self._call("getProcessInfo", name)
            except xmlrpc.client.Fault as fault:
                if "ALREADY_STARTED" not in fault.faultString or time.monotonic() > deadline:
                    raise EngineError(f"it cannot be started: {fault.faultString}") from None
            except OSError as err:
                raise EngineError(f"supervisord does not answer: {err}") from err
            else:
                if info["pid"]:
                    return int(info["pid"])
                if info["statename"] in {"FATAL", "BACKOFF"} or time.monotonic() > deadline:
                    raise EngineError(f"it cannot be started: {info['spawnerr'] or info['statename']}")
            await asyncio.sleep(_POLL_SECONDS)

    async def stop(self, name: str) -> None:
        """Ask a program's process group to end; it may take its time."""
        import xmlrpc.client

        try:
            await self._call("stopProcess", name, False)
        except (xmlrpc.client.Fault, OSError):
            return  # it is not running, or supervisord is gone and with it our way to ask

    async def exit_of(self, name: str) -> Exit:
        """Return how a program ended that ended just now; each call lets supervisord take the status of the dead."""
        deadline = time.monotonic() + _REAP_SECONDS
        while time.monotonic() < deadline:
            try:
                info = await self._call("getProcessInfo", name)
            except OSError:
                break
            if info["state"] not in _RUNNING:
                code = int(info["exitstatus"])
                return Exit(code=None if code < 0 else code)
            await asyncio.sleep(_POLL_SECONDS)
        return Exit(code=None)

    async def close(self) -> None:
        """End supervisord; the services have ended before."""
        process = self.process
        if process is None:
            return
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, _REAP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)

    @property
    def _children(self) -> Path:
        return self.folder / "children"

    @property
    def _socket(self) -> Path:
        return self.folder / "supervisor.sock"

    async def _call(self, method: str, *arguments: object) -> Any:
        return await asyncio.to_thread(self._call_blocking, method, *arguments)

    def _call_blocking(self, method: str, *arguments: object) -> Any:
        import xmlrpc.client

        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(serverurl=f"unix://{self._socket}")
        try:
            # The address is never used: the transport goes to the socket.
            proxy = xmlrpc.client.ServerProxy("http://localhost", transport=transport)
            return getattr(proxy.supervisor, method)(*arguments)
        finally:
            transport.close()

    def _configuration(self, names: Sequence[str]) -> str:
        sections = [
            f"[unix_http_server]\nfile={_value(self._socket)}\nchmod=0700",
            "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
            "[supervisord]\nnodaemon=true\nsilent=true\nminfds=256\nminprocs=1\nidentifier=comfystow\n"
            f"logfile={_value(self.folder / 'supervisord.log')}\nlogfile_maxbytes=1MB\nlogfile_backups=1\n"
            f"pidfile={_value(self.folder / 'supervisord.pid')}\nchildlogdir={_value(self.logs)}\n"
            + ("user=root\n" if os.name == "posix" and os.getuid() == 0 else ""),
        ]
        for name in names:
            words = [sys.executable, "-I", "-S", str(_CHILD), str(self._children / f"{name}.json")]
            command = " ".join(shlex.quote(word) for word in words)
            sections.append(
                f"[program:{name}]\ncommand={_value(command)}\nautostart=false\nautorestart=false\nstartsecs=0\n"
                f"startretries=0\nstopsignal=TERM\nstopwaitsecs={_STOP_WAIT_SECONDS}\nstopasgroup=true\n"
                f"killasgroup=true\nredirect_stderr=true\nstdout_logfile={_value(self.log_of(name))}\n"
                f"stdout_logfile_maxbytes={_LOG_BYTES}\nstdout_logfile_backups=2"
            )
        return "\n\n".join(sections) + "\n"


def _value(value: object) -> str:
    """Write a value of the configuration, in which a percent sign begins an expansion."""
    return str(value).replace("%", "%%")


def _child(service: Service) -> dict[str, object]:
    return {
        "words": list(service.words),
        "directory": str(service.directory),
        "environment": dict(service.environment),
    }


def _write(path: Path, text: str) -> None:
    """Write a file that only we can read; what lay there, a link too, is replaced and never written into."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


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
