"""The engine process from its first lock to its last."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import web

from ..config import Settings
from ..errors import EngineError, StowError
from ..mounts import mount_of
from ..runtime import Runtime, open_runtime
from .api import Api
from .info import EngineInfo, read_info, write_failure, write_info
from .lock import FileLock
from .presence import Presence
from .protocol import PROTOCOL_VERSION, EngineStatus
from .rundir import RunDir, run_dirs

_log = logging.getLogger("comfystow.engine")

_TICK_SECONDS = 0.25
_TOUCH_SECONDS = 3600.0
_DRAIN_SECONDS = 5.0
_CLOSE_SECONDS = 30.0
_STATE_LOCK_NAME = "engine.lock"


def run_engine(state_dir: Path, settings: Settings, version: str) -> int:
    """Be the engine of a state folder; return at once when another is. The result is the exit code of the process."""
    place = run_dirs(state_dir, settings.run_dir)[0]
    try:
        place.create()
        with _held(place, state_dir, settings.engine_start_timeout_seconds / 2) as mine:
            if mine:
                asyncio.run(_Engine(state_dir, settings, version, place).run())
    except StowError as err:
        _log.error("cannot start: %s", err)
        with contextlib.suppress(OSError):
            write_failure(place.failure, err)
        return err.exit_code
    return 0


@contextlib.contextmanager
def _held(place: RunDir, state_dir: Path, timeout_seconds: float) -> Iterator[bool]:
    """Hold the locks; false when another engine serves already.

    The lock in the run directory is the one that counts. The one in the state folder, where that is on a local disk,
    also stops an engine that a caller with another run directory (another container, another user) would start.
    """
    with FileLock(place.engine_lock) as lock:
        deadline = time.monotonic() + timeout_seconds
        while not lock.acquire():
            # Its holder has removed what a dead one left: what is published now is its own.
            if read_info(place.info) is not None or time.monotonic() >= deadline:
                yield False
                return
            time.sleep(0.02)
        place.info.unlink(missing_ok=True)
        place.socket.unlink(missing_ok=True)
        place.failure.unlink(missing_ok=True)
        with _state_lock(state_dir, timeout_seconds):
            yield True


@contextlib.contextmanager
def _state_lock(state_dir: Path, timeout_seconds: float) -> Iterator[None]:
    state_dir.mkdir(parents=True, exist_ok=True)
    mount = mount_of(state_dir)
    with FileLock(state_dir / _STATE_LOCK_NAME) as lock:
        if mount is None or not mount.network:
            with contextlib.suppress(OSError):  # a file system without locks
                if not lock.acquire_within(timeout_seconds):
                    raise EngineError(
                        f"another engine, out of our reach, works on `{state_dir}`",
                        hint="give its callers and ours the same COMFYSTOW_RUN_DIR, or end it",
                    )
        yield


class _Engine:
    """One life of an engine."""

    def __init__(self, state_dir: Path, settings: Settings, version: str, place: RunDir) -> None:
        self._state_dir = state_dir
        self._settings = settings
        self._version = version
        self._place = place
        self._presence = Presence()
        self._leaving = asyncio.Event()
        self._started_at = time.time()

    async def run(self) -> None:
        """Open the runtime, answer until it is time to leave, journal and close."""
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError):  # Windows
                asyncio.get_running_loop().add_signal_handler(number, self._leave, signal.Signals(number).name)
        async with AsyncExitStack() as stack:
            runtime = await open_runtime(self._state_dir, self._settings)
            stack.push_async_callback(runtime.close)
            await self._serve(runtime, stack)
            _log.info("engine %s answers for %s", self._version, self._state_dir)
            await self._until_leaving(runtime)
            self._place.info.unlink(missing_ok=True)
            await self._drain()
        self._place.socket.unlink(missing_ok=True)
        _log.info("engine ended")

    async def _serve(self, runtime: Runtime, stack: AsyncExitStack) -> None:
        token = None if os.name == "posix" else secrets.token_urlsafe(32)
        api = Api(
            runtime=runtime,
            presence=self._presence,
            status=lambda: self._status(runtime),
            leave=self._leave,
            leaving=self._leaving,
            token=token,
        )
        runner = web.AppRunner(
            api.application(), access_log=None, handler_cancellation=True, shutdown_timeout=_DRAIN_SECONDS
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        port: int | None = None
        if token is None:
            await web.UnixSite(runner, str(self._place.socket)).start()
        else:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            port = int(runner.addresses[0][1])
        write_info(
            self._place.info,
            EngineInfo(
                pid=os.getpid(),
                started_at=self._started_at,
                protocol_version=PROTOCOL_VERSION,
                version=self._version,
                socket=str(self._place.socket) if token is None else None,
                port=port,
                token=token,
            ),
        )

    def _status(self, runtime: Runtime) -> EngineStatus:
        return EngineStatus(
            pid=os.getpid(),
            version=self._version,
            protocol_version=PROTOCOL_VERSION,
            started_at=self._started_at,
            state_dir=str(self._state_dir),
            sessions=self._presence.sessions,
            busy=runtime.busy or runtime.watch.lasting,
            leaving=self._presence.leaving,
        )

    def _leave(self, reason: str) -> None:
        """Take no more requests, and begin to end."""
        if not self._presence.leaving:
            _log.info("leaving: %s", reason)
            # A thread that hangs on a dead volume must not keep the lock for ever. What was accepted is on disk.
            last_resort = threading.Timer(_CLOSE_SECONDS, os._exit, [1])
            last_resort.daemon = True
            last_resort.start()
        self._presence.leaving = True
        self._leaving.set()

    async def _until_leaving(self, runtime: Runtime) -> None:
        touched = time.monotonic()
        while not self._leaving.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), _TICK_SECONDS)
            self._detach_absent(runtime)
            # Between this look and `_leave` nothing is awaited: no request can come in between and be lost.
            if self._presence.idle_seconds() >= self._settings.engine_idle_seconds and not runtime.busy:
                self._leave("idle")
            if time.monotonic() - touched > _TOUCH_SECONDS:
                touched = time.monotonic()
                for path in (self._place.engine_lock, self._place.info, self._place.socket):
                    with contextlib.suppress(OSError):
                        os.utime(path)

    def _detach_absent(self, runtime: Runtime) -> None:
        """End sessions whose stream is gone, once nothing of theirs is under way that may need their tokens."""
        absent = self._presence.absent(self._settings.engine_idle_seconds)
        if not absent:
            return
        needed = {download.session_id for download in runtime.downloads.list() if not download.state.final}
        for session_id in absent:
            if session_id not in needed:
                runtime.sessions.detach(session_id)
                self._presence.forget(session_id)

    async def _drain(self) -> None:
        """Let what began come to its end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while self._presence.requests or self._presence.streams:
                    await asyncio.sleep(0.01)
