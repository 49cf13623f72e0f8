"""ACE-Step: music from text and lyrics."""

from __future__ import annotations

from ..classification import Match
from ..part import Part


def recognise(part: Part) -> Match | str:
    """Recognise it by its embeddings of genre and lyrics."""
    if not part.has("genre_embedder.weight", "lyric_embs.weight"):
        return "no `genre_embedder.weight`"
    return Match("ACE-Step", "1", part.told("genre_embedder.weight", "lyric_embs.weight"), ("transformer_blocks.",))
