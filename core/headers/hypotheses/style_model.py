"""Style models: what turns a picture's embedding into words for the model (Flux Redux, T2I style adapter)."""

from __future__ import annotations

from ..classification import Claim, WhyNot
from ..kinds import Kind
from ..part import Subject


def style_model(subject: Subject) -> Claim | WhyNot:
    """Hold for the two that ComfyUI loads (comfy/sd.py `load_style_model`)."""
    whole = subject.whole
    for name, base, detail in (("redux_down.weight", "Flux", "Redux"), ("style_embedding", "SD 1.5", "style adapter")):
        if whole.has(name):
            return Claim(kind=Kind.STYLE_MODEL, base_model=base, detail=detail, evidence=whole.told(name))
    return WhyNot("neither `redux_down.weight` nor `style_embedding`")
