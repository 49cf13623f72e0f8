"""What waiting downloads wait for, and whether it has gone."""

from __future__ import annotations

import time
from typing import Protocol

from ..records.download import Download, WaitingFor

#: Between two looks at the source for a licence that may have been accepted: nobody tells us, and hubs count requests.
LICENCE_SECONDS = 30.0
LOCK_SECONDS = 5.0


class Causes(Protocol):
    """The world outside the queue, as far as downloads wait for it."""

    def generating(self) -> bool | None:
        """Tell whether any ComfyUI runs a prompt; None where none tells."""

    def free_bytes(self, download: Download) -> int | None:
        """Return the space that downloads may take on the volume of the destination, None where that cannot be told."""

    def token_mark(self, download: Download) -> object:
        """Return something that changes when the token for the download's source does."""

    def file_is_there(self, download: Download) -> bool:
        """Tell whether the finished file is still in its place."""

    def mark(self, download: Download, waiting_for: WaitingFor) -> object:
        """Return how the cause looks now, to be compared later."""


def may_go_on(download: Download, mark: object, causes: Causes) -> bool:
    """Decide whether a waiting download should try again; called in a thread, for it looks at disks."""
    match download.waiting_for:
        case WaitingFor.GENERATION:
            return not causes.generating()
        case WaitingFor.TOKEN:
            return causes.token_mark(download) != _token_of(mark)
        case WaitingFor.LICENCE:
            return causes.token_mark(download) != _token_of(mark) or _older(mark, LICENCE_SECONDS)
        case WaitingFor.HOST:
            return _older(mark, LOCK_SECONDS)
        case WaitingFor.SPACE:
            free = causes.free_bytes(download)
            needed = (download.bytes_total or 0) - download.bytes_done
            return free is not None and free >= max(needed, 1)
        case None:
            return True


def mark_of(token: object) -> tuple[float, object]:
    """Return a mark: when, and how the token looked."""
    return time.monotonic(), token


def _token_of(mark: object) -> object:
    return mark[1] if isinstance(mark, tuple) else None


def _older(mark: object, seconds: float) -> bool:
    return not isinstance(mark, tuple) or time.monotonic() - float(mark[0]) > seconds
