"""A local server that plays the published APIs of RunPod (v2, GraphQL) and vast.ai, and can fail in every way."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

POD, KEY, INSTANCE = "7h9k2m4n6p", "rpa_SECRET0123456789ABCDEFGHIJ", "123456"

#: The schema's own example of a pod (docs.runpod.io, api-reference-v2/openapi.json, `podAction`).
EXAMPLE_POD: dict[str, Any] = {
    "id": POD, "name": "pytorch-training", "image": "runpod/pytorch:1.0.2", "args": "", "disk": 50,
    "ports": ["8888/http", "22/tcp"], "env": {}, "registry": None, "status": "RUNNING",
    "actions": ["stop", "restart", "terminate"], "mounts": {"persistent": {"size": 20, "path": "/workspace"}},
    "gpu": {"id": "NVIDIA GeForce RTX 4090", "count": 1}, "cloud": "SECURE", "dataCenterId": "US-KS-2",
    "cudaVersion": "12.8", "template": None, "cost": 0.44, "locked": False,
    "createdAt": "2026-06-01T12:00:00Z", "startedAt": "2026-06-01T12:02:00Z",
}  # fmt: skip
NETWORK_VOLUME = {"network": [{"volumeId": "vol_xyz", "path": "/workspace"}]}


@dataclass
class Fault:
    """One answer in place of the right one: a status, or `hang`, `drop`; `acts` carries the request out first."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    kind: str = "answer"
    acts: bool = False


