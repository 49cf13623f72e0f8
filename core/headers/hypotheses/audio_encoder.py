"""Audio encoders, whose features steer films of speech."""

from __future__ import annotations

from ..classification import Claim, WhyNot
from ..kinds import Kind
from ..part import Subject


def audio_encoder(subject: Subject) -> Claim | WhyNot:
    """Hold for wav2vec 2.0 and Whisper (ComfyUI comfy/audio_encoders)."""
    for prefix in subject.prefixes("", "wav2vec2.", "model."):
        part = subject.part(prefix)
        if part.has("feature_extractor.conv_layers.0.conv.weight") and part.holds("encoder.layers.0."):
            told = part.told("feature_extractor.conv_layers.0.conv.weight", "encoder.layer_norm.bias")
            return Claim(kind=Kind.AUDIO_ENCODER, detail="wav2vec 2.0", evidence=told)
        if part.has("encoder.embed_positions.weight", "encoder.conv1.weight"):
            told = part.told("encoder.embed_positions.weight", "encoder.conv1.weight")
            return Claim(kind=Kind.AUDIO_ENCODER, detail="Whisper", evidence=told)
    return WhyNot("neither wav2vec 2.0 nor Whisper")
