"""IP-Adapter and InstantID: pictures as prompts."""

from __future__ import annotations

from ..architectures.stable_diffusion import BY_CONTEXT
from ..classification import Claim, Confidence, WhyNot
from ..kinds import Kind
from ..part import Subject


def ip_adapter(subject: Subject) -> Claim | WhyNot:
    """Hold where pictures become keys and values beside those of words (tencent-ailab `IP-Adapter`)."""
    if not subject.begins("ip_adapter."):
        return WhyNot("no `ip_adapter.`")
    key = next((name for name in subject.under("ip_adapter.") if ".to_k_ip" in name), None)
    image = next(iter(subject.under("image_proj.") or subject.under("image_proj_model.")), None)
    if key is None or image is None:
        return WhyNot("no `ip_adapter.….to_k_ip` with an `image_proj.`")
    context = subject.whole.size(key, 1)
    base = BY_CONTEXT.get(context or 0)
    if base is None and subject.prefixes("ip_adapter.double_blocks.", "ip_adapter.0.", "double_blocks."):
        base = "Flux" if context in {3072, 4096} else None
    told = subject.whole.told(key, image)
    resampler = subject.whole.has("image_proj.latents")
    if resampler and subject.whole.size("image_proj.proj_in.weight", 1) == 512 and base == "SDXL":
        return Claim(kind=Kind.INSTANTID, base_model=base, evidence=told, confidence=Confidence.LIKELY)
    return Claim(kind=Kind.IP_ADAPTER, base_model=base, evidence=told)
