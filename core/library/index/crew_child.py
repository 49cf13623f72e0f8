"""One process of a `Crew`: a line of JSON with files comes in, a line with what they show goes out.

Runs as a script, with the module and the name of the function that looks: `__main__.py` loads this tree as package
`comfystow` for it. It ends with its standard input.
"""

from __future__ import annotations

import base64
import importlib
import json
import runpy
import sys
from pathlib import Path

_PACKAGE = "comfystow"
_TREE = Path(__file__).resolve().parents[3]
#: Somebody waits for the scan; downloads and ComfyUI go first all the same.
_NICE = 5


def _main() -> None:
    runpy.run_path(str(_TREE / "__main__.py"), run_name="comfystow_loader")["_load_tree"]()
    importlib.import_module(".core.library.background", _PACKAGE).lower_priority(nice=_NICE, idle_disk=False)
    look = getattr(importlib.import_module(sys.argv[1], _PACKAGE), sys.argv[2])
    for line in sys.stdin:
        seen = [look(base64.b64decode(path), size) for path, size in json.loads(line)]
        sys.stdout.write(json.dumps(seen) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main()
