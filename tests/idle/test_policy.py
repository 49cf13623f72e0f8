"""The policy on a simulated clock: over days of traces it stops nothing that is used, and misses nothing that is not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
from comfystow.core.config import Settings
from comfystow.core.idle.mode import mode_of, policy_wanted
from comfystow.core.idle.policy import Policy, Reason, Standing, activity_of, decide, ended, retry_pause
from comfystow.core.records.idle import Activity, IdleMode, IdleState, Signal
from hypothesis import given, settings
from hypothesis import strategies as st
from idle.traces import CORPUS, DAY, HOUR, MINUTE, Span, Trace

LOOK = 15.0
STOP = Policy(mode=IdleMode.STOP)
_KINDS = {"active": Activity.ACTIVE, "unknown": Activity.UNKNOWN, "idle": Activity.IDLE}


def signal(kind: str, name: str = "comfyui") -> Signal:
    return Signal(name=name, activity=_KINDS[kind], words=kind)


SIGNALS = {kind: signal(kind) for kind in _KINDS}


class Day:
    """What one trace says at a moment; spans may overlap, and what began and ended between two looks shows too."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._spans = sorted(trace.spans, key=lambda span: span.end)

    def at(self, before: float, now: float) -> list[Signal]:
        """Tell what shows in a look at `now` after one at `before`; looks come in order."""
        while self._spans and self._spans[0].end <= before:
            del self._spans[0]
        seen = {span.kind for span in self._spans if span.begin <= now}
        return [SIGNALS[kind] for kind in seen] or [SIGNALS["idle"]]

    def looks(self, every: float = LOOK) -> Iterator[float]:
        now = 0.0
        while now < self.trace.length:
            if not any(begin < now < end for begin, end in self.trace.gaps):
                yield now
            now += every


def run(trace: Trace, policy: Policy = STOP, every: float = LOOK) -> tuple[float | None, list[tuple[float, Standing]]]:
    """Live through a trace; the second of the stop, and every change on the way."""
    day, standing, before, changes = Day(trace), Standing(), 0.0, []
    for now in day.looks(every):
        state = standing.state
        standing = decide(policy, standing, day.at(before, now), now)
        if standing.state is IdleState.STOPPING:
            standing = decide(policy, standing, day.at(now, now + 0.5), now + 0.5)  # the look just before the call
        if standing.state is not state:
            changes.append((now, standing))
        if standing.state is IdleState.STOPPING:
            return now, changes
        before = now
    return None, changes


@pytest.mark.parametrize("name", CORPUS)
def test_corpus_is_stopped_when_it_must_be_and_never_else(name: str) -> None:
    trace = CORPUS[name]
    stopped, changes = run(trace)
    if trace.stops_at is None:
        assert stopped is None
        return
    assert stopped is not None, "missed"
    assert trace.stops_at - 1 <= stopped <= trace.stops_at + 3 * LOOK
    assert [standing.state for _, standing in changes][-2:] == [IdleState.GRACE, IdleState.STOPPING]
    warned = changes[-2][0]
    slept = sum(max(0.0, min(end, stopped) - max(begin, warned)) for begin, end in trace.gaps)
    assert stopped - warned - slept >= STOP.grace_seconds - LOOK, "nobody had the whole grace to say no"


_spans = st.lists(
    st.builds(
        lambda begin, length, kind: Span(begin, begin + length, kind),
        st.floats(0, 14 * HOUR),
        st.sampled_from([1.0, 10.0, 90.0, 600.0, 3 * HOUR]),
        st.sampled_from(["active", "active", "unknown"]),
    ),
    max_size=40,
)
_gaps = st.lists(
    st.builds(lambda begin, length: (begin, begin + length), st.floats(0, 14 * HOUR), st.floats(60, 6 * HOUR)),
    max_size=3,
)


