"""Carries a change out, as the engine's thread does; a test kills it at any instant.

usage: carry_out.py STATE_DIR CHANGE_ID [N]

With N it kills itself before its Nth call that opens, makes, renames or removes something (Python's audit events), and
prints how many there were when it gets to the end.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location(
    "comfystow", CHECKOUT / "__init__.py", submodule_search_locations=[str(CHECKOUT)]
)
assert spec is not None
assert spec.loader is not None
module = importlib.util.module_from_spec(spec)
sys.modules["comfystow"] = module
spec.loader.exec_module(module)

from comfystow.core.library.changes.apply import Watcher, apply_change  # noqa: E402
from comfystow.core.library.changes.journal import ChangeJournal  # noqa: E402

state_dir, change_id = Path(sys.argv[1]), sys.argv[2]
last = int(sys.argv[3]) if len(sys.argv) > 3 else None
count = 0


def on_event(name: str, _arguments: tuple[object, ...]) -> None:
    """Count what touches the disk, and die when it is time."""
    global count
    if not name.startswith(("os.", "open", "ctypes.call", "fcntl.", "sqlite3.")):
        return
    count += 1
    if count == last:
        os.kill(os.getpid(), signal.SIGKILL)


with ChangeJournal(state_dir) as journal:
    print("ready", flush=True)
    if last is not None:
        sys.addaudithook(on_event)
    apply_change(journal, change_id, Watcher())
print(count, flush=True)
