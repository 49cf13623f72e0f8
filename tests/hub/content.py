"""The files behind the catalogue, made once under the state folder from a seed."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from . import architectures as arch
from .blobs import Blob, BytesBlob, FileBlob

# Raise it when a generator changes, so that old state folders make their files anew.
CONTENT_VERSION = 1
MIB = 1 << 20


def _safetensors(tensors: arch.Tensors, metadata: dict[str, str] | None = None) -> bytes:
    return save(tensors, metadata={"format": "pt"} | (metadata or {}))


def _pickled(seed: int) -> bytes:
    """Make a zip as torch.save lays it out, with a harmless pickle in it: only built-in values, nothing to call."""
    values = [float(value) for value in np.random.default_rng(seed).standard_normal(20_000)]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("archive/data.pkl", date_time=(2024, 1, 1, 0, 0, 0))
        archive.writestr(entry, pickle.dumps({"lora_unet_demo.lora_up.weight": values}, protocol=2))
        archive.writestr(zipfile.ZipInfo("archive/version", date_time=(2024, 1, 1, 0, 0, 0)), "3\n")
    return buffer.getvalue()


def _generators(seed: int) -> dict[str, Callable[[], bytes]]:
    return {
        "taesd.safetensors": lambda: _safetensors(arch.taesd(seed)),
        "taesd_first.safetensors": lambda: _safetensors(arch.taesd(seed + 100)),
        "lora.safetensors": lambda: _safetensors(arch.lora(seed + 1, rank=4), arch.LORA_METADATA),
        "lora_pruned.safetensors": lambda: _safetensors(arch.lora(seed + 1, rank=4, every=4), arch.LORA_METADATA),
        "lora_old.safetensors": lambda: _safetensors(arch.lora(seed + 2, rank=2, every=2), arch.LORA_METADATA),
        "lora_gated.safetensors": lambda: _safetensors(arch.lora(seed + 3, rank=4), arch.LORA_METADATA),
        "lora_private.safetensors": lambda: _safetensors(arch.lora(seed + 4, rank=2, every=4), arch.LORA_METADATA),
        "lora_early.safetensors": lambda: _safetensors(arch.lora(seed + 5, rank=2, every=4), arch.LORA_METADATA),
        "lora_members.safetensors": lambda: _safetensors(arch.lora(seed + 6, rank=2, every=4), arch.LORA_METADATA),
        "flux.gguf": lambda: arch.gguf(seed + 10),
        "lora.pt": lambda: _pickled(seed),
        "clip_l_reduced.safetensors": lambda: _safetensors(arch.clip_text(seed + 7)),
        "diffusers_unet.safetensors": lambda: _safetensors(arch.clip_text(seed + 8, layers=1)),
        "embedding.safetensors": lambda: _safetensors(arch.embedding(seed + 9)),
    }


class Content:
    """Named blobs: small models as files, big ones computed, texts in memory."""

    def __init__(self, state: Path, seed: int) -> None:
        self._seed = seed
        self._folder = state / f"content-{CONTENT_VERSION}-{seed}"
        self._folder.mkdir(parents=True, exist_ok=True)
        for name, make in _generators(seed).items():
            path = self._folder / name
            if not path.exists():
                partial = path.with_name(f"{name}.{os.getpid()}.tmp")
                partial.write_bytes(make())
                partial.replace(path)

    def file(self, name: str) -> Blob:
        return FileBlob.of(self._folder / name)

    def generated(self, size_bytes: int, seed: int = 0) -> Blob:
        return arch.generated_model(size_bytes, self._seed + seed)


def text_blob(content: str) -> Blob:
    return BytesBlob(content.encode())


def json_blob(value: object) -> Blob:
    return BytesBlob((json.dumps(value, indent=2) + "\n").encode())
