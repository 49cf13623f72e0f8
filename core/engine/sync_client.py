"""The engine as a command sees it: standard library only, so that a command starts fast."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..config import Settings
from ..errors import EngineError
from .attach import Attached, find_or_start, stop, wait_for_end
from .connection import BROKEN, attach_again, connect, error_from_json, headers_for, send
from .protocol import LOCAL_HEADER, SESSION_HEADER

_log = logging.getLogger("comfystow.client")

_REQUEST_TIMEOUT_SECONDS = 120.0
#: An engine says something at least every few seconds; this long without a word, and it is asked again.
_SILENCE_TIMEOUT_SECONDS = 30.0
_LEAVE_TIMEOUT_SECONDS = 10.0


class SyncEngineClient:
    """One caller's way to the engine of a state folder.

    When the engine dies under a request, the next one is found or started and the request is made again: what changes
    something changes it once, however often it is asked for (the same file gives the same download).
    """

    def __init__(self, state_dir: Path, settings: Settings, *, start: bool = True) -> None:
        self._state_dir = state_dir
        self._settings = settings
        self._may_start = start
        self._make_session: Callable[[], dict[str, object]] | None = None
        self._session: dict[str, object] | None = None
        self._attached: Attached | None = None
        self._connection: http.client.HTTPConnection | None = None
        self.started_engine = False

    def introduce(self, make_session: Callable[[], dict[str, object]]) -> None:
        """Attach to each engine as a session; `make_session` is called once, when the first engine answers."""
        self._make_session = make_session

    @property
    def engine(self) -> Attached:
        """The engine, found or started. Raises: EngineError."""
        if self._attached is None:
            found = find_or_start(self._state_dir, self._settings, start=self._may_start)
            self._attached = found
            self.started_engine = self.started_engine or found.started
            if self._make_session is not None:
                self._session = self._session or self._make_session()
                self._introduce(found)
        return self._attached

    def request(
        self, method: str, path: str, body: object = None, *, timeout_seconds: float = _REQUEST_TIMEOUT_SECONDS
    ) -> tuple[int, Any]:
        """Make one request. Raises: EngineError: no engine answers for as long as one may take to start."""
        deadline = time.monotonic() + self._settings.engine_start_timeout_seconds
        while True:
            try:
                return self._send(method, path, body, timeout_seconds)
            except TimeoutError:
                self._forget()
                raise EngineError(f"the engine did not answer `{method} {path}` in time") from None
            except BROKEN as err:
                self._forget()
                if time.monotonic() >= deadline:
                    raise EngineError(f"the engine ended while it was asked: {err}") from err
                _log.info("the engine ended (%s), asking the next one", type(err).__name__)

    def call(
        self, method: str, path: str, body: object = None, *, timeout_seconds: float = _REQUEST_TIMEOUT_SECONDS
    ) -> Any:
        """Make one request and return its JSON. Raises: StowError: what the engine answered, as the error it was."""
        status, data = self.request(method, path, body, timeout_seconds=timeout_seconds)
        if status >= 400:
            raise error_from_json(status, data)
        return data

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield the engine's events until it ends; a heartbeat every few seconds is one of them.

        The stream keeps the session attached. After its end a caller reads the state again and follows on.
        """
        info = self.engine.info
        connection = connect(info, _SILENCE_TIMEOUT_SECONDS)
        with contextlib.closing(connection):
            try:
                connection.request("GET", "/events", headers=self._headers())
                response = connection.getresponse()
                if response.status != http.client.OK:
                    self._forget()
                    return
                while line := response.readline():
                    yield json.loads(line)
            except (*BROKEN, TimeoutError, ValueError) as err:
                _log.info("the event stream ended: %s", type(err).__name__)
            self._forget()

    def stop(self, *, reason: str, if_idle: bool = False) -> bool:
        """Ask the engine to journal and leave, and wait for its end; false when it stays."""
        asked = stop(self.engine.info, reason=reason, if_idle=if_idle)
        self._forget()
        return asked and wait_for_end(self._state_dir, self._settings, _LEAVE_TIMEOUT_SECONDS)

    def close(self) -> None:
        """Close the connection; the engine stays."""
        self._forget()

    def __enter__(self) -> SyncEngineClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _send(self, method: str, path: str, body: object, timeout_seconds: float) -> tuple[int, Any]:
        info = self.engine.info
        if self._connection is None:
            self._connection = connect(info, timeout_seconds)
        elif self._connection.sock is not None:
            self._connection.sock.settimeout(timeout_seconds)
        self._connection.timeout = timeout_seconds
        status, data = send(self._connection, method, path, body, self._headers())
        if attach_again(status, data):
            raise http.client.HTTPException("the engine asks to attach again")
        return status, data

    def _introduce(self, found: Attached) -> None:
        with contextlib.closing(connect(found.info, _REQUEST_TIMEOUT_SECONDS)) as connection:
            try:
                status, data = send(connection, "POST", "/host/attach", self._session, headers_for(found.info))
            except BaseException:
                self._attached = None
                raise
        if status >= 400:
            raise error_from_json(status, data)

    def _headers(self) -> dict[str, str]:
        extra = {LOCAL_HEADER: "1"}
        if self._session is not None:
            extra[SESSION_HEADER] = str(self._session["server_id"])
        return headers_for(self.engine.info, extra)

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._attached = None
