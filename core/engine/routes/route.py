"""What a row of the route table says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MIB = 1 << 20


class Where(StrEnum):
    """Who answers."""

    ENGINE = "engine"
    HOST = "host"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One row. `request` is the record of the body, None for no body; `returns` describes the answer in words.

    `query` names what may stand behind the path's `?`.
    """

    method: str
    path: str
    name: str
    summary: str
    returns: str
    request: type | None = None
    status: int = 200
    where: Where = Where.ENGINE
    internal: bool = False
    max_body_bytes: int = MIB
    query: tuple[str, ...] = ()
    content_type: str = "application/json"
    abandoned: bool = False
    """True where the work ends with the caller who goes away; else what began is brought to its end."""

    @property
    def changes(self) -> bool:
        """True where a request may change something: the gate asks more of it."""
        return self.method != "GET"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Return the names in braces."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))
