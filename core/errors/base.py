"""The root of the tree."""

from __future__ import annotations

from typing import ClassVar


class StowError(Exception):
    """Base of all errors that a user sees.

    `code` is stable and machine-readable; `hint` says what to do; `retryable` is true where the same request may
    succeed later without anybody changing anything.
    """

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False
    default_hint: ClassVar[str | None] = None

    def __init__(self, message: str, *, hint: str | None = None, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint if hint is not None else self.default_hint
        self.retry_after_seconds = retry_after_seconds
