"""Make `models.json` from ComfyUI's workflow templates.

Run `python -m comfystow.core.sources.data.make_models FOLDER…` with folders that hold the JSON files of
`comfyui_workflow_templates*` packages (their wheels, unpacked); without any it takes the installed packages.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ..templates import installed_templates, read_templates

_COLUMNS = ("name", "directory", "url", "sha256", "uses")


def main(arguments: list[str]) -> int:
    """Write the file beside this one."""
    folders = [Path(text) for text in arguments] or installed_templates()
    entries = read_templates(folders)
    rows = sorted([entry.name, entry.folder_name or "", entry.url, entry.sha256, entry.uses] for entry in entries)
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    head = json.dumps({"version": 1, "columns": _COLUMNS})[:-1]
    Path(__file__).with_name("models.json").write_text(f'{head}, "models": [\n{lines}\n]}}\n', encoding="utf-8")
    sys.stderr.write(f"{len(rows)} models from {len(folders)} folders\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
