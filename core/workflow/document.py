"""What a workflow document says, whatever its form: nodes with their widget values, embedded models, skipped parts.

Every limit stands here. A document comes from strangers: a part that is wrong is skipped and listed with its node id,
a document that is no workflow, or one beyond the limits, is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import WorkflowError
from ..records.workflow import NodeMode

#: Nodes after subgraphs are expanded; a definition used twice counts twice, so nesting cannot grow without bound.
MAX_NODES = 50_000
#: Subgraphs inside subgraphs.
MAX_DEPTH = 16
#: Widget values of one node, and entries of its embedded models.
MAX_VALUES = 2_000
#: A file name with its subfolders; ComfyUI's own combos hold nothing longer.
MAX_NAME_CHARS = 512
#: Of one text widget (prompt or note) that is searched for tags and links.
MAX_TEXT_CHARS = 64 * 1024
#: Skipped parts that are listed by name; the rest is counted in `Collector.skipped_more`.
MAX_SKIPPED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedModel:
    """What an author embedded about one model (ComfyUI frontend, workflowSchema: `zModelFile`)."""

    name: str
    url: str | None = None
    folder_name: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class WidgetValue:
    """A string in a widget; `widget_name` is None where the document stores values by position only."""

    text: str
    widget_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentNode:
    """One node after expansion; `node_id` is its path through subgraphs.

    `replaced` are values that come from a promoted widget or a primitive, by widget name; `linked` are widgets whose
    value comes from another node and is therefore not in the document.
    """

    node_id: str
    node_type: str
    title: str | None = None
    mode: NodeMode = NodeMode.ACTIVE
    values: tuple[WidgetValue, ...] = ()
    replaced: Mapping[str, str] = field(default_factory=dict)
    linked: frozenset[str] = frozenset()
    embedded: tuple[EmbeddedModel, ...] = ()


@dataclass(frozen=True, slots=True)
class SkippedPart:
    """A part of the document that was left out, and why."""

    node_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole workflow or prompt, flat."""

    nodes: tuple[DocumentNode, ...]
    root_models: tuple[EmbeddedModel, ...] = ()
    skipped: tuple[SkippedPart, ...] = ()
    from_prompt: bool = False


class Collector:
    """Gathers nodes and skipped parts under the limits."""

    def __init__(self) -> None:
        self.nodes: list[DocumentNode] = []
        self.skipped: list[SkippedPart] = []
        self.skipped_more = 0
        self._visited = 0

    def visit(self) -> None:
        """Count one node of any kind, an instance of a subgraph too. Raises: WorkflowError: too many."""
        self._visited += 1
        if self._visited > MAX_NODES:
            raise WorkflowError(
                f"the workflow has more than {MAX_NODES} nodes once its subgraphs are expanded",
                hint="split it, or give the part that you mean to run",
            )

    def add(self, node: DocumentNode) -> None:
        """Keep a node."""
        self.nodes.append(node)

    def skip(self, node_id: str, reason: str) -> None:
        """Keep the id of a part that is left out."""
        if len(self.skipped) < MAX_SKIPPED:
            self.skipped.append(SkippedPart(node_id, reason))
        else:
            self.skipped_more += 1

    def finish(self, root_models: tuple[EmbeddedModel, ...], *, from_prompt: bool = False) -> Document:
        """Return what was gathered."""
        skipped = list(self.skipped)
        if self.skipped_more:
            skipped.append(SkippedPart("", f"{self.skipped_more} more parts were left out"))
        return Document(
            nodes=tuple(self.nodes), root_models=root_models, skipped=tuple(skipped), from_prompt=from_prompt
        )


def id_text(raw: object) -> str | None:
    """Return a node id as text, None when it is no id."""
    if isinstance(raw, bool) or not isinstance(raw, int | str):
        return None
    text = str(raw)
    return text if 0 < len(text) <= 128 and text.isprintable() else None


def short_text(raw: object, limit: int) -> str | None:
    """Return a string that is not empty and not longer than the limit, else None."""
    return raw if isinstance(raw, str) and 0 < len(raw) <= limit else None


def embedded_models(raw: object) -> tuple[EmbeddedModel, ...]:
    """Read a list of embedded models; entries without a usable name are dropped."""
    if not isinstance(raw, list):
        return ()
    return tuple(model for entry in raw[:MAX_VALUES] if (model := _embedded_model(entry)) is not None)


def _embedded_model(entry: object) -> EmbeddedModel | None:
    if not isinstance(entry, Mapping):
        return None
    name = short_text(entry.get("name"), MAX_NAME_CHARS)
    if name is None:
        return None
    return EmbeddedModel(
        name=name,
        url=short_text(entry.get("url"), 4096),
        folder_name=short_text(entry.get("directory"), 128),
        sha256=_sha256(entry.get("hash"), entry.get("hash_type")),
    )


def _sha256(digits: object, kind: object) -> str | None:
    if not isinstance(digits, str) or str(kind or "sha256").lower().replace("-", "") != "sha256":
        return None
    text = digits.strip().lower()
    return text if len(text) == 64 and set(text) <= set("0123456789abcdef") else None
