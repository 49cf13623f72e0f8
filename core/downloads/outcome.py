"""What an error makes of a download (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import (
    AuthRequiredError,
    LicenceRequiredError,
    LockedError,
    NotEnoughSpaceError,
    RateLimitedError,
    StowError,
)
from ..records.download import DownloadState, WaitingFor

_WAITS: tuple[tuple[type[StowError], WaitingFor], ...] = (
    (AuthRequiredError, WaitingFor.TOKEN),
    (LicenceRequiredError, WaitingFor.LICENCE),
    (NotEnoughSpaceError, WaitingFor.SPACE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryLimits:
    """The numbers of the pauses between two tries."""

    base_seconds: float = 0.5
    max_seconds: float = 60.0
    limit: int = 12


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of it; `delay_seconds` until the next try, where it is tried again by itself."""

    state: DownloadState
    waiting_for: WaitingFor | None = None
    delay_seconds: float | None = None


def after_error(error: StowError, *, attempts: int, fetching: bool, limits: RetryLimits) -> Outcome:
    """Decide what comes after an error: wait where the cause can go away, else fail.

    `attempts` failures came before this one. While it was `fetching`, the transfer has spent its own retries.
    """
    for kind, cause in _WAITS:
        if isinstance(error, kind):
            return Outcome(DownloadState.WAITING, cause)
    patient = isinstance(error, LockedError)  # another engine works on the part: it ends, or its lease does
    again = patient or (attempts < limits.limit and (not fetching or isinstance(error, RateLimitedError)))
    if not error.retryable or not again:
        return Outcome(DownloadState.FAILED)
    backoff = min(limits.max_seconds, limits.base_seconds * 2.0 ** min(attempts, 30))
    return Outcome(DownloadState.WAITING, WaitingFor.HOST, max(backoff, error.retry_after_seconds or 0.0))
