"""Folders of real model files, and an index over them."""

from __future__ import annotations

import json
import os
import struct
import time
from pathlib import Path
from typing import Any

from comfystow.core.library.index.index import LibraryIndex
from comfystow.core.library.index.roots import plan_roots
from comfystow.core.library.index.scan import Scanner
from comfystow.core.records.library import LibraryFilter, ScanReport
from comfystow.core.records.model import Folder, FolderLayout

SUFFIXES = frozenset({".safetensors", ".sft", ".gguf", ".ckpt", ".pt"})


def safetensors(elements: int = 8, **metadata: str) -> bytes:
    """Make a whole file of one tensor."""
    header = json.dumps(
        {
            **({"__metadata__": metadata} if metadata else {}),
            "weight": {"dtype": "F16", "shape": [elements], "data_offsets": [0, 2 * elements]},
        }
    ).encode()
    return struct.pack("<Q", len(header)) + header + bytes(2 * elements)


class Shelf:
    """Folders of one test and an index over them."""

    def __init__(self, base: Path, *, settle_seconds: float = 0.0) -> None:
        self.base = base
        self.models = base / "models"
        for name in ("loras", "vae"):
            (self.models / name).mkdir(parents=True)
        self.folders = {name: Folder(directories=(self.models / name,), suffixes=SUFFIXES) for name in ("loras", "vae")}
        self.index = LibraryIndex(base / "state")
        self.scanner = Scanner(self.index, settle_seconds)

    def put(self, place: str, content: bytes | None = None, *, age_seconds: float = 60.0) -> Path:
        path = self.models / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(safetensors() if content is None else content)
        os.utime(path, (time.time() - age_seconds,) * 2)
        return path

    def scan(self) -> ScanReport:
        return self.scanner.scan(plan_roots(FolderLayout(folders=self.folders)), lambda done, total: None)

    def names(self, **wanted: Any) -> list[str]:
        return [file.relative_path for file in self.index.page(LibraryFilter(**wanted)).files]
