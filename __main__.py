"""The command line of a plain clone, whatever its folder is called: `python <folder> get …`; also of `-m comfystow`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent
_PACKAGE = "comfystow"


def _load_tree() -> None:
    """Load this tree as package `comfystow`.

    Python puts the folder it runs on `sys.path`, where our `core` and `nodes` would hide those of others; out with it.
    """
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != _ROOT]
    spec = importlib.util.spec_from_file_location(
        _PACKAGE, _ROOT / "__init__.py", submodule_search_locations=[str(_ROOT)]
    )
    if spec is None or spec.loader is None:
        sys.exit(f"{_ROOT} holds no {_PACKAGE}")
    package = importlib.util.module_from_spec(spec)
    sys.modules[_PACKAGE] = package
    spec.loader.exec_module(package)


def _main() -> int:
    if not __package__:  # `python <folder>`; with -m the package is there already
        _load_tree()
    return int(importlib.import_module(".core.cli", __package__ or _PACKAGE).main())


if __name__ == "__main__":
    sys.exit(_main())
