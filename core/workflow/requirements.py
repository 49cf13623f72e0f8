"""From nodes to the models they need.

A node entry of embedded models counts only if its name equals one of the node's values, as in ComfyUI's own frontend
(`getSelectedModelsMetadata`): templates keep entries of models that were exchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import InvalidNameError
from ..paths import NON_MODEL_FOLDERS, safe_component, safe_relative
from ..records.workflow import NodeUse, RequiredModel
from .document import MAX_SKIPPED, Document, DocumentNode, EmbeddedModel, SkippedPart
from .names import looks_like_model
from .node_inputs import NodeInputs, NodeTable, folder_name
from .prompts import NOTE_TYPES, NoteLink, embedding_names, links, lora_names
from .read import read_document

_MAX_LINKS = 500
#: Their values count where they are plugged in.
_VALUELESS = frozenset({"PrimitiveNode", "Reroute"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What a workflow needs: models that run, those of muted or bypassed nodes, links in notes, skipped parts."""

    models: tuple[RequiredModel, ...]
    inactive: tuple[RequiredModel, ...] = ()
    links: tuple[NoteLink, ...] = ()
    skipped: tuple[SkippedPart, ...] = ()


def required_models(document: object, node_inputs: NodeInputs | None = None) -> list[RequiredModel]:
    """Return the models that a workflow or prompt needs to run, each once, in the order they are met.

    Raises: WorkflowError: the document is no workflow, or beyond our limits.
    """
    return list(requirements(document, node_inputs).models)


def requirements(document: object, node_inputs: NodeInputs | None = None) -> Requirements:
    """Return everything that a workflow or prompt says about models.

    Raises: WorkflowError: the document is no workflow, or beyond our limits.
    """
    return _Reader(read_document(document), NodeTable(node_inputs)).result()


@dataclass(slots=True)
class _Need:
    uses: dict[NodeUse, None] = field(default_factory=dict)
    embedded: EmbeddedModel | None = None


class _Reader:
    def __init__(self, document: Document, table: NodeTable) -> None:
        self._document = document
        self._table = table
        self._needs: dict[tuple[str | None, str], _Need] = {}
        self._links: dict[NoteLink, None] = {}
        self._skipped = list(document.skipped)

    def result(self) -> Requirements:
        for node in self._document.nodes:
            if node.node_type in NOTE_TYPES:
                self._note(node)
            else:
                self._node(node)
        self._add_root_models()
        self._settle_unknown_folders()
        models = [_model(key, need) for key, need in self._needs.items()]
        return Requirements(
            models=tuple(model for model in models if model.active),
            inactive=tuple(model for model in models if not model.active),
            links=tuple(self._links),
            skipped=tuple(self._skipped),
        )

    def _note(self, node: DocumentNode) -> None:
        for value in node.values:
            found = list(links(node.node_id, value.text))
            self._links.update(dict.fromkeys(found[: _MAX_LINKS - len(self._links)]))

    def _node(self, node: DocumentNode) -> None:
        if node.node_type in _VALUELESS or self._table.fetches_itself(node.node_type):
            return
        for widget, value in node_values(node, self._table):
            folder = self._table.folder_of_input(node.node_type, widget)
            if looks_like_model(value) or (
                folder is not None and widget is not None and self._table.knows(node.node_type)
            ):
                self._model_value(node, widget, value, folder)
            else:
                self._text(node, widget, value)

    def _model_value(self, node: DocumentNode, widget: str | None, value: str, folder: str | None) -> None:
        if self._table.is_no_file(node.node_type, value):
            return
        entry = next((model for model in node.embedded if model.name == value), None)
        if folder is None and entry is not None and entry.folder_name is not None:
            folder = entry.folder_name
        folder = self._table.folder_of_value(node.node_type, value, folder)
        self._add(value, folder, _use(node, widget), entry)

    def _text(self, node: DocumentNode, widget: str | None, text: str) -> None:
        for name in lora_names(text):
            self._add(name, "loras", _use(node, widget), None)
        for name in embedding_names(text):
            self._add(name, "embeddings", _use(node, widget), None)

    def _add(self, name: str, folder: str | None, use: NodeUse | None, entry: EmbeddedModel | None) -> None:
        if (reason := _why_unusable(name, folder)) is not None:
            if len(self._skipped) <= MAX_SKIPPED:
                self._skipped.append(SkippedPart(use.node_id if use else "", reason))
            return
        need = self._needs.setdefault((folder, name), _Need())
        if use is not None:
            need.uses[use] = None
        if entry is not None and (need.embedded is None or (entry.sha256 and not need.embedded.sha256)):
            need.embedded = entry

    def _add_root_models(self) -> None:
        """Let models at the root tell of those that nodes name; those that no node names count by themselves."""
        named = self._keys_by_name()
        for entry in self._document.root_models:
            folder = folder_name(entry.folder_name) if entry.folder_name else None
            keys = named.get(entry.name, [])
            for key in keys:
                if key[0] is None and folder is not None and (folder, entry.name) not in self._needs:
                    self._needs[folder, entry.name] = self._needs.pop(key)
                    key = folder, entry.name
                    named[entry.name] = [key]
                if folder in {key[0], None} or key[0] is None:
                    self._needs[key].embedded = self._needs[key].embedded or entry
            if not keys and not self._document.from_prompt:
                self._add(entry.name, folder, None, entry)

    def _settle_unknown_folders(self) -> None:
        """Let a name whose folder no node could tell join the same name elsewhere in the workflow."""
        for keys in self._keys_by_name().values():
            known = [key for key in keys if key[0] is not None]
            if len(known) == 1 and len(keys) == 2:
                need = self._needs.pop((None, known[0][1]))
                self._needs[known[0]].uses.update(need.uses)

    def _keys_by_name(self) -> dict[str, list[tuple[str | None, str]]]:
        found: dict[str, list[tuple[str | None, str]]] = {}
        for key in self._needs:
            found.setdefault(key[1], []).append(key)
        return found


