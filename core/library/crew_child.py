"""One process of a `Crew`: a line of JSON with files comes in, a line with what they show goes out.

Runs as a script: it loads this tree as package `comfystow`, as `__main__.py` does. It ends with its standard input.
"""

from __future__ import annotations

import base64
import importlib
import importlib.util
import json
import sys
from pathlib import Path

_PACKAGE = "comfystow"
#: Somebody waits for the scan; downloads and ComfyUI go first all the same.
_NICE = 5


def _load_tree() -> None:
    tree = Path(__file__).resolve().parents[2]
    spec = importlib.util.spec_from_file_location(
        _PACKAGE, tree / "__init__.py", submodule_search_locations=[str(tree)]
    )
    if spec is None or spec.loader is None:
        sys.exit(f"{tree} holds no {_PACKAGE}")
    package = importlib.util.module_from_spec(spec)
    sys.modules[_PACKAGE] = package
    spec.loader.exec_module(package)


def _main() -> None:
    _load_tree()
    importlib.import_module(".core.library.background", _PACKAGE).lower_priority(nice=_NICE, idle_disk=False)
    look_into = importlib.import_module(".core.library.examine", _PACKAGE).look_into
    for line in sys.stdin:
        seen = [look_into(base64.b64decode(path), size) for path, size in json.loads(line)]
        sys.stdout.write(json.dumps([(one.columns, one.unreadable) for one in seen]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main()
