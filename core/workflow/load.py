"""From a path to documents: JSON, images with an embedded workflow, folders of both."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import WorkflowError
from .images import embedded_texts, is_image

#: Of a JSON file.
MAX_FILE_BYTES = 64 << 20
#: Files of one folder.
MAX_FILES = 20_000
_SUFFIXES = frozenset({".json", ".png", ".webp"})


def load_document(path: Path) -> object:
    """Read one file into a JSON value for `read_document`; an image's workflow goes before its prompt.

    Raises: WorkflowError: not there, too large, no JSON, an image without a workflow.
    """
    try:
        with path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            head = file.read(12)
            file.seek(0)
            if is_image(head):
                return _from_image(path, embedded_texts(file, size_bytes))
            if size_bytes > MAX_FILE_BYTES:
                raise WorkflowError(f"`{path.name}` is larger than {MAX_FILE_BYTES >> 20} MiB: no workflow is")
            return parse_json(file.read(MAX_FILE_BYTES + 1), path.name)
    except OSError as error:
        raise WorkflowError(f"`{path}` cannot be read: {error.strerror or error}", hint="check the path") from None


def parse_json(data: bytes | str, name: str) -> object:
    """Parse JSON from a stranger.

    Raises: WorkflowError: no JSON (with line and column), or nested too deep.
    """
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        raise WorkflowError(
            f"`{name}` is no JSON: {error.msg} in line {error.lineno}, column {error.colno}",
            hint="save the workflow again from ComfyUI",
        ) from None
    except UnicodeDecodeError:
        raise WorkflowError(f"`{name}` is no text, and no image that can carry a workflow") from None
    except (RecursionError, ValueError):
        raise WorkflowError(f"`{name}` is nested too deep, or holds a number that is too long") from None


def workflow_files(path: Path) -> Iterator[Path]:
    """Yield the files of a folder that can hold a workflow, sorted; a file is yielded as it is.

    Raises: WorkflowError: more files than our limit.
    """
    if not path.is_dir():
        yield path
        return
    count = 0
    for directory, subfolders, files in os.walk(path):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(files):
            if Path(name).suffix.lower() in _SUFFIXES:
                count += 1
                if count > MAX_FILES:
                    raise WorkflowError(f"`{path}` holds more than {MAX_FILES} files", hint="give a smaller folder")
                yield Path(directory) / name


def _from_image(path: Path, texts: dict[str, str]) -> object:
    for key in ("workflow", "prompt"):
        if key in texts:
            return parse_json(texts[key], f"{path.name} ({key})")
    raise WorkflowError(f"`{path.name}` carries no workflow", hint="ComfyUI embeds it unless --disable-metadata is set")
