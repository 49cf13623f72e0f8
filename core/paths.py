"""The only place that turns a name into a path.

A name from the network, from a workflow or from a request is hostile until `safe_component` or `safe_relative` has
seen it; `join_within` is the only way from such a name to a path, and it checks where the path really ends.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from pathlib import Path, PurePosixPath
from typing import NewType

from .errors import InvalidNameError

PathComponent = NewType("PathComponent", str)
RelativePath = NewType("RelativePath", PurePosixPath)

MODEL_SUFFIXES = frozenset({".safetensors", ".sft", ".gguf"})
PICKLE_SUFFIXES = frozenset({".ckpt", ".pt", ".pt2", ".pth", ".bin", ".pkl"})

#: What stands beside the models of a diffusers pipeline: configurations and vocabularies; taken in that folder alone.
COMPANION_SUFFIXES = frozenset({".json", ".txt", ".model"})

#: Folder names of ComfyUI that never hold models and are never a target.
NON_MODEL_FOLDERS = frozenset({"custom_nodes", "configs", "datasets", "fonts"})

# Names that Windows reserves in every folder, with any suffix (Microsoft, "Naming Files, Paths, and Namespaces").
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?:\..*)?", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
_MAX_COMPONENT_BYTES = 240  # 255 less the room for `.part.json`
_MAX_DEPTH = 8


def safe_component(name: str) -> PathComponent:
    """Return one file or folder name, NFC-normalised, that every file system takes and that stays where it is put.

    Raises: InvalidNameError: separators, control characters, reserved or relative names, too long.
    """
    text = unicodedata.normalize("NFC", name)
    reason = _why_unsafe(text)
    if reason is not None:
        raise InvalidNameError(f"`{_shown(name)}` cannot be a file name: {reason}", hint="choose another name")
    return PathComponent(text)


def _why_unsafe(text: str) -> str | None:
    if text in {"", ".", ".."} or text.startswith("~"):
        return "it is empty or relative"
    if _FORBIDDEN.search(text):
        return 'it holds one of < > : " / \\ | ? *'
    if any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in text):
        return "it holds a control or invisible character"
    if text != text.rstrip(". ") or text != text.lstrip(" "):
        return "it begins with a space, or ends with a dot or a space"
    if _RESERVED.fullmatch(text):
        return "Windows reserves it"
    if len(text.encode("utf-8")) > _MAX_COMPONENT_BYTES:
        return f"it is longer than {_MAX_COMPONENT_BYTES} bytes"
    return None


def _shown(name: str) -> str:
    return "".join(char if char.isprintable() else "�" for char in name[:80])


def safe_relative(name: str) -> RelativePath:
    r"""Return a relative path of safe components; both `/` and `\` separate (templates and Windows combos).

    Raises: InvalidNameError: absolute, empty, too deep, or a component that is not safe.
    """
    text = name.replace("\\", "/")
    parts = text.split("/")
    if len(parts) > _MAX_DEPTH:
        raise InvalidNameError(f"`{_shown(name)}` is nested deeper than {_MAX_DEPTH} folders")
    return RelativePath(PurePosixPath(*(safe_component(part) for part in parts)))


def join_within(root: Path, relative: PathComponent | RelativePath) -> Path:
    """Join a safe name to a root, and prove that links do not lead out of it.

    Raises: InvalidNameError: an existing part of the path is a link that leaves the root, or the locale lacks letters.
    """
    path = root.joinpath(relative)
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise InvalidNameError(
            f"`{relative}` cannot be spelt in this system's encoding, {sys.getfilesystemencoding()}",
            hint="start it with LC_ALL=C.UTF-8, or choose another name",
        ) from None
    if path.parent == root:
        return path  # one component: no link lies between the two
    real_root = Path(os.path.realpath(root))
    real = Path(os.path.realpath(path.parent)) / path.name
    if not real.is_relative_to(real_root):
        raise InvalidNameError(f"`{relative}` leads out of its folder", hint="a link in the way points elsewhere")
    return path


def has_model_suffix(name: str) -> bool:
    """Tell whether the name ends like a model file of any format, safe or not."""
    return PurePosixPath(name.lower()).suffix in MODEL_SUFFIXES | PICKLE_SUFFIXES
