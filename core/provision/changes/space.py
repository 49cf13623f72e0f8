"""Whether there is room for what a change copies."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from ...errors import NotEnoughSpaceError
from ...records.change import Action
from ...units import format_bytes


def check_room(copies: Iterable[Action], floor_bytes: int) -> None:
    """Refuse copies that do not fit beside what stays free. Raises: NotEnoughSpaceError."""
    needed: dict[int, int] = defaultdict(int)
    places: dict[int, Path] = {}
    for action in copies:
        if action.target is None:
            continue
        place = next(folder for folder in Path(action.target).parents if folder.is_dir())
        device = place.stat().st_dev
        needed[device] += action.size_bytes
        places[device] = place
    for device, size in needed.items():
        free = shutil.disk_usage(places[device]).free
        if size > free - floor_bytes:
            raise NotEnoughSpaceError(
                f"the copies need {format_bytes(size)}, and {format_bytes(max(0, free - floor_bytes))} may be used",
                hint="make room, choose links, or lower COMFYSTOW_FREE_SPACE_FLOOR_BYTES",
            )
