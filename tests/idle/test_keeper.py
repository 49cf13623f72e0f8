"""The policy inside the engine's runtime, on a fast clock, against the provider's API: alerts, retries, second thoughts."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from comfystow.core.config import Settings
from comfystow.core.errors import ConflictError, UsageError
from comfystow.core.idle.savings import Savings, Stop, saved
from comfystow.core.records.idle import IdleMode, IdleState
from comfystow.core.records.pod import PodState
from comfystow.core.records.session import HostState, Session
from comfystow.core.runtime import Runtime, open_runtime
from support.providers import KEY, POD, FakeProviders

pytestmark = pytest.mark.timeout(90)

#: Five minutes are 1.5 s here.
FAST: dict[str, Any] = {
    "idle_mode": "stop", "idle_timeout_seconds": 300.0, "idle_grace_seconds": 60.0, "idle_check_seconds": 30.0,
    "idle_clock_rate": 200.0, "idle_retry_seconds": 60.0, "alert_interval_seconds": 0.05, "idle_ignore": ("ssh",),
    "provider_tries": 1, "provider_pause_seconds": 0.05, "provider_confirm_seconds": 0.1, "provider_timeout_seconds": 20.0,
}  # fmt: skip
#: Half an hour is 3 s.
HALF_HOURS: dict[str, Any] = {"idle_clock_rate": 600.0, "idle_check_seconds": 60.0}
QUIET = HostState(queue_running=0, queue_pending=0)
COMFYUI = "comfyui"


@pytest.fixture
def rented(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {"RUNPOD_POD_ID": POD, "RUNPOD_API_KEY": KEY, "PATH": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)


@asynccontextmanager
async def machine(state_dir: Path, api: FakeProviders | None = None, **settings: Any) -> AsyncIterator[Runtime]:
    """Open the engine's runtime as on a machine whose ComfyUI does nothing."""
    urls = {"runpod_api_url": api.url} if api is not None else {}
    runtime = await open_runtime(state_dir, Settings(**{**FAST, **urls, **settings}))
    try:
        runtime.sessions.attach(Session(server_id=COMFYUI, url="http://127.0.0.1:9"))
        runtime.sessions.tell(COMFYUI, QUIET)
        yield runtime
    finally:
        await runtime.close()


