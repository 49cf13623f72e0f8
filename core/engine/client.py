"""The engine as a coroutine sees it: ComfyUI's server, a node, the pod. Nothing here blocks the caller's loop."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import Settings, load_settings
from ..errors import EngineError
from .attach import Attached, find_or_start
from .connection import attach_again, error_from_json, headers_for
from .protocol import LOCAL_HEADER, SESSION_HEADER

if TYPE_CHECKING:
    import aiohttp

_log = logging.getLogger("comfystow.client")

_REQUEST_TIMEOUT_SECONDS = 120.0
_SILENCE_TIMEOUT_SECONDS = 30.0
_AGAIN_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the engine answered, as it came."""

    status: int
    body: bytes
    content_type: str = "application/json"
    retry_after: str | None = None

    @property
    def data(self) -> Any:
        """The JSON in it. Raises: EngineError: there is none."""
        try:
            return json.loads(self.body) if self.body else None
        except ValueError:
            raise EngineError(f"the engine answered {self.status} without JSON") from None


class EngineClient:
    """One caller's way to the engine of a state folder; it finds or starts the next one when an engine ends.

    `session` is the body of `POST /host/attach`; each new engine is given it again. `local` asks for host paths in
    answers, which a proxy for browsers must not.
    """

    def __init__(
        self,
        state_dir: Path,
        settings: Settings | None = None,
        *,
        start: bool = True,
        session: Mapping[str, object] | None = None,
        local: bool = False,
    ) -> None:
        self._state_dir = state_dir
        self._settings = settings
        self._start = start
        self._session = session
        self._local = local
        self._attached: Attached | None = None
        self._http: aiohttp.ClientSession | None = None
        self._lock = asyncio.Lock()  # guards _attached and _http: one attach at a time

    @classmethod
    async def attach(
        cls,
        state_dir: Path,
        settings: Settings | None = None,
        *,
        start: bool = True,
        session: Mapping[str, object] | None = None,
        local: bool = False,
    ) -> EngineClient:
        """Find or start the engine now. Raises: EngineError."""
        client = cls(state_dir, settings, start=start, session=session, local=local)
        await client.ready()
        return client

    async def ready(self) -> Attached:
        """Return the engine that this client talks to, found or started. Raises: EngineError."""
        return (await self._engine())[0]

    async def introduce(self, session: Mapping[str, object]) -> None:
        """Be this session from now on. Raises: EngineError."""
        self._session = session
        await self._forget()
        await self._engine()

    async def request(
        self, method: str, path: str, json: object = None, *, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Make one request, again with the next engine when this one ends under it. Raises: EngineError."""
        body = None if json is None else dumps(json).encode("utf-8")
        answer = await self._asked(method, path, body, headers or {})
        return answer.status, answer.data

    async def relay(self, method: str, path: str, body: bytes | None) -> Answer:
        """Pass a request on as bytes, and give the engine's answer as bytes. Raises: EngineError."""
        return await self._asked(method, path, body, {})

    async def call(
        self, method: str, path: str, json: object = None, *, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Make one request and return its JSON. Raises: StowError: what the engine answered, as the error it was."""
        status, data = await self.request(method, path, json, headers=headers)
        if status >= http.client.BAD_REQUEST:
            raise error_from_json(status, data)
        return data

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Yield the engine's events until it ends; heartbeats are among them. The stream keeps the session attached."""
        import aiohttp

        attached, session = await self._engine()
        timeout = aiohttp.ClientTimeout(total=None, sock_read=_SILENCE_TIMEOUT_SECONDS)
        try:
            async with session.get("/events", headers=self._headers(attached), timeout=timeout) as response:
                if response.status != http.client.OK:
                    await self._forget()
                    return
                # Not by `readline`: its limit of 64 KiB is less than a long queue in one event.
                rest = b""
                async for chunk in response.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        yield json.loads(line)
        except (aiohttp.ClientError, ConnectionError, TimeoutError, ValueError) as err:
            _log.info("the event stream ended: %s", type(err).__name__)
        await self._forget()

    async def close(self) -> None:
        """Close the connections; the engine stays."""
        await self._forget()

    async def __aenter__(self) -> EngineClient:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def _loaded(self) -> Settings:
        if self._settings is None:
            file = self._state_dir / "settings.json"
            self._settings = await asyncio.to_thread(load_settings, None, file)
        return self._settings

    async def _engine(self) -> tuple[Attached, aiohttp.ClientSession]:
        async with self._lock:
            if self._attached is None or self._http is None:
                self._attached, self._http = await self._attach(await self._loaded())
            return self._attached, self._http

    async def _attach(self, settings: Settings) -> tuple[Attached, aiohttp.ClientSession]:
        """Find an engine and introduce ourselves; one that ends between the two is followed by the next."""
        import aiohttp

        deadline = time.monotonic() + settings.engine_start_timeout_seconds
        while True:
            found = await asyncio.to_thread(find_or_start, self._state_dir, settings, start=self._start)
            session = _open(found)
            try:
                await self._introduce(found, session)
            except (aiohttp.ClientError, ConnectionError, TimeoutError) as err:
                await session.close()
                if isinstance(err, TimeoutError) or time.monotonic() >= deadline:
                    raise EngineError(f"the engine ended while it was attached to: {err}") from err
                await asyncio.sleep(_AGAIN_SECONDS)
            except BaseException:
                await session.close()
                raise
            else:
                return found, session

    async def _introduce(self, found: Attached, session: aiohttp.ClientSession) -> None:
        if self._session is None:
            return
        async with session.post("/host/attach", json=dict(self._session), headers=headers_for(found.info)) as response:
            if response.status >= http.client.BAD_REQUEST:
                raise error_from_json(response.status, await response.json())

    async def _asked(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Ask until an engine answers that is not about to leave."""
        import aiohttp

        deadline = time.monotonic() + (await self._loaded()).engine_start_timeout_seconds
        while True:
            attached, session = await self._engine()
            try:
                answer = await _send(session, method, path, body, {**self._headers(attached), **headers})
            except TimeoutError:
                raise EngineError(f"the engine did not answer `{method} {path}` in time") from None
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionError) as err:
                await self._forget()
                if time.monotonic() >= deadline:
                    raise EngineError(f"the engine ended while it was asked: {err}") from err
                continue
            again = answer.status >= http.client.BAD_REQUEST and attach_again(answer.status, answer.data)
            if not again or time.monotonic() >= deadline:
                return answer
            await self._forget()
            await asyncio.sleep(_AGAIN_SECONDS)

    def _headers(self, attached: Attached) -> dict[str, str]:
        extra = {LOCAL_HEADER: "1"} if self._local else {}
        if self._session is not None:
            extra[SESSION_HEADER] = str(self._session["server_id"])
        return headers_for(attached.info, extra)

    async def _forget(self) -> None:
        session, self._http, self._attached = self._http, None, None
        if session is not None:
            await session.close()


async def _send(
    session: aiohttp.ClientSession, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
) -> Answer:
    from yarl import URL

    # `encoded`: a path is quoted once, by whoever made it.
    async with session.request(method, URL(path, encoded=True), data=body, headers=headers) as response:
        return Answer(
            status=response.status,
            body=await response.read(),
            content_type=response.content_type,
            retry_after=response.headers.get("Retry-After"),
        )


def _open(found: Attached) -> aiohttp.ClientSession:
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=_REQUEST_TIMEOUT_SECONDS)
    if found.info.socket is not None:
        connector: aiohttp.BaseConnector = aiohttp.UnixConnector(found.info.socket)
        return aiohttp.ClientSession("http://localhost", connector=connector, timeout=timeout)
    return aiohttp.ClientSession(f"http://127.0.0.1:{found.info.port}", timeout=timeout)
