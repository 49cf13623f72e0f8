"""Run as a process: twenty callers at once, each asks for a file of its own and tells who answered.

`python herd.py <checkout> <state folder> <number> <prefix of the sources>` prints one JSON line a caller. All are forked
after the imports and let go together, so that they really meet.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path


def load_tree(root: Path) -> None:
    spec = importlib.util.spec_from_file_location(
        "comfystow", root / "__init__.py", submodule_search_locations=[str(root)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["comfystow"] = module
    spec.loader.exec_module(module)


def call(state_dir: Path, source: str) -> dict[str, object]:
    from comfystow.core.config import load_settings
    from comfystow.core.engine.sync_client import SyncEngineClient

    with SyncEngineClient(state_dir, load_settings()) as client:
        status, body = client.request("POST", "/downloads", {"source": source, "folder_name": "loras"})
        return {
            "source": source,
            "status": status,
            "id": body.get("id"),
            "body": body,
            "engine": client.engine.info.pid,
        }


def main() -> None:
    root, state_dir, number, prefix = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    load_tree(root)
    import comfystow.core.engine.sync_client

    assert comfystow.core.engine.sync_client
    start, go = os.pipe()
    children = []
    for index in range(number):
        pid = os.fork()
        if pid == 0:
            os.close(go)
            os.read(start, 1)  # ends for all when the parent closes its end
            try:
                answer = call(state_dir, f"{prefix}{index}.safetensors")
            except Exception as err:
                answer = {"failed": repr(err), "hint": getattr(err, "hint", None)}
            os.write(1, json.dumps(answer).encode() + b"\n")
            os._exit(0)
        children.append(pid)
    print("ready", flush=True)
    sys.stdin.readline()
    os.close(go)
    for pid in children:
        os.waitpid(pid, 0)


main()
