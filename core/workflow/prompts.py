"""Models that stand in texts: `<lora:…>` and `embedding:…` in prompts, links in notes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

#: Node types whose text is for people, not for a model.
NOTE_TYPES = frozenset({"Note", "MarkdownNote", "Label (rgthree)", "Note Plus (mtb)", "workflow>note"})

# `<lora:NAME:strength>` as the packs that read it do (Impact wildcards, LoRA tag loaders); the length is bounded so
# that a text full of `<lora:` costs linear time.
_LORA_TAG = re.compile(r"<lora:([^:<>\n]{1,255})(?::[^<>\n]{0,64})?>", re.IGNORECASE)
# ComfyUI 0.3.75, comfy/sd1_clip.py: the identifier begins a word, the name ends at white space; a comma or the
# brackets and weight of `(embedding:x:1.2)` are not part of it.
_EMBEDDING = re.compile(r"(?:^|[\s(,\[{])embedding:([^\s,:()\[\]{}<>]{1,255})")
_URL = re.compile(r"https?://[^\s<>\"'\\^`{}|)\]]{4,2048}")


@dataclass(frozen=True, slots=True)
class NoteLink:
    """A link that somebody wrote into a note."""

    node_id: str
    url: str


def lora_names(text: str) -> Iterator[str]:
    """Yield the names in `<lora:…>` tags, most often without a suffix."""
    for match in _LORA_TAG.finditer(text):
        yield match[1].strip()


def embedding_names(text: str) -> Iterator[str]:
    """Yield the names behind `embedding:`."""
    for match in _EMBEDDING.finditer(text):
        yield match[1].rstrip(".;")


def links(node_id: str, text: str) -> Iterator[NoteLink]:
    """Yield the web links in a note."""
    for match in _URL.finditer(text):
        yield NoteLink(node_id, match[0].rstrip(".,;:*_"))
