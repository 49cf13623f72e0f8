"""GLIGEN: boxes that say where what is drawn."""

from __future__ import annotations

from ..architectures.stable_diffusion import BY_CONTEXT
from ..classification import Claim, WhyNot
from ..kinds import Kind
from ..part import Subject


def gligen(subject: Subject) -> Claim | WhyNot:
    """Hold where a net of positions is."""
    name = "position_net.null_positive_feature"
    if not subject.whole.has(name):
        return WhyNot(f"no `{name}`")
    base = "SD 1.5" if subject.whole.size("position_net.linears.4.weight", 0) == 768 else None
    fuser = subject.whole.ending(".fuser.linear.weight")
    base = BY_CONTEXT.get(subject.whole.size(fuser, 1) or 0, base) if fuser is not None else base
    return Claim(kind=Kind.GLIGEN, base_model=base, evidence=subject.whole.told(name))
