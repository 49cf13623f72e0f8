"""PuLID: a face kept through a prompt (ToTheBeginning `PuLID`)."""

from __future__ import annotations

from ..classification import Claim, Confidence, WhyNot
from ..kinds import Kind
from ..part import Subject


def pulid(subject: Subject) -> Claim | WhyNot:
    """Hold where PuLID's cross attention is."""
    found = subject.prefixes("pulid_ca.", "pulid_encoder.")
    if not found:
        return WhyNot("no `pulid_ca.`")
    told = (f"tensors under `{found[0]}` are there",)
    return Claim(kind=Kind.PULID, base_model="Flux", evidence=told, confidence=Confidence.LIKELY)