async def until(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def owners_webhook() -> AsyncIterator[tuple[str, list[tuple[str, str]]]]:
    came: list[tuple[str, str]] = []

    async def take(request: web.Request) -> web.Response:
        message = await request.json()
        came.append((message["alert"]["name"], message["status"]))
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", came
    finally:
        await runner.cleanup()


@pytest.mark.usefixtures("rented")
async def test_warning_and_failure_reach_the_owner_and_the_stop_is_tried_again(
    api: FakeProviders, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    api.fail("rest", 403, 500)
    api.fail("graphql", 401, 401)
    async with owners_webhook() as (url, came), machine(tmp_path, api, alert_webhook_url=url) as runtime:
        assert runtime.busy, "the engine must not leave while it looks after the machine"
        with runtime.events.subscribe() as subscription:
            await until(lambda: runtime.idle.standing.state is IdleState.GRACE)
            await until(lambda: ("IdleStopSoon", "firing") in came)
            await until(lambda: runtime.idle.standing.state is IdleState.FAILED)
            assert runtime.idle.result is not None
            assert [attempt.status for attempt in runtime.idle.result.attempts] == [403, 401, None]
            await until(lambda: ("IdleStopFailed", "firing") in came)
            assert runtime.idle.savings.stops == ()
            await until(lambda: runtime.idle.standing.state is IdleState.STOPPED)
            told = [await subscription.get() for _ in range(3)]
        assert {"kind": "pod"} in [event.data for event in told]
        numbers = {reading.name: reading.value for reading in runtime.watch.readings()}
        assert numbers["idle_stop_failures"] == 2
        assert numbers["machine_cost_per_hour"] == 0.44
    assert [path for _, path, *_ in api.asked if "action" in path] == [f"/v2/pods/{POD}/action"] * 3
    assert KEY not in caplog.text


@pytest.mark.usefixtures("rented")
async def test_who_comes_back_between_two_calls_is_not_stopped(api: FakeProviders, tmp_path: Path) -> None:
    api.fail("rest", 500, 500, 500)
    async with machine(tmp_path, api, provider_tries=3, provider_pause_seconds=0.5) as runtime:
        await until(lambda: api.stops)
        runtime.sessions.tell(COMFYUI, HostState(queue_running=1, queue_pending=0))
        await until(lambda: runtime.idle.standing.state is IdleState.WATCHING)
        await asyncio.sleep(1.5)
        assert api.stops == 1
        assert runtime.idle.result is not None
        assert runtime.idle.result.abandoned
        assert runtime.idle.savings.stops == ()


@pytest.mark.usefixtures("rented")
async def test_state_folder_that_hangs_keeps_no_machine_from_being_stopped(
    api: FakeProviders, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Writing to a pipe that nobody reads blocks for ever, as a file of a network volume whose server is away does."""
    pipe = tmp_path / f".idle-{POD}.json.new"
    os.mkfifo(pipe)
    async with machine(tmp_path, api) as runtime:
        await until(lambda: runtime.idle.standing.state is IdleState.STOPPED)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # or the thread would outlive the test
        await asyncio.sleep(0.2)
    os.close(reader)
    assert api.stops == 1
    assert "the state folder does not answer" in caplog.text


@pytest.mark.usefixtures("rented")
async def test_unknown_is_told_as_paid_but_idle_and_stops_nothing(api: FakeProviders, tmp_path: Path) -> None:
    async with machine(tmp_path, api, **HALF_HOURS) as runtime:
        await until(lambda: runtime.idle.standing.state is IdleState.WATCHING)
        runtime.sessions.tell(COMFYUI, HostState())
        await until(lambda: any(alert.name == "PaidButIdle" and alert.firing for alert in runtime.watch.active), 40)
        assert runtime.idle.standing.quiet_seconds > 1800
        assert runtime.idle.standing.state is IdleState.WATCHING
    assert api.calls() == []


@pytest.mark.usefixtures("rented")
async def test_notify_calls_nobody_and_is_what_a_rented_machine_does_by_itself(
    api: FakeProviders, tmp_path: Path
) -> None:
    async with machine(tmp_path, api, idle_mode=None, **HALF_HOURS) as runtime:
        assert runtime.idle.policy.mode is IdleMode.NOTIFY
        await until(lambda: any(alert.name == "PaidButIdle" and alert.firing for alert in runtime.watch.active), 40)
    assert api.calls() == []


@pytest.mark.usefixtures("rented")
async def test_lifetime_ends_a_machine_that_works(api: FakeProviders, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("comfystow.core.alerts.idle.container_age", lambda: 0.0)
    async with machine(tmp_path, api, idle_mode="notify", idle_lifetime_seconds=400.0) as runtime:
        runtime.sessions.tell(COMFYUI, HostState(queue_running=1, queue_pending=0))
        await until(lambda: runtime.idle.standing.state is IdleState.GRACE)
        runtime.idle.keep_alive("somebody", 3600)
        await until(lambda: runtime.idle.standing.state is IdleState.STOPPED)
    assert api.calls() == [f"POST /v2/pods/{POD}/action"]
    assert api.asked[-1][1] == f"/v2/pods/{POD}"


@pytest.mark.usefixtures("rented")
async def test_nothing_is_armed_before_the_pod_has_come_up(api: FakeProviders, tmp_path: Path) -> None:
    async with machine(tmp_path, api) as runtime:
        runtime.pod = PodState(provider="runpod", started_at=time.time(), settled=False)
        runtime.idle._armed = False
        runtime.idle.standing = type(runtime.idle.standing)(now=runtime.idle.clock())
        await asyncio.sleep(3)
        assert runtime.idle.standing.state is IdleState.STARTING
        assert api.calls() == []
        runtime.pod = PodState(provider="runpod", started_at=time.time(), settled=True)
        await until(lambda: runtime.idle.standing.state is IdleState.STOPPED)


async def test_off_costs_nothing(tmp_path: Path) -> None:
    for mode in (None, "off"):
        async with machine(tmp_path, idle_mode=mode) as runtime:
            await asyncio.sleep(0.3)
            assert not runtime.busy
            assert runtime.watch.sampler.holders == ()
            assert not any("idle" in task.get_name() for task in asyncio.all_tasks())
            with pytest.raises(ConflictError):
                runtime.idle.keep_alive("a", 60)


async def test_what_nothing_can_stop_is_only_told(tmp_path: Path) -> None:
    async with machine(tmp_path, idle_lifetime_seconds=400.0) as runtime:
        assert runtime.idle.policy.mode is IdleMode.NOTIFY
        assert "nothing is known that could stop this machine" in runtime.idle.problems[0]
        await asyncio.sleep(2.5)
        assert runtime.idle.standing.state is IdleState.WATCHING


@pytest.mark.usefixtures("rented")
async def test_machine_that_lives_on_after_a_yes_is_a_failure_that_is_told(api: FakeProviders, tmp_path: Path) -> None:
    async with machine(tmp_path, api) as runtime:
        await until(lambda: runtime.idle.standing.state is IdleState.STOPPED)
        api.pod.update(status="RUNNING", actions=["stop", "restart", "terminate"])
        await until(lambda: runtime.idle.standing.state is IdleState.FAILED)
        await until(lambda: runtime.idle.savings.stops == ())
        await until(lambda: any(alert.name == "IdleStopFailed" and alert.firing for alert in runtime.watch.active))
        await until(lambda: api.stops == 2)


@pytest.mark.usefixtures("rented")
async def test_wish_is_bounded_and_settings_hold_at_once(api: FakeProviders, tmp_path: Path) -> None:
    async with machine(tmp_path, api) as runtime:
        for seconds in (-1.0, 8 * 86400.0, float("nan")):
            with pytest.raises(UsageError):
                runtime.idle.keep_alive("a", seconds)
        await runtime.change_settings({"idle_mode": "off"})
        assert not runtime.idle.lasting
        assert runtime.watch.sampler.holders == ()
        await runtime.change_settings({"idle_mode": "shutdown"})
        assert runtime.idle.policy.mode is IdleMode.NOTIFY
        assert runtime.idle.problems
        assert runtime.idle.lasting


def test_what_a_stop_saved_is_counted_until_the_next_start(tmp_path: Path) -> None:
    hour = 3600.0
    first = Savings(tmp_path)
    first.open(0.0)
    first.stopped(Stop(stopped_at=10 * hour, cost_per_hour=0.5))
    second = Savings(tmp_path)
    second.open(18 * hour)
    assert second.stops[0].resumed_at == 18 * hour
    assert saved(second.stops, 0.0, 100 * hour) == pytest.approx(4.0)
    assert saved(second.stops, 16 * hour, 100 * hour) == pytest.approx(1.0)
    assert saved([Stop(stopped_at=0.0)], 0.0, hour) == 0.0
    neighbour = Savings(tmp_path, "another-pod-on-the-volume")
    neighbour.open(19 * hour)
    assert neighbour.stops == ()
    (tmp_path / "idle.json").write_text("{broken")
    third = Savings(tmp_path)
    third.open(20 * hour)
    assert third.stops == ()
    third.stopped(Stop(stopped_at=1.0))
    third.unstopped()
    assert json.loads((tmp_path / "idle.json").read_text()) == {"stops": []}
