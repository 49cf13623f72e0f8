"""What a file that is to be organised is: a person's choice first, then what its header tells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import HeaderError, NotAModelError
from ..library.organise import Finding
from ..paths import MODEL_SUFFIXES
from ..records.model import canonical_folder
from ..sources.inspection import inspect_header, parse_header

_SNIFF_BYTES = 4096
_MOST_EVIDENCE = 3


class Finder:
    """Looks into files (`library.organise.Classify`). `chosen` are folders that a person chose, by path or name."""

    def __init__(self, chosen: Mapping[str, str]) -> None:
        self._chosen = chosen

    def __call__(self, path: Path, size_bytes: int) -> Finding:
        """Say what a file is. Raises: OSError."""
        chosen = self._chosen.get(str(path)) or self._chosen.get(path.name)
        found = self._told(path, size_bytes)
        if chosen is None or found.damaged is not None:
            return found
        return Finding(folder=canonical_folder(chosen), kind=found.kind, chosen=True)

    def _told(self, path: Path, size_bytes: int) -> Finding:
        if path.suffix.lower() not in MODEL_SUFFIXES:
            return Finding(by_name=True)
        with path.open("rb") as stream:

            def read(offset: int, count: int) -> bytes:
                stream.seek(offset)
                return stream.read(count)

            try:
                header = parse_header(read(0, _SNIFF_BYTES), read, size_bytes, path.name)
                if header.fits(size_bytes) is False:
                    described = header.expected_size_bytes
                    return Finding(damaged=f"it has {size_bytes} bytes, and its header describes {described}")
                found = inspect_header(path.name, header, size_bytes)
            except (HeaderError, NotAModelError) as err:
                return Finding(damaged=err.message)
        return Finding(
            folder=found.folder,
            kind=found.kind,
            base_model=found.base_model,
            evidence="; ".join(found.evidence[:_MOST_EVIDENCE]),
            choices=found.alternatives,
        )
