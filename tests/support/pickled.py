"""Pickles as torch writes them, and one that would run code."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path


class Evil:
    """Writes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (exec, (f"open({str(self.path)!r}, 'w').close()",))


def archived(data: bytes) -> bytes:
    """Pack a pickle as torch does (`torch.save`): `archive/data.pkl` in a zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/version", "3\n")
    return out.getvalue()
