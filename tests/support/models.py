"""Small model files with the keys and shapes of real architectures."""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path

from hub import architectures as arch
from safetensors.numpy import save


def write_lora(path: Path, seed: int = 1, *, age_seconds: float = 3600.0) -> Path:
    """Write an SD 1.x LoRA; another seed gives other bytes of the same size."""
    return write_still(path, _lora(seed), age_seconds=age_seconds)


def write_taesd(path: Path, seed: int = 1, *, age_seconds: float = 3600.0) -> Path:
    """Write a TAESD, which as one file belongs in `vae`."""
    return write_still(path, save(arch.taesd(seed)), age_seconds=age_seconds)


@cache
def _lora(seed: int) -> bytes:
    """The library writes metadata in another order each time: the same seed is the same bytes by being kept."""
    return save(arch.lora(seed, rank=1, every=10), metadata={"format": "pt", **arch.LORA_METADATA})


def write_still(path: Path, content: bytes, *, age_seconds: float = 3600.0) -> Path:
    """Write a file that has not changed for a while."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    then = time.time() - age_seconds
    os.utime(path, (then, then))
    return path
