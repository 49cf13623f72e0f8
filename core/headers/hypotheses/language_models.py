"""Language models that diffusion models read their prompts with, in transformers' and in llama.cpp's names."""

from __future__ import annotations

from ..classification import Claim, Confidence
from ..kinds import Kind
from ..part import Part

# Name -> (llama.cpp's `general.architecture`), width, base model that alone uses it.
_QWEN = {2048: ("Qwen2.5-VL 3B", "OmniGen 2"), 3584: ("Qwen2.5-VL 7B", None), 2560: ("Qwen3 4B", "Z-Image"),
         4096: ("Qwen3 8B", None), 1024: ("Qwen3 0.6B", None)}  # fmt: skip
_GEMMA = {2304: ("Gemma 2 2B", "Lumina 2"), 2560: ("Gemma 3 4B", None), 3840: ("Gemma 3 12B", "LTX-Video")}
_LLAMA = {4096: ("Llama 3 8B", None), 5120: ("Mistral Small 24B", "Flux 2")}
_FAMILIES = {"qwen": _QWEN, "gemma": _GEMMA, "llama": _LLAMA}
_NORMS = ("layers.0.input_layernorm.weight", "blk.0.attn_norm.weight")
_PROJECTOR = ("v.blk.0.attn_q.weight", "mm.0.weight")


def language_model(part: Part) -> Claim | None:
    """Recognise one by its layers; which one, by its width and by the norms that its family has."""
    stem = "model." if part.has("model." + _NORMS[0]) else ""
    norm = part.any(stem + _NORMS[0], _NORMS[1], "language_model.model." + _NORMS[0])
    if norm is None:
        if part.subject.header.format == "gguf" and part.any(*_PROJECTOR) is not None:
            told = part.told(*_PROJECTOR)
            return Claim(kind=Kind.TEXT_ENCODER, detail="vision projector (mmproj)", evidence=told)
        return None
    layer = norm.rpartition("0.")[0] + "0."
    attention = part.any(
        layer + "self_attn.q_proj.weight", layer + "self_attn.qkv_proj.weight", layer + "attn_q.weight"
    )
    if attention is None:
        return None
    family = _family(part, layer)
    name, base = _FAMILIES[family].get(part.size(norm, 0) or 0, (family.capitalize(), None))
    told = part.told(norm, attention)
    confidence = Confidence.HIGH if base is None and name != family.capitalize() else Confidence.LIKELY
    return Claim(kind=Kind.TEXT_ENCODER, base_model=base, detail=name, evidence=told, confidence=confidence)


def _family(part: Part, layer: str) -> str:
    if part.any(layer + "post_feedforward_layernorm.weight", layer + "post_ffw_norm.weight") is not None:
        return "gemma"
    norms = (layer + "self_attn.q_norm.weight", layer + "attn_q_norm.weight")
    biases = (layer + "self_attn.k_proj.bias", layer + "attn_k.bias")
    return "qwen" if part.any(*norms, *biases) is not None else "llama"
