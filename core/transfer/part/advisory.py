"""The advisory lock on a journal: on one machine it is the lease of a part, and dies with its process."""

from __future__ import annotations

try:
    import fcntl
except ImportError:  # Windows has no flock; there the heartbeat alone decides
    fcntl = None  # type: ignore[assignment]


def try_lock(descriptor: int) -> bool | None:
    """Take the lock: False when another holds it, None where the system or the file system knows no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
