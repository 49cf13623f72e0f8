"""What to do after a failure: how long to wait, and whether to go on at all (pure)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum

from ...errors import ConnectFailedError, RateLimitedError, ServerError, StowError


class Cure(Enum):
    """What may heal a failure."""

    RETRY = "retry"  # the same again, after a pause
    RENEW = "renew"  # a fresh address from the source
    NONE = "none"


#: Answers of a signed address that mean it is used up or wrong: S3 and R2 say 400 and 403, CloudFront 403, others 401
#: or 410; 404 comes from storages that moved an object.
_STALE_ADDRESS = frozenset({400, 401, 403, 404, 410})
#: Answers of the source itself that a fresh token may heal.
_STALE_TOKEN = frozenset({401, 403})


def cure_for_status(status: int, *, signed_address: bool) -> Cure:
    """Decide what may heal an HTTP error; `signed_address` tells that a redirect led there."""
    if status in {408, 425, 429} or status >= 500:
        return Cure.RETRY
    if status in (_STALE_ADDRESS if signed_address else _STALE_TOKEN):
        return Cure.RENEW
    return Cure.NONE


def is_refusal(error: StowError) -> bool:
    """Tell whether the server asked for less: 429, or 503 which storages send for the same reason."""
    return isinstance(error, RateLimitedError) or (isinstance(error, ServerError) and "HTTP 503" in error.message)


def backoff_seconds(failures: int, *, base: float, most: float, retry_after: float | None = None) -> float:
    """Return how long to wait after that many failures in a row: doubling with jitter, never less than was asked for.

    Full jitter over the upper half: clients that failed together do not come back together.
    """
    grown = min(most, base * 2.0 ** min(max(failures, 1) - 1, 32))
    pause = grown * random.uniform(0.5, 1.0)
    return pause if retry_after is None else max(pause if failures > 1 else 0.0, retry_after)


@dataclass(slots=True)
class Failures:
    """Counts failures in a row: those without a byte between them."""

    limit: int
    in_a_row: int = 0
    best_bytes: int = 0
    last: StowError | None = None

    def note(self, error: StowError, bytes_done: int) -> bool:
        """Count a failure at this progress; return whether that was one too many."""
        if bytes_done > self.best_bytes:
            self.best_bytes, self.in_a_row = bytes_done, 0
        self.in_a_row += 1
        self.last = error
        return self.in_a_row > self.limit


def can_heal(error: StowError) -> bool:
    """Tell whether trying again may help at all."""
    return error.retryable or isinstance(error, ConnectFailedError)
