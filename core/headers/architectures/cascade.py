"""Stable Cascade: Stability AI's two stages on Würstchen."""

from __future__ import annotations

from ..classification import Match
from ..part import Part


def recognise(part: Part) -> Match | str:
    """Recognise it by its classifier layer; the stage by what maps the text."""
    if not part.has("clf.1.weight"):
        return "no `clf.1.weight`"
    mapper = part.any("clip_txt_mapper.weight", "clip_mapper.weight", "clip_txt_pooled_mapper.weight")
    if mapper is None:
        return "`clf.1.weight` without a text mapper"
    stage = "stage C" if part.has("clip_txt_mapper.weight") else "stage B"
    return Match("Stable Cascade", stage, part.told("clf.1.weight", mapper))
