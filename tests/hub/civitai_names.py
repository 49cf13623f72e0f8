"""How Civitai names and picks: the primary file of a version, file names of downloads, AIR.

Source: civitai/civitai at ebed6616; each function names its file.
"""

from __future__ import annotations

import re

from .catalogue import CivitaiFile, CivitaiModel, CivitaiVersion

# src/shared/utils/air.ts typeUrnMap and fileTypeUrnMap; ecosystems: the base model's root key in lower case.
_AIR_TYPES = {
    "Checkpoint": "checkpoint",
    "LORA": "lora",
    "LoCon": "lycoris",
    "TextualInversion": "embedding",
    "VAE": "vae",
}
_AIR_FILE_TYPES = {"Diffusion Model": "diffusionmodel", "UNet": "unet"}
_ECOSYSTEMS = {"SD 1.5": "sd1", "SDXL 1.0": "sdxl", "Flux.1 D": "flux1"}


def primary_file(files: list[CivitaiFile], preferences: dict[str, str | None] | None = None) -> CivitaiFile | None:
    """Score files as `getPrimaryFile` does (src/server/utils/model-helpers.ts); the first of equals wins."""
    wanted = {"format": "SafeTensor", "size": "pruned", "fp": "fp16", "quantType": "Q4_K_M"} | (preferences or {})
    weights = {"format": 100, "size": 10, "fp": 1, "quantType": 0.5}

    def score(file: CivitaiFile) -> float:
        total = 1000.0 + (1000 if file.type in ("Model", "Pruned Model", "Diffusion Model", "UNet") else 0)
        for name, value in file.metadata.items():
            total += weights.get(name, 0) * (1 if value == wanted.get(name) else -1)
        return total

    return max(files, key=score, default=None)


def download_name(model: CivitaiModel, version: CivitaiVersion, file: CivitaiFile) -> str:
    """Name a download as `getDownloadFilename` does (src/server/services/file.service.ts)."""
    if model.type in ("LORA", "LoCon") or file.type == "VAE":
        return file.name
    suffix = file.name.rsplit(".", 1)[-1]
    if model.type == "TextualInversion":
        return f"{version.trained_words[0]}.{suffix}" if version.trained_words else file.name
    tail = "_txt" if file.type == "Text Encoder" else ""
    return f"{_filenamize(model.name)}_{_filenamize(version.name)}{tail}.{suffix}"


def _filenamize(name: str) -> str:
    """Shorten a name to lodash's camelCase of its words (`filenamize` in src/utils/string-helpers.ts)."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+", name.replace("'", ""))
    return "".join(words[:1]).lower() + "".join(word.capitalize() for word in words[1:])


def air(model: CivitaiModel, version: CivitaiVersion, file: CivitaiFile | None, *, with_file: bool = False) -> str:
    """Write the AIR as `stringifyAIR` does (src/shared/utils/air.ts)."""
    kind = _AIR_FILE_TYPES.get(file.type if file else "") or _AIR_TYPES.get(model.type, "unknown")
    tail = f"+{file.id}" if with_file and file is not None else ""
    return f"urn:air:{_ECOSYSTEMS.get(version.base_model, 'other')}:{kind}:civitai:{model.id}@{version.id}{tail}"
