"""Leases: nothing is sampled without one."""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path

from comfystow.core.monitor.history import History
from comfystow.core.monitor.sampler import Sampler, next_interval
from comfystow.core.records.sample import HistoryPoint, SystemSample


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


def a_point(at: float) -> HistoryPoint:
    return HistoryPoint(taken_at=at)


def test_history_keeps_seconds_for_an_hour_and_minutes_for_a_day() -> None:
    history = History(fine_seconds=60, coarse_seconds=600, coarse_step_seconds=30)
    for second in range(900):
        history.add(a_point(float(second)))
    times = [sample.taken_at for sample in history.since(0)]
    assert times == sorted(times)
    assert times[-61:] == [float(second) for second in range(839, 900)]
    assert times[0] == 300.0
    assert {round(b - a) for a, b in itertools.pairwise(times[:-61])} == {30}


def test_clock_that_jumps_back_leaves_the_history_in_order() -> None:
    history = History()
    for at in (100.0, 101.0, 50.0, 51.0):
        history.add(a_point(at))
    assert [sample.taken_at for sample in history.since(0)] == [50.0, 51.0]


def test_history_is_kept_while_sampled_and_holds_what_curves_need() -> None:
    sampler = Sampler(roots=lambda: [Path("/")], download_rate=lambda: 5.0)
    sampler.lease("viewer", 60)
    until(lambda: sampler.history())
    sampler.close()
    (point, *_) = sampler.history()
    assert point.memory_used_bytes
    assert point.download_rate_bytes_per_second == 5.0
    assert len(point.disk_free_bytes) == 1
    assert sampler.history(taken_after=point.taken_at + 3600) == []


class BrokenGpu:
    """A reader with a defect: what it raises is not NVML's own error."""

    note = None

    def read(self):
        raise KeyError("defect")

    def close(self) -> None:
        raise OSError("defect")


def test_defect_in_one_reader_leaves_the_others_and_the_thread(caplog) -> None:
    taken: list[SystemSample] = []
    sampler = Sampler(roots=list, on_sample=taken.append, gpu=BrokenGpu())
    sampler.lease("viewer", 60)
    until(lambda: len(taken) >= 2)
    assert taken[0].gpus is None
    assert taken[0].host.memory_used_bytes is not None
    assert "reading the GPU driver failed" in caplog.text
    sampler.close()
    assert not threads()


def test_defect_of_a_listener_does_not_end_the_sampling(caplog) -> None:
    heard: list[SystemSample] = []

    def listen(sample: SystemSample) -> None:
        heard.append(sample)
        if len(heard) == 1:
            raise RuntimeError("defect")

    sampler = Sampler(roots=list, on_sample=listen)
    sampler.lease("viewer", 60)
    until(lambda: len(heard) >= 2)
    sampler.close()
    assert "a sample of the machine failed" in caplog.text


def test_disk_whose_server_is_gone_blocks_nothing_else(monkeypatch) -> None:
    answer = threading.Event()
    monkeypatch.setattr("comfystow.core.monitor.disk._space", lambda path: answer.wait() and (None, None))
    sampler = Sampler(roots=lambda: [Path("/")], gpu_timeout_seconds=0.2)
    sampler.lease("viewer", 60)
    until(lambda: sampler.latest is not None)
    assert sampler.latest.disks == ()
    assert sampler.latest.host.memory_used_bytes is not None
    answer.set()
    sampler.close()


def test_lease_is_granted_at_once_while_the_driver_hangs_on_its_way_out() -> None:
    release = threading.Event()

    class Slow:
        note = "none"

        def read(self):
            return None

        def close(self) -> None:
            release.wait()

    sampler = Sampler(roots=list, gpu=Slow(), gpu_timeout_seconds=5)
    sampler.lease("viewer", 0.05)
    until(lambda: "comfystow-GPU driver" in threads())
    before = time.monotonic()
    sampler.lease("viewer", 60)
    assert time.monotonic() - before < 1
    release.set()
    until(lambda: sampler.latest is not None)
    sampler.close()
