"""Hypernetworks: small networks over the keys and values of cross attention (AUTOMATIC1111)."""

from __future__ import annotations

from ..classification import Claim, Confidence, WhyNot
from ..kinds import Kind
from ..part import Subject

_WIDTHS = ("320.", "640.", "768.", "1024.", "1280.")


def hypernetwork(subject: Subject) -> Claim | WhyNot:
    """Hold where small networks are named by the width that they act on."""
    if not subject.tensors or not all(name.startswith(_WIDTHS) for name in subject.tensors):
        return WhyNot("its tensors are not named by widths")
    name = next(iter(subject.tensors))
    told = (f"all names begin with a width, as `{name}`",)
    return Claim(kind=Kind.HYPERNETWORK, base_model="SD 1.5", evidence=told, confidence=Confidence.LIKELY)
