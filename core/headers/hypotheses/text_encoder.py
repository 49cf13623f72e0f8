"""Text encoders: CLIP's, T5's and language models, from safetensors and GGUF."""

from __future__ import annotations

from ..classification import Claim, Confidence, WhyNot
from ..kinds import Kind
from ..part import Part, Subject
from . import language_models

_PREFIXES = (
    "",
    "text_model.",
    "text_encoder.text_model.",
    "text_encoder.",
    "transformer.",
    "model.",
    "clip_l.transformer.text_model.",
    "text_encoders.",
    "language_model.",
)
_CLIP = "encoder.layers.0.mlp.fc1.weight"
_OPEN_CLIP = "transformer.resblocks.0.ln_1.weight"
_T5 = "encoder.block.0.layer.0.SelfAttention.k.weight"
_GGUF_T5 = "enc.blk.0.attn_k.weight"
# Width of CLIP -> name, base model that alone uses it (ComfyUI comfy/sd.py `detect_te_model`).
_CLIPS = {768: ("CLIP-L", None), 1024: ("CLIP-H", "SD 2"), 1280: ("CLIP-G", None)}
_VISION = ("vision_model.encoder.layers.0.layer_norm1.weight", "visual.transformer.resblocks.0.ln_1.weight")


def text_encoder(subject: Subject) -> Claim | WhyNot:
    """Hold where text goes in: token embeddings before the layers of an encoder that ComfyUI knows."""
    if subject.adapters is not None:
        return WhyNot("it holds pairs of low rank")
    for prefix in subject.prefixes(*_PREFIXES):
        part = subject.part(prefix)
        found = _clip(part) or _t5(part) or _bert(part) or language_models.language_model(part)
        if found is not None:
            return found
    return WhyNot(f"no `{_CLIP}`, no `{_T5}`, and no language model's layers")


def _claim(name: str, base: str | None, told: tuple[str, ...]) -> Claim:
    confidence = Confidence.HIGH if base is None else Confidence.LIKELY
    return Claim(kind=Kind.TEXT_ENCODER, base_model=base, detail=name, evidence=told, confidence=confidence)


def _clip(part: Part) -> Claim | None:
    if part.has(_CLIP, "embeddings.token_embedding.weight"):
        if part.subject.whole.any(*_VISION):
            return None  # both halves: a person must say which is wanted (see clip_vision)
        width = part.size("final_layer_norm.weight", 0) or part.size(_CLIP, 1)
        name, base = _CLIPS.get(width or 0, ("CLIP", None))
        if part.size("embeddings.position_embedding.weight", 0) == 248:
            name = "Long CLIP-L"
        return _claim(name, base, part.told(_CLIP, "embeddings.token_embedding.weight"))
    if part.has(_OPEN_CLIP, "token_embedding.weight") and not part.any(*_VISION):
        name, base = _CLIPS.get(part.size(_OPEN_CLIP, 0) or 0, ("CLIP", None))
        return _claim(name, base, part.told(_OPEN_CLIP, "token_embedding.weight"))
    return None


def _t5(part: Part) -> Claim | None:
    first = part.any(_T5, _GGUF_T5)
    if first is None:
        return None
    vocabulary = part.size("shared.weight", 0) or part.size("token_embd.weight", 0) or 0
    width = part.size(first, 1)
    told = part.told(first, "shared.weight", "token_embd.weight")
    multilingual = vocabulary > 200_000
    gated = part.any("encoder.block.0.layer.1.DenseReluDense.wi_1.weight", "enc.blk.0.ffn_gate.weight") is not None
    if part.size(first, 0) == 384 and width == 1472:
        return _claim("ByT5 small (glyphs)", None, told)
    if width == 1024 and part.size(first, 0) == 16384 and not gated:
        return _claim("T5-XXL 1.0", "Cosmos", told)
    if width == 4096:
        return _claim("UMT5-XXL", "Wan", told) if multilingual else _claim("T5-XXL", None, told)
    if width == 2048:
        return _claim("mT5-XL", "HunyuanDiT", told) if multilingual else _claim("Pile-T5-XL", "AuraFlow", told)
    if width == 768:
        return _claim("UMT5-base", "ACE-Step", told) if multilingual else _claim("T5-base", "Stable Audio", told)
    return _claim("T5", None, told)


def _bert(part: Part) -> Claim | None:
    name = part.any("bert.encoder.layer.0.attention.self.query.weight")
    if name is None:
        return None
    return _claim("Chinese BERT", "HunyuanDiT", part.told(name))