@settings(max_examples=150, deadline=None)
@given(
    spans=_spans,
    gaps=_gaps,
    timeout=st.sampled_from([300.0, 900.0, 1800.0, 2 * HOUR]),
    grace=st.sampled_from([0.0, 60.0, 300.0]),
    every=st.sampled_from([15.0, 30.0]),
)
def test_no_false_stop_and_no_missed_stop(spans, gaps, timeout, grace, every) -> None:
    """Judged by an oracle of its own: a plain walk over the looks that happened."""
    trace = Trace(20 * HOUR, tuple(spans), None, tuple(gaps))
    policy = replace(STOP, timeout_seconds=timeout, grace_seconds=grace)
    stopped, _ = run(trace, policy, every)
    day, watched_idle, before, due = Day(trace), 0.0, 0.0, None
    for now in day.looks(every):
        busy = activity_of(day.at(before, now)) is not Activity.IDLE
        gap = now - before
        watched_idle = 0.0 if busy else watched_idle + (0.0 if gap > policy.most_gap_seconds else gap)
        if stopped is not None and now == stopped:
            assert not busy, "stopped while something was done"
            assert watched_idle >= timeout + grace - 2 * every, "stopped too early"
        # Time begins with the first look that saw nothing, and the grace with a look.
        if due is None and watched_idle >= timeout + grace + 3 * every + policy.most_gap_seconds:
            due = now
        before = now
    if due is not None:
        assert stopped is not None, f"should have been stopped by {due}"
        assert stopped <= due


