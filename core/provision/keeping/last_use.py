"""When a model was last used: ComfyUI tells which its prompts name, the index remembers it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from ...errors import StorageError
from ...library.index.keep import set_facts
from ...library.library import Library
from ...records.library import LibraryFile
from ...records.model import FolderLayout, ModelRef
from ...records.session import UsedModel
from ...workflow.node_inputs import NodeTable

_log = logging.getLogger("comfystow.library")


def note_use(
    library: Library,
    used: Iterable[UsedModel],
    layout: FolderLayout,
    node_inputs: Mapping[str, Mapping[str, str]],
) -> int:
    """Write down when files were used, and return how many. Looks at the disk: call it in a thread."""
    table = NodeTable(node_inputs)
    rows: dict[int, dict[str, object]] = {}
    try:
        for model in used:
            for file in _files(library, model, layout, table):
                rows[file.id] = {"last_used_at": max(model.used_at, file.last_used_at or 0.0)}
        if rows:
            set_facts(library.index, rows)
    except StorageError as err:
        _log.warning("the use of models cannot be noted: %s", err.message)
    return len(rows)


def _files(library: Library, model: UsedModel, layout: FolderLayout, table: NodeTable) -> Iterable[LibraryFile]:
    """Return the file that the node's loader opens; where its folder is not known, all of that name."""
    folder = table.folder_of_input(model.node_type, model.input_name)
    if folder is None:
        return library.index.named(model.name.replace("\\", "/"))
    path = layout.find(ModelRef(folder, model.name))
    if path is None:
        return []
    file = library.index.by_path(path)
    return [file] if file is not None else library.single.look_at([path])  # it came just now
