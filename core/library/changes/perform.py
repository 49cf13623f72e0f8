"""One action on the disk: what must still be true, the deed in steps that each leave every file whole, and its trace.

A deed may be done again for an action that a crash cut off: it looks which step was the last, and goes on from there.
Nothing is overwritten: new names are taken only where none is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from ...errors import ChecksumMismatchError, NameTakenError
from ...records.change import Act, Action, Outcome, Step
from .deed import Hands, NotNowError
from .make import link
from .move import drop, move, remove
from .replace import replace, split

_DEEDS: dict[Act, Callable[[Action, Hands], Outcome]] = {
    Act.LINK: link,
    Act.MOVE: move,
    Act.TRASH: move,
    Act.RESTORE: move,
    Act.REPLACE: replace,
    Act.SPLIT: split,
    Act.REMOVE: remove,
    Act.DROP: drop,
}


def perform(action: Action, hands: Hands) -> Outcome:
    """Carry out an action, or find out that it was. Raises: InterruptedError: `cancelled` said so."""
    try:
        if hands.resumed and not _reachable(action):
            return Outcome(step=Step.STARTED, note="its volume is not there")
        return _DEEDS[action.act](action, hands)
    except NotNowError as err:
        _discard_spare(action)
        return Outcome(step=Step.SKIPPED, note=str(err))
    except NameTakenError:
        return Outcome(step=Step.SKIPPED, note="another file has that name now")
    except ChecksumMismatchError as err:
        _discard_spare(action)
        return Outcome(step=Step.FAILED, note=err.message)
    except InterruptedError:
        _discard_spare(action)
        raise
    except OSError as err:
        _discard_spare(action)
        return Outcome(step=Step.FAILED, note=err.strerror or str(err))


def _reachable(action: Action) -> bool:
    paths = [path for path in (action.source, action.target) if path is not None]
    return any(Path(path).parent.is_dir() for path in paths)


def _discard_spare(action: Action) -> None:
    """Remove what was being made. Where files change places the spare name may hold another's: they clear up alone."""
    if action.spare is not None and action.act not in {Act.REPLACE, Act.SPLIT}:
        with contextlib.suppress(OSError):
            Path(action.spare).unlink(missing_ok=True)