@settings(max_examples=200, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.floats(-1e6, 1e6, allow_nan=False),
            st.sampled_from(["idle", "idle", "idle", "active", "unknown"]),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_clock_that_jumps_never_stops_what_was_not_watched_idle_for_the_time(steps) -> None:
    standing, now, watched = Standing(), 0.0, 0.0
    for jump, kind, small in steps:
        step = abs(jump) % 60 if small else jump
        now += step
        standing = decide(STOP, standing, [signal(kind)], now)
        watched = watched + step if kind == "idle" and 0 <= step <= STOP.most_gap_seconds else watched
        watched = 0.0 if kind != "idle" else watched
        if standing.state is IdleState.STOPPING:
            assert watched >= STOP.timeout_seconds + STOP.grace_seconds - 1


@settings(max_examples=100, deadline=None)
@given(kinds=st.lists(st.sampled_from(["idle", "active", "unknown"]), min_size=1, max_size=400))
def test_unknown_counts_as_active_wherever_it_stands(kinds) -> None:
    """Whatever is done with `active` is done with `unknown` in its place, but for what is told."""
    one, other = Standing(), Standing()
    for number, kind in enumerate(kinds):
        now = 60.0 * number
        one = decide(STOP, one, [signal(kind)], now)
        other = decide(STOP, other, [signal("active" if kind == "unknown" else kind)], now)
        assert one.state is other.state
        assert one.idle_since == other.idle_since
    assert one.quiet_seconds >= other.quiet_seconds


def settle(policy: Policy, *, until: float, standing: Standing | None = None, kind: str = "idle", armed: bool = True):
    standing = standing if standing is not None else Standing()
    now = standing.now
    while now < until:
        now += LOOK
        standing = decide(policy, standing, [signal(kind)], now, armed=armed)
    return standing


def test_half_an_hour_of_unknown_shows_in_the_number_that_the_alert_reads() -> None:
    standing = settle(STOP, until=31 * MINUTE, kind="unknown")
    assert standing.state is IdleState.WATCHING
    assert standing.quiet_seconds > 1800
    assert standing.doubt_since is not None


def test_not_armed_before_the_machine_has_come_up_once() -> None:
    standing = settle(STOP, until=5 * HOUR, armed=False)
    assert standing.state is IdleState.STARTING
    armed = settle(STOP, until=5 * HOUR + 20 * MINUTE, standing=standing)
    assert armed.state is IdleState.WATCHING
    assert settle(STOP, until=5 * HOUR + 36 * MINUTE, standing=armed).state is IdleState.STOPPING


def test_cap_on_the_lifetime_stops_whatever_is_done() -> None:
    for mode in IdleMode:
        policy = replace(STOP, mode=mode, lifetime_seconds=8 * HOUR)
        warned = settle(policy, until=8 * HOUR - 2 * MINUTE, kind="active")
        assert (warned.state, warned.reason) == (IdleState.GRACE, Reason.LIFETIME)
        assert warned.stops_in(policy) == pytest.approx(2 * MINUTE, abs=LOOK)
        assert settle(policy, until=8 * HOUR + LOOK, standing=warned, kind="active").state is IdleState.STOPPING
        assert settle(policy, until=8 * HOUR + LOOK, kind="unknown", armed=False).state is IdleState.STOPPING


def test_age_before_the_engine_counts_towards_the_cap() -> None:
    policy = replace(STOP, lifetime_seconds=8 * HOUR)
    assert (
        settle(policy, until=LOOK, standing=Standing(lived_seconds=7.95 * HOUR), kind="active").state is IdleState.GRACE
    )


def test_notify_never_stops() -> None:
    policy = replace(STOP, mode=IdleMode.NOTIFY)
    standing = settle(policy, until=2 * DAY)
    assert standing.state is IdleState.WATCHING
    assert standing.stops_in(policy) is None
    assert standing.quiet_seconds > 1800


def test_off_is_off() -> None:
    assert settle(replace(STOP, mode=IdleMode.OFF), until=2 * DAY).state is IdleState.OFF


def test_failed_stop_is_tried_again_with_growing_pauses_until_somebody_comes() -> None:
    standing = settle(STOP, until=36 * MINUTE)
    assert standing.state is IdleState.STOPPING
    tried = []
    for _ in range(6):
        standing = ended(standing, done=False)
        assert standing.state is IdleState.FAILED
        failed_at = standing.now
        while standing.state is IdleState.FAILED:
            standing = decide(STOP, standing, [signal("idle")], standing.now + LOOK)
        tried.append(standing.now - failed_at)
    assert tried == sorted(tried)
    assert tried[0] == pytest.approx(60, abs=LOOK)
    assert tried[-1] == pytest.approx(900, abs=LOOK)
    assert retry_pause(STOP, 10_000) == 900
    back = decide(STOP, ended(standing, done=False), [signal("active")], standing.now + LOOK)
    assert (back.state, back.failures, back.grace_since) == (IdleState.WATCHING, 0, None)


def test_machine_that_lives_on_after_its_stop_was_no_stop() -> None:
    stopped = ended(settle(STOP, until=36 * MINUTE), done=True)
    assert stopped.state is IdleState.STOPPED
    assert decide(STOP, stopped, [signal("active")], stopped.now + LOOK).state is IdleState.STOPPED
    assert settle(STOP, until=stopped.now + 11 * MINUTE, standing=stopped).state is not IdleState.STOPPED


def test_countdown_tells_the_truth() -> None:
    standing = settle(STOP, until=21 * MINUTE)
    assert standing.stops_in(STOP) == pytest.approx(14 * MINUTE, abs=2 * LOOK)
    grace = settle(STOP, until=32 * MINUTE, standing=standing)
    assert grace.state is IdleState.GRACE
    assert grace.stops_in(STOP) == pytest.approx(3 * MINUTE, abs=3 * LOOK)


@pytest.mark.parametrize("value", [0, 1, -5, 299.9, math.nan, -math.inf])
def test_time_out_is_at_least_five_minutes(value: float) -> None:
    assert Policy.of(Settings(idle_timeout_seconds=value), IdleMode.STOP).timeout_seconds == 300


def test_no_signal_at_all_is_unknown() -> None:
    assert activity_of([]) is Activity.UNKNOWN
    assert activity_of([signal("idle"), signal("unknown"), signal("active")]) is Activity.ACTIVE


def test_mode_is_notify_on_a_rented_machine_and_off_elsewhere() -> None:
    assert mode_of(Settings(), rented=True) == (IdleMode.NOTIFY, None)
    assert mode_of(Settings(), rented=False) == (IdleMode.OFF, None)
    assert mode_of(Settings(idle_mode="off"), rented=True) == (IdleMode.OFF, None)
    assert not policy_wanted(Settings(), {})
    assert policy_wanted(Settings(), {"RUNPOD_POD_ID": "abc"})
    assert not policy_wanted(Settings(), {"RUNPOD_POD_ID": "abc", "RUNPOD_ENDPOINT_ID": "serverless"})
    assert policy_wanted(Settings(idle_lifetime_seconds=3600.0, idle_mode="off"), {})


def test_terminate_needs_a_second_word_and_nonsense_stops_nothing() -> None:
    assert mode_of(Settings(idle_mode="terminate"), rented=True)[0] is IdleMode.STOP
    opted = Settings(idle_mode="Terminate", idle_allow_terminate=True)
    assert mode_of(opted, rented=True) == (IdleMode.TERMINATE, None)
    mode, problem = mode_of(Settings(idle_mode="shutdown"), rented=True)
    assert mode is IdleMode.NOTIFY
    assert problem is not None
