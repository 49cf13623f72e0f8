"""Networks that mend faces."""

from __future__ import annotations

from ..classification import Claim, WhyNot
from ..kinds import Kind
from ..part import Subject
from .upscale_model import PREFIXES

# (spandrel 0.4.2 `architectures/*/__init__.py`; sczhou `CodeFormer`)
_FACES = (
    ("GFPGAN", ("toRGB.0.weight", "stylegan_decoder.style_mlp.1.weight")),
    ("RestoreFormer", ("quantize.embedding.weight", "encoder.down.0.block.0.norm1.weight")),
    ("CodeFormer", ("quantize.embedding.weight", "idx_pred_layer.1.weight")),
)


def face_restoration(subject: Subject) -> Claim | WhyNot:
    """Hold for networks that mend faces, which other packs load."""
    for prefix in subject.prefixes(*PREFIXES):
        for name, needed in _FACES:
            part = subject.part(prefix)
            if part.has(*needed):
                return Claim(kind=Kind.FACE_RESTORATION, detail=name, evidence=part.told(*needed))
    return WhyNot("no network for faces that spandrel knows")
