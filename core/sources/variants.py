"""Which files are one model stored in different ways: the same name but for its words of precision (pure)."""

from __future__ import annotations

import re

# How a model is stored, as authors write it into names: numbers' types, GGUF's quantisations (ggml `ggml.h`), packings.
_STORED = re.compile(
    r"(?<![a-z0-9])(?:"
    r"i?q\d+(?:[_-](?:[01]|k|xxs|xs|s|m|l|xl|nl))*|[ut]q\d[_-]\d"
    r"|fp\d+(?:mixed|scaled)?|bf16|f16|f32|int[48][a-z0-9]*|nf4|nvfp4[a-z0-9]*|mxfp[48][a-z0-9]*|e4m3fn(?:uz)?|e5m2"
    r"|scaled|mixed|pruned|emaonly|ema|gguf|quantized"
    r")(?![a-z0-9])"
)


def family_of(name: str) -> str:
    """Return what is left of a file name without how it is stored, and without case and separators."""
    stem = re.split(r"[/\\]", name)[-1].lower().rpartition(".")[0]
    return " ".join(re.findall(r"[0-9a-z]+", _STORED.sub(" ", re.sub(r"[-. ]", "_", stem))))


def are_variants(one: str, other: str) -> bool:
    """Tell whether two names are of one model, stored differently; a name that is all storage is nobody's."""
    return one.lower() != other.lower() and family_of(one) == family_of(other) != ""
