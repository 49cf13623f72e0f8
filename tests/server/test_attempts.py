"""Wrong access secrets: a few tries, then waits that grow, for each peer alone."""

from __future__ import annotations

import contextlib

import pytest
from comfystow.core.errors import TooManyTriesError
from comfystow.server_routes.attempts import FREE_TRIES, LONGEST_SECONDS, SHARED_SECONDS, SHARED_TRIES, Attempts


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def tries(attempts: Attempts, clock: Clock, peer: str, count: int) -> list[float]:
    """Try as often, as fast as allowed; return the waits."""
    waits = []
    for _ in range(count):
        try:
            attempts.check(peer)
        except TooManyTriesError as err:
            waits.append(err.retry_after_seconds or 0.0)
            clock.now += waits[-1]
            attempts.check(peer)
        attempts.wrong(peer)
    return waits


def test_waits_grow_to_a_limit() -> None:
    clock = Clock()
    waits = tries(Attempts(clock), clock, "192.0.2.1", FREE_TRIES + 12)
    assert waits[:4] == [1, 2, 4, 8]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_SECONDS


def test_a_day_of_guessing_gets_few_tries() -> None:
    clock, count = Clock(), 0
    attempts = Attempts(clock)
    while clock.now < 86_400:
        tries(attempts, clock, "192.0.2.1", 1)
        count += 1
    assert count < 1500


@pytest.mark.parametrize(
    ("peer", "same", "other"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2"),
    ],
)
def test_peers_wait_for_their_own_tries(peer: str, same: str, other: str) -> None:
    clock = Clock()
    attempts = Attempts(clock)
    tries(attempts, clock, peer, FREE_TRIES)
    with pytest.raises(TooManyTriesError):
        attempts.check(same)
    attempts.check(other)


def test_the_right_secret_and_ten_quiet_minutes_are_a_new_beginning() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    tries(attempts, clock, "192.0.2.1", FREE_TRIES + 3)
    clock.now += 601
    assert tries(attempts, clock, "192.0.2.1", FREE_TRIES) == []
    clock.now += 1
    attempts.check("192.0.2.1")
    attempts.right("192.0.2.1")
    assert tries(attempts, clock, "192.0.2.1", FREE_TRIES) == []


def test_who_guesses_behind_a_proxy_does_not_lock_the_owner_out() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    guesser, owner = "X-Forwarded-For=203.0.113.9", "X-Forwarded-For=198.51.100.7"
    for _ in range(2000):  # an hour and more: he tries again as soon as he may, and the owner comes at any time
        with contextlib.suppress(TooManyTriesError):
            attempts.check("10.0.0.1", guesser)
            attempts.wrong("10.0.0.1", guesser)
        attempts.check("10.0.0.1", owner)
        clock.now += 2
    with pytest.raises(TooManyTriesError):
        attempts.check("10.0.0.1", guesser)


def test_written_headers_give_few_more_tries_and_hold_the_owner_up_for_seconds() -> None:
    clock, count, waits = Clock(), 0, [0.0]
    attempts = Attempts(clock)
    for number in range(86_400):
        try:
            attempts.check("10.0.0.1", f"X-Forwarded-For=10.0.0.{number}")
            attempts.wrong("10.0.0.1", f"X-Forwarded-For=10.0.0.{number}")
            count += 1
        except TooManyTriesError as err:
            waits.append(err.retry_after_seconds or 0.0)
        clock.now += 1
    assert 0 < max(waits) <= SHARED_SECONDS
    assert count <= SHARED_TRIES + 86_400 / SHARED_SECONDS
    attempts.check("10.0.0.2", "X-Forwarded-For=198.51.100.7")  # behind another proxy


def test_many_peers_take_little_memory() -> None:
    attempts = Attempts(Clock())
    for number in range(5000):
        attempts.wrong(f"10.0.{number // 250}.{number % 250}")
    assert len(attempts._peers) <= 1024
