"""Leases: nothing is sampled without one."""

from __future__ import annotations

import itertools
import threading
import time

from comfystow.core.monitor.history import History
from comfystow.core.monitor.sampler import Sampler, next_interval
from comfystow.core.records.sample import SystemSample


def until(condition, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "condition not reached"
        time.sleep(0.02)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("comfystow")]


def test_without_a_lease_there_is_no_thread_and_no_sample() -> None:
    sampler = Sampler(roots=list)
    assert not threads()
    assert sampler.latest is None
    sampler.close()


def test_sampling_ends_with_the_last_lease() -> None:
    taken: list[SystemSample] = []
    sampler = Sampler(roots=list, on_sample=taken.append)
    sampler.lease("viewer", 60)
    until(lambda: taken)
    sampler.release("viewer")
    until(lambda: not sampler.sampling and not threads())
    count = len(taken)
    sampler.lease("viewer", 60)
    until(lambda: len(taken) > count)
    sampler.close()
    assert not threads()


def test_lease_runs_out_by_itself() -> None:
    sampler = Sampler(roots=list)
    sampler.lease("scrape", 0.2)
    until(lambda: not sampler.sampling)
    sampler.close()


def test_closed_sampler_takes_no_lease() -> None:
    sampler = Sampler(roots=list)
    sampler.close()
    sampler.lease("late", 60)
    assert not sampler.sampling


def test_interval_grows_so_that_the_cost_stays_in_the_budget() -> None:
    assert next_interval(1.0, [], 0.005) == 1.0
    assert next_interval(1.0, [0.001] * 5, 0.005) == 1.0
    assert next_interval(1.0, [0.02, 0.02, 0.9], 0.005) == 4.0


def a_sample(at: float) -> SystemSample:
    return SystemSample(taken_at=at)


def test_history_keeps_seconds_for_an_hour_and_minutes_for_a_day() -> None:
    history = History(fine_seconds=60, coarse_seconds=600, coarse_step_seconds=30)
    for second in range(900):
        history.add(a_sample(float(second)))
    times = [sample.taken_at for sample in history.since(0)]
    assert times == sorted(times)
    assert times[-61:] == [float(second) for second in range(839, 900)]
    assert times[0] == 300.0
    assert {round(b - a) for a, b in itertools.pairwise(times[:-61])} == {30}


def test_clock_that_jumps_back_leaves_the_history_in_order() -> None:
    history = History()
    for at in (100.0, 101.0, 50.0, 51.0):
        history.add(a_sample(at))
    assert [sample.taken_at for sample in history.since(0)] == [50.0, 51.0]
