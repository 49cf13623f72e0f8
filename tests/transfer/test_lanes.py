"""Lanes that are stopped give everything back, whatever they were doing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from comfystow.core.transfer.connections.origin import Origin
from comfystow.core.transfer.connections.pool import ConnectionPool
from comfystow.core.transfer.lanes.adapt import Connections
from comfystow.core.transfer.lanes.budget import Budget
from comfystow.core.transfer.lanes.cures import Cures
from comfystow.core.transfer.lanes.fetch import Fetcher
from comfystow.core.transfer.lanes.state import State
from comfystow.core.transfer.part.machine import Machine
from comfystow.core.transfer.part.part import Part
from support.transfers import QUICK, job, loopback_gate, resolved


async def test_lanes_stopped_before_their_first_step_leave_no_piece_behind(tmp_path):
    work = job(resolved("http://127.0.0.1:9/x.bin", size_bytes=50_000_000), tmp_path / "x.bin")
    part = Part(work, QUICK, Machine.here())
    part.open()
    state = State(part)
    state.answered = True
    pool = ConnectionPool(connect_timeout_seconds=1, idle_seconds=1)
    origin = Origin(
        work.file.url, client=None, gate=loopback_gate(), pool=pool, credentials=None, response_timeout_seconds=1
    )
    connections = Connections(most=8, fixed=True)
    with ThreadPoolExecutor(1) as executor:
        fetcher = Fetcher(
            state,
            origin,
            limits=QUICK,
            connections=connections,
            budget=Budget(total=8, per_host=8),
            buckets=(),
            cures=Cures(state, origin, connections, limits=QUICK, renew=None),
            executor=executor,
        )
        fetcher._spawn()
        assert len(state.plan.active) == 8
        await fetcher._stop_lanes()
    assert (state.plan.active, state.lanes, state.plan.bytes_done) == ([], 0, 0)
    assert state.plan.has_free_bytes
    part.close()
