"""Connections are shared out: never more than the limits at any moment, and nobody keeps what is another's."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from comfystow.core.transfer.lanes.budget import Budget, Seat
from hypothesis import given
from hypothesis import strategies as st
from support.transfers import QUICK, job, open_engine, resolved, sha256_of

steps = st.lists(
    st.tuples(
        st.integers(0, 5), st.sampled_from(["begin", "end", "want", "leave"]), st.sampled_from("ab"), st.integers(0, 9)
    ),
    max_size=80,
)


def seats(count: int) -> tuple[list[Seat], list[int]]:
    """Give seats, and the list in which they note that they were woken."""
    woken: list[int] = []
    return [Seat(lambda number=number: woken.append(number)) for number in range(count)], woken


@given(steps, st.integers(1, 8), st.integers(1, 8))
def test_whatever_comes_and_goes_no_limit_is_broken(steps, total, per_host):
    budget = Budget(total=total, per_host=per_host)
    rows, _ = seats(6)
    for number, step, host, wanted in steps:
        seat = rows[number]
        match step:
            case "want":
                budget.want(seat, seat.host if seat.used else host, wanted)
            case "begin" if budget.may_begin(seat):
                budget.use(seat, seat.used + 1)
            case "end" if seat.used:
                budget.use(seat, seat.used - 1)
            case "leave" if not seat.used:
                budget.leave(seat)
        assert sum(row.used for row in rows) <= total
        for name in "ab":
            assert sum(row.used for row in rows if row.host == name) <= per_host


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 12)), min_size=1, max_size=6), st.integers(1, 12))
def test_everybody_comes_to_its_share_when_those_above_theirs_give_way(wants, total):
    budget = Budget(total=total, per_host=total)
    rows, _ = seats(len(wants))
    for seat, (host, wanted) in zip(rows, wants, strict=True):  # each as if it were alone, until the next one comes
        budget.want(seat, host, wanted)
        while budget.may_begin(seat):
            budget.use(seat, seat.used + 1)
    for _ in range(2):
        for seat in rows:
            budget.use(seat, seat.used - budget.excess(seat))
            while budget.may_begin(seat):
                budget.use(seat, seat.used + 1)
    assert [seat.used for seat in rows] == [seat.share for seat in rows]
    assert not any(budget.excess(seat) for seat in rows)


def test_connection_that_ends_wakes_who_waits_for_it():
    budget = Budget(total=2, per_host=2)
    (first, second, third), woken = seats(3)
    budget.want(first, "a", 2)
    budget.use(first, 2)
    assert budget.want(second, "a", 2) == 1
    assert not budget.may_begin(second)
    assert budget.excess(first) == 1
    woken.clear()
    budget.use(first, 1)
    assert woken == [1]
    budget.use(second, 1)
    assert budget.want(third, "b", 1) == 0
    woken.clear()
    budget.use(first, 0)
    budget.leave(first)
    assert 2 in woken


async def test_download_that_comes_later_gets_its_share_and_the_limit_holds(hub, tmp_path):
    """The first one has all connections, and pieces that would keep them for long."""
    rows = [hub.add_direct(f"turn-{number}.bin", size_bytes=16_000_000) for number in range(2)]
    hub.fault("rate", origin="cdn", bytes_per_second=1_000_000)
    limits = replace(QUICK, connections_per_host=4, connections_total=4)
    counts: dict[int, list[int]] = {0: [], 1: []}
    with open_engine(limits) as engine:

        def fetch(number: int) -> asyncio.Task[object]:
            work = job(resolved(rows[number]["url"]), tmp_path / f"{number}.bin", connections=4)
            watch = counts[number].append
            return asyncio.create_task(engine.fetch(work, on_progress=lambda progress: watch(progress.connections)))

        hub.clear_requests()
        first = fetch(0)
        while 4 not in counts[0]:
            await asyncio.sleep(0.01)
        second = fetch(1)
        while 2 not in counts[1]:
            assert not first.done()
            await asyncio.sleep(0.01)
        hub.fault("rate", origin="cdn", bytes_per_second=50_000_000)
        await asyncio.gather(first, second)
    assert max(row["open"] for row in hub.gauge() if row["origin"] == "cdn") <= 4
    for number, row in enumerate(rows):
        assert sha256_of(tmp_path / f"{number}.bin") == row["sha256"]