class FakeProviders:
    """The state of one pod, one instance, the templates of an account, and what was asked for."""

    def __init__(self) -> None:
        self.pod = json.loads(json.dumps(EXAMPLE_POD))
        self.instance = {
            "id": int(INSTANCE), "actual_status": "running", "intended_status": "running", "cur_state": "running",
            "dph_total": 0.31, "geolocation": "Sweden, SE", "gpu_name": "RTX 4090", "num_gpus": 2,
            "start_date": 1_780_000_000.0,
        }  # fmt: skip
        self.templates: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str, Any, dict[str, str], str]] = []
        self.faults: dict[str, list[Fault]] = {}
        self.stubborn = False
        self.url = ""

    # What tests look at

    def calls(self, *, changing: bool = True) -> list[str]:
        """List `METHOD path`, by default only of what changes something."""
        return [f"{method} {path}" for method, path, *_ in self.asked if not changing or method != "GET"]

    @property
    def stops(self) -> int:
        """Count the calls that ask for a stop or a termination."""
        return sum("action" in call or "graphql" in call or "instances" in call for call in self.calls())

    def fail(self, way: str, *faults: Fault | int) -> None:
        """Give these answers to the next calls of `rest`, `graphql`, `look`, `vast`, `vast-look` or `templates`."""
        self.faults.setdefault(way, []).extend(Fault(status=item) if isinstance(item, int) else item for item in faults)

    # The server

    async def take(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        self.asked.append((request.method, request.path, body, dict(request.headers), request.query_string))
        way = self._way(request)
        queue = self.faults.get(way, [])
        fault = queue.pop(0) if queue else None
        if fault is not None and not fault.acts:
            return await self._fail(request, fault)
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return _problem(401, "Unauthorized", "missing bearer token")
        answer = getattr(self, "_" + way.replace("-", "_"))(request, body)
        return answer if fault is None else await self._fail(request, fault)

    @staticmethod
    def _way(request: web.Request) -> str:
        path = request.path
        if "/templates" in path:
            return "templates"
        if path == "/graphql":
            return "graphql"
        if "/api/v0/" in path:
            return "vast" if request.method == "PUT" else "vast-look"
        return "look" if request.method == "GET" else "rest"

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.kind == "hang":
            await asyncio.sleep(30)
        if fault.kind == "drop":
            assert request.transport is not None
            request.transport.abort()
        if fault.body is not None:
            return web.Response(status=fault.status, headers=fault.headers, text=fault.body)
        return _problem(fault.status, "Fault", f"played {fault.status}, key {KEY}", fault.headers)

    def _end(self, status: str) -> None:
        if not self.stubborn:
            self.pod.update(status=status, actions=["start", "terminate"], cost=0.0)

    def _rest(self, request: web.Request, body: Any) -> web.Response:
        if request.path != f"/v2/pods/{POD}/action":
            return _problem(404, "Not Found", "resource not found")
        if set(body) != {"action"} or body["action"] not in {"start", "stop", "restart", "terminate"}:
            return _problem(422, "Unprocessable Entity", "Request validation failed.")
        if body["action"] not in self.pod["actions"] or self.pod["locked"]:
            return _problem(409, "Conflict", "action not valid for current pod status")
        if body["action"] == "terminate":
            self._end("TERMINATED")
            return web.Response(status=204)
        self._end("EXITED")
        limits = {"RateLimit": '"minute";r=59;t=12', "RateLimit-Policy": '"minute";q=60;w=60'}
        return web.json_response(self.pod, headers=limits)

    def _look(self, request: web.Request, _body: Any) -> web.Response:
        if request.path != f"/v2/pods/{POD}" or self.pod["status"] == "TERMINATED":
            return _problem(404, "Not Found", "resource not found")
        return web.json_response(self.pod)

    def _graphql(self, _request: web.Request, body: Any) -> web.Response:
        if body["variables"]["input"]["podId"] != POD:
            return web.json_response({"errors": [{"message": "pod not found"}], "data": {"podStop": None}})
        if "podTerminate" in body["query"]:
            self._end("TERMINATED")
            return web.json_response({"data": {"podTerminate": None}})
        self._end("EXITED")
        return web.json_response({"data": {"podStop": {"id": POD, "desiredStatus": "EXITED"}}})

    def _vast(self, request: web.Request, body: Any) -> web.Response:
        if request.path != f"/api/v0/instances/{INSTANCE}/":
            return web.json_response({"success": False, "error": "no_such_instance", "msg": "not found."}, status=404)
        if body != {"state": "stopped"}:
            return web.json_response({"success": False, "msg": "Invalid target state"}, status=400)
        if not self.stubborn:
            self.instance.update(intended_status="stopped", cur_state="stopped")
        return web.json_response({"success": True})

    def _vast_look(self, _request: web.Request, _body: Any) -> web.Response:
        return web.json_response({"instances": self.instance})

    def _templates(self, request: web.Request, body: Any) -> web.Response:
        identity = request.path.removeprefix("/v2/templates").strip("/")
        if request.method == "GET" and not identity:
            return web.json_response({"templates": list(self.templates.values())})
        if request.method == "POST":
            if any(row["name"] == body["name"] for row in self.templates.values()):
                return _problem(400, "Bad Request", "template names must be unique")
            identity = f"tpl_{len(self.templates) + 1}"
            self.templates[identity] = {"id": identity, "registry": None, "allowedCudaVersions": [], **body}
            return web.json_response(self.templates[identity], status=201)
        if identity not in self.templates:
            return _problem(404, "Not Found", "resource not found")
        if request.method == "PATCH":
            self.templates[identity].update(body)
        return web.json_response(self.templates[identity])


def _problem(status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> web.Response:
    """Answer as RFC 9457 wants it."""
    return web.json_response(
        {"title": title, "status": status, "detail": detail},
        status=status,
        headers=headers,
        content_type="application/problem+json",
    )


@contextmanager
def serve_providers() -> Iterator[FakeProviders]:
    """Serve on a port of its own, in a thread, as long as the context lasts."""
    fake, ready = FakeProviders(), threading.Event()
    told: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", fake.take)
        runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        over = asyncio.Event()
        told.append((asyncio.get_running_loop(), over))
        ready.set()
        await over.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="fake-providers", daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield fake
    finally:
        loop, over = told[0]
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
