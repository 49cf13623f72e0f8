"""Order, places and what an error makes of a download: pure decisions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from comfystow.core.downloads.outcome import Outcome, RetryLimits, after_error
from comfystow.core.downloads.schedule import expired, in_order, is_busy, is_settled, next_runnable, reorder
from comfystow.core.errors import (
    AuthRequiredError,
    ChecksumMismatchError,
    ConnectFailedError,
    EgressError,
    LicenceRequiredError,
    LockedError,
    NotEnoughSpaceError,
    NotFoundError,
    RateLimitedError,
    StowError,
)
from comfystow.core.records.download import Download, DownloadRequest, DownloadState, WaitingFor
from hypothesis import given
from hypothesis import strategies as st

S = DownloadState


def row(download_id: str, state: DownloadState = S.QUEUED, **values: object) -> Download:
    base = Download(id=download_id, request=DownloadRequest(source="x"), state=state, source="x")
    return replace(base, **values)  # type: ignore[arg-type]


def ids(rows: list[Download]) -> str:
    return "".join(item.id for item in rows)


def test_the_first_queued_ones_start_as_places_are_free() -> None:
    rows = [row("c", position=3), row("a", position=1), row("b", S.RUNNING, position=2), row("d", position=4)]
    assert ids(next_runnable(rows, at_once=3, hold=False)) == "ac"
    assert ids(next_runnable(rows, at_once=1, hold=False)) == ""


def test_nothing_starts_while_a_prompt_holds_the_queue() -> None:
    assert next_runnable([row("a")], at_once=3, hold=True) == []


@pytest.mark.parametrize("state", [state for state in S if state is not S.QUEUED])
def test_only_queued_ones_start(state: DownloadState) -> None:
    assert next_runnable([row("a", state)], at_once=3, hold=False) == []


def test_of_two_with_one_destination_the_second_waits_for_the_first() -> None:
    first, second = row("a", position=1, dest_path="/m/x"), row("b", position=2, dest_path="/m/x")
    other = row("c", position=3, dest_path="/m/y")
    assert ids(next_runnable([first, second, other], at_once=3, hold=False)) == "ac"
    assert ids(next_runnable([replace(first, state=S.VERIFYING), second], at_once=3, hold=False)) == ""
    assert ids(next_runnable([replace(first, state=S.PAUSED), second], at_once=3, hold=False)) == "b"


def test_the_history_comes_after_the_queue_newest_first() -> None:
    rows = [
        row("o", S.COMPLETED, finished_at=1.0, position=0.0),
        row("n", S.FAILED, finished_at=2.0, position=0.0),
        row("q", position=9.0),
        row("w", S.WAITING, position=8.0),
    ]
    assert ids(in_order(rows)) == "wqno"
    assert expired(rows, 1) == ["o"]
    assert expired(rows, 5) == []


@pytest.mark.parametrize(
    ("cause", "busy"),
    [
        (WaitingFor.TOKEN, False),
        (WaitingFor.LICENCE, False),
        (WaitingFor.SPACE, False),
        (WaitingFor.GENERATION, True),
        (WaitingFor.HOST, True),
    ],
)
def test_the_engine_stays_only_for_waits_that_pass_by_themselves(cause: WaitingFor, busy: bool) -> None:
    waiting = row("a", S.WAITING, waiting_for=cause)
    assert is_busy([waiting]) is busy
    assert is_settled(waiting) is not busy


@given(
    st.lists(st.floats(min_value=-1e6, max_value=1e6), min_size=1, max_size=12),
    st.integers(-2, 14),
    st.randoms(use_true_random=False),
)
def test_a_moved_download_is_where_it_was_put_and_the_others_keep_their_order(places, index, random) -> None:
    rows = [row(f"{number:02}", position=place) for number, place in enumerate(places)]
    chosen = random.choice(rows).id
    before = [item.id for item in in_order(rows) if item.id != chosen]
    moved = reorder(rows, chosen, index)
    after = in_order(replace(item, position=moved.get(item.id, item.position)) for item in rows)
    expected = max(0, min(index, len(before)))
    assert [item.id for item in after] == [*before[:expected], chosen, *before[expected:]]


LIMITS = RetryLimits(base_seconds=1.0, max_seconds=10.0, limit=3)


@pytest.mark.parametrize(
    ("error", "attempts", "fetching", "outcome"),
    [
        (AuthRequiredError("x"), 0, False, Outcome(S.WAITING, WaitingFor.TOKEN)),
        (LicenceRequiredError("x"), 9, True, Outcome(S.WAITING, WaitingFor.LICENCE)),
        (NotEnoughSpaceError("x"), 0, True, Outcome(S.WAITING, WaitingFor.SPACE)),
        (NotFoundError("x"), 0, False, Outcome(S.FAILED)),
        (EgressError("x"), 0, False, Outcome(S.FAILED)),
        (ChecksumMismatchError("x"), 0, True, Outcome(S.FAILED)),
        (ConnectFailedError("x"), 0, False, Outcome(S.WAITING, WaitingFor.HOST, 1.0)),
        (ConnectFailedError("x"), 2, False, Outcome(S.WAITING, WaitingFor.HOST, 4.0)),
        (ConnectFailedError("x"), 3, False, Outcome(S.FAILED)),
        # The transfer has tried again and again by itself.
        (ConnectFailedError("x"), 0, True, Outcome(S.FAILED)),
        (RateLimitedError("x", retry_after_seconds=90.0), 0, True, Outcome(S.WAITING, WaitingFor.HOST, 90.0)),
        (LockedError("x"), 99, True, Outcome(S.WAITING, WaitingFor.HOST, 10.0)),
    ],
)
def test_an_error_that_can_go_away_makes_it_wait(
    error: StowError, attempts: int, fetching: bool, outcome: Outcome
) -> None:
    assert after_error(error, attempts=attempts, fetching=fetching, limits=LIMITS) == outcome
