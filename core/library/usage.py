"""What fills the disks: models by folder, kind and base model, and the volumes they lie on."""

from __future__ import annotations

import shutil
from typing import Any

from ..mounts import mount_of
from ..records.json import to_json
from ..records.library import LibraryRoot, UsageRow
from .index.index import LibraryIndex


def usage_json(index: LibraryIndex) -> dict[str, Any]:
    """Return it as plain data, without paths but those of mounts. Asks the volumes for their space: in a thread."""
    taken = index.usage_of_roots()
    roots = [root for root in index.roots() if root.listed and (root.available or root.scanned_at is not None)]
    empty = UsageRow(value=None, files=0, bytes=0)
    return {
        "roots": [
            {
                "id": root.id,
                "name": root.folder_names[0],
                "folders": list(root.folder_names),
                "available": root.available,
                "files": taken.get(root.id, empty).files,
                "bytes": taken.get(root.id, empty).bytes,
            }
            for root in roots
        ],
        "volumes": _volumes(roots, taken),
        "folders": _rows(index.usage("folder")),
        "kinds": _rows(index.usage("kind")),
        "base_models": _rows(index.usage("base_model")),
    }


def _rows(rows: list[UsageRow]) -> list[dict[str, Any]]:
    return [to_json(row) for row in rows]


def _volumes(roots: list[LibraryRoot], taken: dict[int, UsageRow]) -> list[dict[str, Any]]:
    """Return the volumes: their size, what is free, and how much of the rest is models."""
    by_device: dict[int, list[LibraryRoot]] = {}
    for root in roots:
        if root.available and root.device is not None:
            by_device.setdefault(root.device, []).append(root)
    volumes = []
    for those in by_device.values():
        try:
            disk = shutil.disk_usage(those[0].path)
        except OSError:  # it went away since the last scan
            continue
        mount = mount_of(those[0].path)
        volumes.append(
            {
                # The name that the machine's samples have for it too.
                "path": mount.point if mount is not None else str(those[0].path),
                "folders": [root.folder_names[0] for root in those],
                "total_bytes": disk.total,
                "free_bytes": disk.free,
                "models_bytes": sum(taken[root.id].bytes for root in those if root.id in taken),
            }
        )
    return volumes
