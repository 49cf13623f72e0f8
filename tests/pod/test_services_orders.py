"""Orders that cross each other, a supervisord that others end, and who starts before whom where cores are few."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from comfystow.core.errors import ConflictError
from comfystow.core.pod.services.processes import runs
from comfystow.core.pod.services.restart import RestartPolicy
from comfystow.core.pod.services.supervisord import Supervisord
from comfystow.core.records.pod import ServiceState
from support.pod_bench import Bench, service, until


async def ready(bench: Bench, *names: str) -> None:
    for name in names:
        await until(lambda name=name: bench.status(name).state is ServiceState.READY, name)


async def test_start_overtakes_a_stop_that_takes_its_time_and_nobody_waits_for_ever(bench: Bench) -> None:
    await bench.run(service("deaf", ignore_term=1), grace_seconds=1.0)
    await ready(bench, "deaf")
    first = bench.status("deaf").pid
    stop = asyncio.create_task(bench.controller.order("stop", "deaf"))
    await until(lambda: bench.status("deaf").state is ServiceState.STOPPING, "the stop")
    await bench.controller.order("start", "deaf")
    async with asyncio.timeout(60):
        await stop
    await until(lambda: bench.status("deaf").pid not in {None, first}, "the next process")
    await ready(bench, "deaf")
    assert bench.status("deaf").restarts == 0  # it was ended by an order, and is no failure


async def test_two_restarts_at_once_are_both_obeyed(bench: Bench) -> None:
    await bench.run(service("one"))
    await ready(bench, "one")
    first = bench.status("one").pid
    async with asyncio.timeout(60):
        await asyncio.gather(*(bench.controller.order("restart", "one") for _ in range(2)))
    await ready(bench, "one")
    assert bench.status("one").pid != first


async def test_order_that_comes_while_the_pod_ends_is_refused_and_hinders_nothing(bench: Bench) -> None:
    await bench.run(service("deaf", ignore_term=1), service("other"))
    await ready(bench, "deaf", "other")
    closing = asyncio.create_task(bench.controller.close(1.0))
    await until(lambda: bench.status("deaf").state is ServiceState.STOPPING, "the end")
    with pytest.raises(ConflictError, match="about to end"):
        await bench.controller.order("start", "other")
    async with asyncio.timeout(60):
        assert not await closing


async def test_restart_that_the_end_of_the_pod_overtakes_starts_nothing(bench: Bench) -> None:
    await bench.run(service("deaf", ignore_term=1))
    await ready(bench, "deaf")
    restart = asyncio.create_task(bench.controller.order("restart", "deaf"))
    await until(lambda: bench.status("deaf").state is ServiceState.STOPPING, "the stop")
    async with asyncio.timeout(60):
        await bench.controller.close(0.5)
        await restart
    assert bench.status("deaf").state is ServiceState.STOPPED
    assert bench.status("deaf").pid is None


async def test_service_that_hangs_is_ended_without_waiting_for_its_answer(bench: Bench, tmp_path: Path) -> None:
    hang = tmp_path / "hang"
    await bench.run(service("hangs", hang=hang), check_timeout_seconds=600.0)
    await ready(bench, "hangs")
    hang.touch()
    await asyncio.sleep(0.5)  # a look is under way by now, or will be in a moment: both must do
    async with asyncio.timeout(60):
        assert await bench.controller.close(5.0)


async def test_supervisord_that_somebody_ends_comes_back_with_all_services(bench: Bench) -> None:
    """While it ends it refuses every call; nobody may give up for that."""
    await bench.run(service("one"), service("two"))
    await ready(bench, "one", "two")
    first = {bench.status(name).pid for name in ("one", "two")}
    assert bench.daemon.process is not None
    old = bench.daemon.process.pid
    os.kill(old, signal.SIGTERM)
    await until(lambda: bench.daemon.process is not None and bench.daemon.process.pid != old, "another supervisord")
    await until(lambda: not {bench.status("one").pid, bench.status("two").pid} & {None, *first}, "other processes")
    await ready(bench, "one", "two")


async def test_what_a_killed_pod_left_is_ended_before_the_next_one_starts(bench: Bench) -> None:
    await bench.run(service("one"))
    await ready(bench, "one")
    left, daemon = bench.status("one").pid, bench.daemon.process
    assert daemon is not None
    successor = Supervisord(bench.daemon.folder)
    await asyncio.to_thread(successor.end_leftover, 5.0)
    await until(lambda: daemon.poll() is not None, "the end of the old supervisord")
    assert not runs(left)


def test_a_number_that_somebody_else_has_by_now_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "supervisord.pid").write_text(f"{os.getpid()}\n")
    Supervisord(tmp_path).end_leftover(0.1)  # or this were the end of the tests


async def test_others_wait_where_cores_are_few_until_the_first_one_answers(bench: Bench) -> None:
    await bench.run(service("other"), service("first", delay=1.0), first="first", alone_seconds=600.0)
    await until(lambda: "has the few cores" in (bench.status("other").reason or ""), "word of the reason")
    await ready(bench, "first")
    await ready(bench, "other")
    assert bench.status("other").started_at > bench.status("first").started_at + bench.status("first").startup_seconds


async def test_others_start_when_the_first_one_fails_or_takes_too_long(bench: Bench) -> None:
    loop = RestartPolicy(base_seconds=600)
    await bench.run(service("first", exit=3), service("other"), policy=loop, first="first", alone_seconds=600.0)
    await ready(bench, "other")
    await bench.controller.close(5.0)
    await bench.run(service("first", delay=600), service("other"), first="first", alone_seconds=0.3)
    await ready(bench, "other")
    assert bench.status("first").state is ServiceState.STARTING


async def test_others_do_not_wait_for_a_first_one_that_is_not_there(bench: Bench) -> None:
    await bench.run(service("other"), first="first", alone_seconds=600.0)
    await ready(bench, "other")
