"""What is known of one download while it runs; lanes, exchanges and cures share it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from ...errors import RemoteChangedError, SizeMismatchError
from ...records.source import ResolvedFile
from ...units import MIB
from ..part.hashing import FrontierHasher
from ..part.part import Part
from ..part.ranges import Ranges
from .plan import Piece, Plan

_log = logging.getLogger("comfystow.transfer")

_MAX_RESTARTS = 3
# A killed process may lose 1 MiB a connection; one chunk (wire.BUFFER_BYTES) may come before the note is written.
_JOURNAL_BYTES_PER_LANE = MIB // 2


@dataclass(slots=True, eq=False)
class State:
    """The part and the plan, what the server has shown of itself, and what callers will be told."""

    part: Part
    plan: Plan = field(init=False)
    hasher: FrontierHasher = field(init=False)

    answered: bool = False
    """Before the first answer only one connection runs: it finds out what the server can do."""
    ranged: bool = True
    """False when the server's ranges cannot be trusted: the whole body is asked for."""
    single: bool = False
    """True for a server without ranges: one connection, one stream."""
    ranges_seen: bool = False
    hinted_size: int | None = None
    latency_seconds: float | None = None
    witnesses: dict[int, bytes] = field(default_factory=dict)
    """Overlaps whose other side was still on its way when they came, by the position they end at."""

    seams: set[int] = field(default_factory=set)
    """Where a range continues another on the word of its tag alone."""

    lanes: int = 0
    bytes_fetched: int = 0
    restarted: int = 0
    etag_changed: bool = False
    end_untold: bool = False
    """True when only the end of a connection said where the file ends."""
    note: str | None = None
    by_xet: bool = False
    """True when the bytes came over Xet, and HTTPS may yet prove them wrong."""
    _unjournaled: int = 0

    def __post_init__(self) -> None:
        self.plan = Plan(self.part.size_bytes, self.part.done)
        self.seams.update(start for start, _ in self.part.done if start)
        self.hasher = self._new_hasher()

    def on_bytes(self, piece: Piece, count: int) -> None:
        """Note that bytes have been written at the end of a piece's done part."""
        self.bytes_fetched += count
        self._unjournaled += count
        if piece.start <= self.plan.done.prefix:
            self.hasher.advance(piece.position)
        if self._unjournaled >= _JOURNAL_BYTES_PER_LANE * max(1, self.lanes):
            self.journal()

    def release(self, piece: Piece) -> None:
        """Take a piece back from its lane."""
        self.plan.release(piece)
        self.hasher.advance(self.plan.frontier())

    @property
    def has_news(self) -> bool:
        """True when bytes have come that the journal does not name."""
        return self._unjournaled > 0

    def journal(self) -> None:
        """Note on the disk what is there."""
        self._unjournaled = 0
        self.part.write_journal(self.plan.snapshot())

    def learn_size(self, size_bytes: int) -> None:
        """Note the length that the server told first."""
        self.plan.learn_size(size_bytes)
        self.part.size_bytes = size_bytes
        self.part.make_room()

    def restart(self, file: ResolvedFile, note: str, *, reason: str = "") -> None:
        """Drop everything and begin again with this file. No lane may be at work."""
        self.restarted += 1
        if self.restarted > _MAX_RESTARTS:
            if file.size_bytes is not None and "instead of" in reason:
                raise SizeMismatchError(reason, hint="the source promises another size; check the link")
            raise RemoteChangedError(f"the file keeps changing at its source: {reason}", hint="try again later")
        _log.info("%s: %s", self.part.path.name, note)
        self.note = note
        self.witnesses.clear()
        self.seams.clear()
        self.part.restart(file)
        self.hasher.close()
        self.hasher = self._new_hasher()
        self.plan = Plan(file.size_bytes, Ranges())

    def seams_agree(self) -> bool:
        """Compare the overlaps that had to wait for their other side."""
        agree = all(
            self.part.read(position - len(overlap), len(overlap)) == overlap
            for position, overlap in self.witnesses.items()
        )
        self.witnesses.clear()
        return agree

    def _new_hasher(self) -> FrontierHasher:
        digest = self.part.file.digest
        return FrontierHasher(self.part.path, digest.algorithm if digest is not None else None)
