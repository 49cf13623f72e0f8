"""What an error makes of a download (pure)."""

from __future__ import annotations

from ..errors import (
    AuthRequiredError,
    LicenceRequiredError,
    LockedError,
    NotEnoughSpaceError,
    StowError,
)
from ..records.download import DownloadState, WaitingFor

_WAITS: tuple[tuple[type[StowError], WaitingFor], ...] = (
    (AuthRequiredError, WaitingFor.TOKEN),
    (LicenceRequiredError, WaitingFor.LICENCE),
    (NotEnoughSpaceError, WaitingFor.SPACE),
    (LockedError, WaitingFor.HOST),
)


def after_error(error: StowError) -> tuple[DownloadState, WaitingFor | None]:
    """Return the state after an error: waiting where the cause can go away, else failed."""
    waiting = next((cause for kind, cause in _WAITS if isinstance(error, kind)), None)
    return (DownloadState.FAILED, None) if waiting is None else (DownloadState.WAITING, waiting)
