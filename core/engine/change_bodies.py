"""Bodies of requests that change files at rest. `apply` is false for a plan, or the id of the plan to carry out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..library.changes.organise import Clash
from ..records.change import LinkPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganiseRequest:
    """A folder whose models go where loaders look; `choose` names folders by path or name of a file."""

    apply: Any = False
    directory: str | None = None
    link: LinkPolicy = LinkPolicy.AUTO
    clash: Clash = Clash.LEAVE
    choose: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DedupeRequest:
    """Folders beside the library, and whether the cache of Hugging Face is one of them."""

    apply: Any = False
    directories: tuple[str, ...] = ()
    hf_cache: bool = True
    link: LinkPolicy = LinkPolicy.HARD


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRequest:
    """Files of the library by their ids, or on this machine by their paths."""

    apply: Any = False
    ids: tuple[int, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneRequest:
    """The size that the library shall have at most, and files that may go whatever is known of them."""

    apply: Any = False
    to_bytes: int | None = None
    ids: tuple[int, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyTrashRequest:
    """What is deleted for good: changes whose things are in the trash, without any all of it."""

    apply: Any = False
    changes: tuple[str, ...] = ()
    older_than_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoRequest:
    """The change to take back; without one the last."""

    id: str | None = None
