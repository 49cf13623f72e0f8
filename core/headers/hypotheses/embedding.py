"""Embeddings (textual inversions): a few vectors as wide as a text encoder's tokens."""

from __future__ import annotations

from ..classification import Claim, Confidence, WhyNot
from ..kinds import Kind
from ..part import Subject

_MOST_TENSORS = 4
_MOST_VECTORS = 256
# Width of the text encoder -> base model.
_WIDTHS = {768: "SD 1.5", 1024: "SD 2", 1280: "SDXL"}


def embedding(subject: Subject) -> Claim | WhyNot:
    """Hold where few vectors are all that there is."""
    tensors = subject.tensors
    if not 0 < len(tensors) <= _MOST_TENSORS:
        return WhyNot(f"{len(tensors)} tensors are not those of an embedding")
    told = subject.whole.told(*tensors)
    if "clip_g" in tensors and "clip_l" in tensors:
        return Claim(kind=Kind.EMBEDDING, base_model="SDXL", evidence=told)
    named = next((name for name in tensors if name == "emb_params" or name.startswith("string_to_param.")), None)
    vectors = [name for name in tensors if _is_vectors(subject, name)]
    name = named if named is not None else vectors[0] if len(vectors) == len(tensors) else None
    if name is None:
        return WhyNot("its tensors are no vectors of a text encoder's width")
    base = _WIDTHS.get(subject.whole.size(name, -1) or 0)
    sure = Confidence.HIGH if named is not None and base is not None else Confidence.LIKELY
    return Claim(kind=Kind.EMBEDDING, base_model=base, evidence=told, confidence=sure)


def _is_vectors(subject: Subject, name: str) -> bool:
    shape = subject.shape(name) or ()
    few = len(shape) == 1 or (len(shape) == 2 and shape[0] <= _MOST_VECTORS)
    return few and "." not in name and shape[-1] in _WIDTHS
