"""Which mode holds on this machine; cheap, for it is asked while ComfyUI starts."""

from __future__ import annotations

from collections.abc import Mapping

from ..config import Settings
from ..records.idle import IdleMode


def mode_of(settings: Settings, *, rented: bool) -> tuple[IdleMode, str | None]:
    """Return the mode, and what is wrong with the setting. A word that is none tells, and stops nothing."""
    text = settings.idle_mode
    if text is None:
        return (IdleMode.NOTIFY if rented else IdleMode.OFF), None
    try:
        mode = IdleMode(text.strip().lower())
    except ValueError:
        return IdleMode.NOTIFY, f"`idle_mode` cannot be `{text[:40]}`: it is `off`, `notify`, `stop` or `terminate`"
    if mode is IdleMode.TERMINATE and not settings.idle_allow_terminate:
        return IdleMode.STOP, "`terminate` needs `idle_allow_terminate` too: the machine is stopped instead"
    return mode, None


def policy_wanted(settings: Settings, environment: Mapping[str, str]) -> bool:
    """Tell whether somebody has to look after this machine though nobody asks for anything."""
    from .providers.detect import rented

    mode, _ = mode_of(settings, rented=rented(environment))
    return mode is not IdleMode.OFF or settings.idle_lifetime_seconds is not None
