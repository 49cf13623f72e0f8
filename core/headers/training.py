"""What authors and their tools wrote into a header: Stability AI's modelspec, kohya-ss' `ss_` keys."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

_MAX_TEXT = 300
_MAX_TAG_TEXT = 4 << 20
_MOST_WORDS = 10
#: A tag of at least this share of all pictures is what the training was about.
_EVERYWHERE = 0.9

_KEPT = {
    "modelspec.title": "title",
    "modelspec.author": "author",
    "modelspec.license": "licence",
    "modelspec.architecture": "architecture",
    "modelspec.description": "description",
    "modelspec.usage_hint": "usage",
    "modelspec.resolution": "resolution",
    "ss_base_model_version": "base",
    "ss_sd_model_name": "base model file",
    "ss_network_module": "network",
    "ss_network_dim": "rank",
    "ss_network_alpha": "alpha",
    "ss_steps": "steps",
    "ss_num_epochs": "epochs",
    "ss_num_train_images": "pictures",
    "ss_learning_rate": "learning rate",
    "ss_output_name": "name",
    "software": "software",
    "general.name": "title",
    "general.author": "author",
    "general.license": "licence",
}
# Beginnings of `ss_base_model_version` and of `modelspec.architecture` -> base model (kohya-ss `sai_model_spec.py`).
_BASES = {
    "sd_v1": "SD 1.5",
    "stable-diffusion-v1": "SD 1.5",
    "sd_v2": "SD 2",
    "stable-diffusion-v2": "SD 2",
    "sdxl": "SDXL",
    "stable-diffusion-xl": "SDXL",
    "sd3": "SD 3",
    "stable-diffusion-3": "SD 3",
    "flux1": "Flux",
    "flux-1": "Flux",
    "flux2": "Flux 2",
    "flux-2": "Flux 2",
    "chroma": "Chroma",
    "wan": "Wan",
    "hunyuan-video": "Hunyuan Video",
    "hunyuanvideo": "Hunyuan Video",
    "hunyuan_video": "Hunyuan Video",
    "hunyuan-image": "Hunyuan Image",
    "hunyuan_image": "Hunyuan Image",
    "qwen": "Qwen-Image",
    "lumina": "Lumina 2",
    "z-image": "Z-Image",
    "zimage": "Z-Image",
    "hidream": "HiDream",
    "ltx": "LTX-Video",
    "auraflow": "AuraFlow",
    "pixart": "PixArt",
    "cosmos": "Cosmos",
}


@dataclass(frozen=True, slots=True)
class Training:
    """What was told; `words` trigger what a LoRA or an embedding was trained for."""

    notes: dict[str, str]
    words: tuple[str, ...]
    base_model: str | None
    base_told_by: str | None


def read_training(metadata: Mapping[str, object]) -> Training:
    """Read the notes; whatever is malformed there is passed by."""
    notes: dict[str, str] = {}
    for key, name in _KEPT.items():
        value = metadata.get(key)
        if isinstance(value, str) and value.strip() and value != "None":
            notes.setdefault(name, " ".join(value.split())[:_MAX_TEXT])
    base, told_by = _base(metadata)
    return Training(notes, _words(metadata), base, told_by)


def _base(metadata: Mapping[str, object]) -> tuple[str | None, str | None]:
    for key in ("ss_base_model_version", "modelspec.architecture"):
        value = metadata.get(key)
        if isinstance(value, str):
            plain = value.lower()
            for beginning, base in _BASES.items():
                if plain.startswith(beginning):
                    return base, f"`{key}` is {value[:80]}"
    return None, None


def _words(metadata: Mapping[str, object]) -> tuple[str, ...]:
    told = metadata.get("modelspec.trigger_phrase")
    if isinstance(told, str) and told.strip():
        return tuple(word.strip()[:100] for word in told.split(",") if word.strip())[:_MOST_WORDS]
    return _tags(metadata.get("ss_tag_frequency"))


def _tags(text: object) -> tuple[str, ...]:
    """Return the tags that (nearly) every picture had: the word that was trained is among them."""
    if not isinstance(text, str) or len(text) > _MAX_TAG_TEXT:
        return ()
    try:
        folders = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    counts: Counter[str] = Counter()
    for tags in folders.values() if isinstance(folders, dict) else ():
        for tag, count in tags.items() if isinstance(tags, dict) else ():
            if type(count) is int and 0 < count < 1 << 40 and isinstance(tag, str) and tag.strip():
                counts[" ".join(tag.split())[:100]] += count
    if not counts:
        return ()
    most = max(counts.values())
    return tuple(tag for tag, count in counts.most_common(_MOST_WORDS) if count >= most * _EVERYWHERE)