def _why_unusable(name: str, folder: str | None) -> str | None:
    """Return why a name or folder can be no requirement: it leads elsewhere, or no models live there."""
    if folder in NON_MODEL_FOLDERS:
        return f"`{folder}` holds no models"
    try:
        safe_relative(name)
        if folder is not None:
            safe_component(folder)
    except InvalidNameError as error:
        return error.message
    return None


def node_values(node: DocumentNode, table: NodeTable) -> list[tuple[str | None, str]]:
    """Return a node's strings with their widget names, as far as these can be told.

    Values of promoted widgets and primitives replace what is stored; widgets that other nodes feed are left out.
    """
    if any(value.widget_name is None for value in node.values):
        named = _by_position(node, table)
    else:
        named = [(value.widget_name, value.text) for value in node.values]
    values = [
        (widget, _current(text, node.replaced.get(widget) if widget else None))
        for widget, text in named
        if widget not in node.linked
    ]
    stored = {widget for widget, _ in named}
    return values + [(widget, text) for widget, text in node.replaced.items() if widget not in stored]


def _current(stored: str, replacement: str | None) -> str:
    """Return the replacement, unless it is no file where a file stands: then places were mixed up."""
    if replacement is None or (looks_like_model(stored) and not looks_like_model(replacement)):
        return stored
    return replacement


def _by_position(node: DocumentNode, table: NodeTable) -> list[tuple[str | None, str]]:
    """Match strings to the inputs that name models, in order; where the counts differ nothing is claimed."""
    inputs = list(table.inputs_of(node.node_type) or ())
    texts = [value.text for value in node.values]
    files = [index for index, text in enumerate(texts) if looks_like_model(text)]
    choices = [index for index, text in enumerate(texts) if index in files or table.is_no_file(node.node_type, text)]
    if len(inputs) == 1 and "*" in inputs[0]:
        inputs = [inputs[0].replace("*", str(number)) for number in range(1, len(files) + 1)]
    names: dict[int, str] = {}
    for places in (files, choices):
        if len(places) == len(inputs) or len(inputs) == 1:
            names = dict(zip(places, inputs, strict=False))
            break
    return [(names.get(index), text) for index, text in enumerate(texts)]


def _use(node: DocumentNode, widget: str | None) -> NodeUse:
    return NodeUse(node_id=node.node_id, node_type=node.node_type, widget_name=widget, title=node.title, mode=node.mode)


def _model(key: tuple[str | None, str], need: _Need) -> RequiredModel:
    folder, name = key
    entry = need.embedded
    return RequiredModel(
        name=name,
        folder_name=folder,
        uses=tuple(need.uses),
        url=entry.url if entry else None,
        sha256=entry.sha256 if entry else None,
    )
