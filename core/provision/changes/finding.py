"""What a file that is to be organised is: a person's choice first, then what its header tells.

Where there are many files, helpers look into them (`library.index.crew`), in the order in which they are asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import DangerousPickleError, HeaderError, NotAModelError
from ...headers.classify import classify
from ...headers.model_header import Read
from ...headers.names import guess_folder
from ...headers.pickles import refuse_danger
from ...library.changes.organise import Finding
from ...paths import PICKLE_SUFFIXES
from ...records.model import canonical_folder
from ...sources.inspection import parse_header

_SNIFF_BYTES = 4096
_MOST_EVIDENCE = 3


class Told(NamedTuple):
    """What came of the look into a file, as plain values: those of a `Finding`, or why there are none."""

    found: dict[str, Any] | None
    unreadable: str | None = None


def look_inside(path: bytes, size_bytes: int) -> Told:
    """Say what a file is by what it holds; never raises."""
    try:
        return Told(asdict(_found(Path(os.fsdecode(path)), size_bytes)))
    except OSError as err:
        return Told(None, err.strerror or str(err))


class Finder:
    """Looks into files (`library.organise.Classify`). `chosen` are folders that a person chose, by path or name.

    `ahead` brings what was told of files, by path, in the order in which they are asked for.
    """

    def __init__(self, chosen: Mapping[str, str], ahead: Iterator[tuple[str, Told]]) -> None:
        self._chosen = chosen
        self._ahead = ahead

    def __call__(self, path: Path, size_bytes: int) -> Finding:
        """Say what a file is. Raises: OSError."""
        chosen = self._chosen.get(str(path)) or self._chosen.get(path.name)
        found = self._told(str(path), size_bytes)
        if chosen is None or found.trouble is not None:
            return found
        return Finding(folder=canonical_folder(chosen), kind=found.kind, chosen=True)

    def _told(self, path: str, size_bytes: int) -> Finding:
        told = next((told for at, told in self._ahead if at == path), None)
        if told is None:
            told = look_inside(os.fsencode(path), size_bytes)
        if told.found is None:
            raise OSError(told.unreadable)
        return Finding(**{**told.found, "choices": tuple(told.found["choices"])})


def _found(path: Path, size_bytes: int) -> Finding:
    with path.open("rb") as stream:

        def read(offset: int, count: int) -> bytes:
            stream.seek(offset)
            return stream.read(count)

        try:
            if path.suffix.lower() in PICKLE_SUFFIXES:
                return _pickled(path.name, read, size_bytes)
            header = parse_header(read(0, _SNIFF_BYTES), read, size_bytes, path.name)
            if header.fits(size_bytes) is False:
                described = header.expected_size_bytes
                return _damaged(f"it has {size_bytes} bytes, and its header describes {described}")
            found = classify(header)
        except DangerousPickleError as err:
            return Finding(trouble=err.message)
        except (HeaderError, NotAModelError) as err:
            return _damaged(err.message)
    return Finding(
        folder=found.folder,
        kind=found.kind.value if found.kind is not None else None,
        base_model=found.base_model,
        evidence="; ".join(found.evidence[:_MOST_EVIDENCE]),
        choices=found.alternatives,
    )


def _pickled(name: str, read: Read, size_bytes: int) -> Finding:
    """Scan a pickle, which is never loaded; what it is, only its name tells. Raises: DangerousPickleError."""
    refuse_danger(name, read, size_bytes)
    guess = guess_folder(name)
    if guess is None:
        return Finding(by_name=True)
    return Finding(folder=guess.folder, evidence=guess.reason, by_name=True)


def _damaged(why: str) -> Finding:
    return Finding(trouble=f"it is damaged: {why}")
