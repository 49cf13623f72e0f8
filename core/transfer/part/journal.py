"""The journal of a part: what it will be, which bytes are there, and who works on it (encoding; pure).

`NAME.part.json` is a JSON list of two records of equal room, each on a line of its own, padded with spaces. They are
written in turn, in place: a torn write spoils the newer one only, and its checksum says so. `done` survives the death
of a process; after a restart of the machine (another `boot_id`) only `synced` counts, which is written down after
fdatasync has returned, and so is never ahead of the bytes.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, replace

from ...records.source import Digest
from .ranges import Ranges

VERSION = 1
#: Room of one record: some hundred ranges, where 64 connections leave at most 65 gaps.
ROOM_BYTES = 8 << 10
_MAX_BYTES = 4 * ROOM_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who works on the part. `heartbeat_at` is in seconds since the epoch; None after an orderly end."""

    owner: str
    boot_id: str
    pid_namespace: str
    pid: int
    heartbeat_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One state of a part. `placed` holds the SHA-256 from the moment the part is about to get its final name."""

    source: str
    size_bytes: int | None
    etag: str | None
    digest: str | None
    boot_id: str
    done: tuple[tuple[int, int], ...]
    synced: tuple[tuple[int, int], ...]
    lease: Lease
    placed: str | None = None

    def ranges(self, boot_id: str) -> Ranges:
        """Return the bytes that can be relied on under this boot of the machine."""
        kept = Ranges(self.done if self.boot_id == boot_id else self.synced)
        if self.size_bytes is not None:
            kept.remove(self.size_bytes, max(kept.end, self.size_bytes))
        return kept


_RECORD_FIELDS, _LEASE_FIELDS = tuple(Record.__dataclass_fields__), tuple(Lease.__dataclass_fields__)
_JSON = json.JSONEncoder(separators=(",", ":"))


def encode(record: Record, sequence: int) -> bytes:
    """Return one line: JSON with a checksum over the rest.

    A record that does not fit claims less: its smallest ranges are left out, and fetched again if it comes to that.
    """
    while True:
        text = _JSON.encode({"version": VERSION, "sequence": sequence, **_fields(record)}).encode()
        line = b'{"crc32":"%08x","record":%b}' % (zlib.crc32(text), text)
        if len(line) <= ROOM_BYTES:
            return line
        if len(record.done) + len(record.synced) == 0:
            raise ValueError("a journal record without ranges is too long")
        record = replace(record, done=_larger_half(record.done), synced=_larger_half(record.synced))


def _fields(record: Record) -> dict[str, object]:
    """Return what `dataclasses.asdict` does, without its deep copies: a record is written for every 512 KiB."""
    fields = {name: getattr(record, name) for name in _RECORD_FIELDS}
    fields["lease"] = {name: getattr(record.lease, name) for name in _LEASE_FIELDS}
    return fields


def _larger_half(ranges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    kept = sorted(ranges, key=lambda item: item[0] - item[1])[: len(ranges) // 2]
    return tuple(sorted(kept))


def frame(line: bytes, sequence: int) -> tuple[int, bytes]:
    """Return where in the file a line goes, and the bytes that go there: the slots take turns."""
    padded = line.ljust(ROOM_BYTES)
    return (0, b"[" + padded + b",\n") if sequence % 2 == 0 else (ROOM_BYTES + 3, padded + b"]\n")


def decode(data: bytes) -> tuple[Record, int] | None:
    """Return the newest whole record and its sequence number; None where there is none."""
    found = [item for line in data[:_MAX_BYTES].split(b"\n") if (item := _decode_line(line)) is not None]
    return max(found, key=lambda item: item[1], default=None)


def _decode_line(line: bytes) -> tuple[Record, int] | None:
    text = line.strip().removeprefix(b"[").removesuffix(b",").removesuffix(b"]").strip()
    prefix, middle = b'{"crc32":"', b'","record":'
    if not text.startswith(prefix) or text[18:29] != middle or not text.endswith(b"}"):
        return None
    body = text[29:-1]
    if f"{zlib.crc32(body):08x}".encode() != text[10:18]:
        return None
    try:
        return _record(json.loads(body))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _record(data: dict[str, object]) -> tuple[Record, int]:
    if data["version"] != VERSION:
        raise ValueError("another version")
    lease = data["lease"]
    if not isinstance(lease, dict) or type(data["sequence"]) is not int:
        raise TypeError("no lease")
    fields = {name: data[name] for name in Record.__dataclass_fields__ if name not in {"lease", "done", "synced"}}
    record = Record(
        **fields,  # type: ignore[arg-type]
        done=_pairs(data["done"]),
        synced=_pairs(data["synced"]),
        lease=Lease(**lease),
    )
    if record.digest is not None:
        Digest.parse(record.digest)
    return record, data["sequence"]


def _pairs(value: object) -> tuple[tuple[int, int], ...]:
    if not isinstance(value, list):
        raise TypeError("no ranges")
    pairs = tuple((int(start), int(stop)) for start, stop in value)
    if any(not 0 <= start < stop for start, stop in pairs):
        raise ValueError("no ranges")
    return pairs


def may_take(lease: Lease, *, now: float, mine: Lease, timeout_seconds: float, process_alive: bool | None) -> bool:
    """Decide whether a part with this lease may be taken over.

    `process_alive` is known (not None) only where owner and we see the same processes.
    """
    if lease.heartbeat_at is None or (lease.owner == mine.owner and lease.pid == mine.pid):
        return True
    if process_alive is False:
        return True
    # A clock that runs ahead of ours must not keep the part forever.
    return abs(now - lease.heartbeat_at) > timeout_seconds
