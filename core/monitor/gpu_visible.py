"""Which GPUs CUDA may use: CUDA_VISIBLE_DEVICES as CUDA reads it, or an honest "cannot be told".

NVML shows every GPU in its own order whatever the variable says; equal cards must not be matched by name.
"""

from __future__ import annotations

from collections.abc import Mapping


def visible_devices(variable: str | None) -> frozenset[str] | None:
    """Read CUDA_VISIBLE_DEVICES as a set of indexes and UUID prefixes; None means all.

    CUDA ignores everything after the first entry that is no device (CUDA programming guide, environment variables).
    """
    if variable is None:
        return None
    entries = []
    for entry in (part.strip() for part in variable.split(",")):
        if not (entry.isdigit() or entry.startswith(("GPU-", "MIG-"))):
            break
        entries.append(entry)
    return frozenset(entries)


def is_visible(environment: Mapping[str, str], index: int, uuid: str, count: int) -> bool | None:
    """Tell whether CUDA may use a GPU (`index` is NVML's, of `count`), None where that cannot be told.

    Numbers are CUDA's, fastest first and the rest unspecified, unless CUDA_DEVICE_ORDER=PCI_BUS_ID; UUIDs are exact.
    """
    visible = visible_devices(environment.get("CUDA_VISIBLE_DEVICES"))
    if visible is None:
        return True
    if any(not entry.isdigit() for entry in visible):
        return any(uuid.startswith(entry) for entry in visible if not entry.isdigit())
    numbers = {int(entry) for entry in visible if int(entry) < count}
    if not numbers:
        return False
    if len(numbers) == count:
        return True
    return index in numbers if environment.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID" else None
