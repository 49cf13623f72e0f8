"""In which order services start (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...errors import ConfigError


def start_levels(needs: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Sort services into levels: each needs only those of levels before (pure).

    Raises: ConfigError: one that is not there, or a circle.
    """
    levels: list[list[str]] = []
    placed: set[str] = set()
    for name, needed in needs.items():
        missing = [other for other in needed if other not in needs]
        if missing:
            raise ConfigError(f"the service `{name}` needs `{missing[0]}`, which is not there")
    while len(placed) < len(needs):
        level = [name for name, needed in needs.items() if name not in placed and placed.issuperset(needed)]
        if not level:
            circle = ", ".join(name for name in needs if name not in placed)
            raise ConfigError(f"these services need each other in a circle: {circle}")
        levels.append(level)
        placed.update(level)
    return levels
