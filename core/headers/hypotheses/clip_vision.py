"""Vision encoders: CLIP's, SigLIP's and DINO's, without their text halves."""

from __future__ import annotations

from ..classification import Claim, Confidence, WhyNot
from ..kinds import Kind
from ..part import Part, Subject

_NORM = "vision_model.encoder.layers.0.layer_norm1.weight"
_BARE = "encoder.layers.0.layer_norm1.weight"
_OPEN_CLIP = "visual.transformer.resblocks.0.ln_1.weight"
_DINO = "encoder.layer.0.layer_scale1.lambda1"
_TEXT = ("text_model.encoder.layers.0.mlp.fc1.weight", "transformer.resblocks.0.ln_1.weight")
_BY_WIDTH = {768: "ViT-B", 1024: "ViT-L", 1152: "SigLIP", 1280: "ViT-H", 1664: "ViT-G"}


def clip_vision(subject: Subject) -> Claim | WhyNot:
    """Hold where patches go into layers, and nothing else is there."""
    whole = subject.whole
    if whole.any(*_TEXT, "embeddings.token_embedding.weight") is not None:
        return WhyNot("its text half is there too")
    if whole.has("visual_projection_2.weight") or whole.holds("fuse_module."):
        return WhyNot("it joins faces and words, as PhotoMaker does")
    if subject.prefixes("text_model.", "model.layers.", "language_model."):
        return WhyNot("a text encoder is beside it")
    for name in (_NORM, _OPEN_CLIP):
        if whole.has(name):
            kind = _BY_WIDTH.get(whole.size(name, 0) or 0, "CLIP")
            return _claim(whole, name, kind)
    if whole.has(_BARE, "embeddings.patch_embedding.weight"):
        return _claim(whole, _BARE, _BY_WIDTH.get(whole.size(_BARE, 0) or 0, "CLIP"))
    if whole.has(_DINO):
        return _claim(whole, _DINO, "DINOv2")
    return WhyNot(f"no `{_NORM}`")


def _claim(part: Part, name: str, detail: str) -> Claim:
    return Claim(kind=Kind.CLIP_VISION, detail=detail, evidence=part.told(name), confidence=Confidence.HIGH)


def both_halves(subject: Subject) -> tuple[str, ...]:
    """Return the evidence that a file is a whole CLIP, of whose halves two loaders want one each."""
    whole = subject.whole
    text, vision = whole.any(*_TEXT), whole.any(_NORM, _OPEN_CLIP)
    return whole.told(text, vision) if text is not None and vision is not None else ()
