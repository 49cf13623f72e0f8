"""Run by an installation's own Python, in its own folder: print what its `folder_paths` knows, as JSON.

Arguments: the folder, then files of more model paths, and `--output=DIR` where ComfyUI is started with another one.
It imports nothing of ours and no torch, and does what ComfyUI's main.py does before it starts (main.py,
`apply_custom_paths`, ComfyUI 0.3.75): `extra_model_paths.yaml`, and the folders of saved models under `output`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def _main(root: str, words: list[str]) -> None:
    answer = os.dup(1)
    os.dup2(2, 1)  # what is printed on the way is not the answer
    sys.path[:1] = [root]
    sys.argv = ["main.py"]
    os.chdir(root)
    import folder_paths

    for word in words:
        if word.startswith("--output="):
            folder_paths.set_output_directory(word.removeprefix("--output="))
    own = Path(root, "extra_model_paths.yaml")
    extra = [*([str(own)] if own.is_file() else []), *(word for word in words if not word.startswith("--"))]
    if extra:
        from utils.extra_config import load_extra_path_config  # type: ignore[import-not-found]

        for file in extra:
            load_extra_path_config(file)
    for name, folder in (
        ("checkpoints", "checkpoints"),
        ("text_encoders", "clip"),
        ("vae", "vae"),
        ("diffusion_models", "diffusion_models"),
        ("loras", "loras"),
    ):
        folder_paths.add_model_folder_path(name, str(Path(folder_paths.get_output_directory(), folder)))
    folders = {}
    for name, entry in folder_paths.folder_names_and_paths.items():
        suffixes = sorted({suffix for suffix in entry[1] if suffix.startswith(".")})
        folders[name] = {"directories": [str(Path(path).absolute()) for path in entry[0]], "suffixes": suffixes}
    with os.fdopen(answer, "w", encoding="utf-8") as out:
        json.dump({"folders": folders, "base_path": folder_paths.base_path}, out)


_main(str(Path(sys.argv[1]).absolute()), sys.argv[2:])
