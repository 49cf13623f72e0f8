"""A pack of another author, that came first.

It owns the module name `core`, as packs do that put their folder on `sys.path` (`utils` and `nodes` are ComfyUI's own),
and it watches, by an audit hook, what another pack does while ComfyUI imports it. `GET /stow_probe` tells.
"""

from __future__ import annotations

from pathlib import Path

# ComfyUI runs every prestartup_script.py before it imports any pack.
_PRESTARTUP = """
import os, sys, types
from pathlib import Path

ACTS = {
    "_thread.start_new_thread", "_thread.start_joinable_thread", "os.exec", "os.fork", "os.forkpty", "os.mkdir",
    "os.posix_spawn", "os.remove", "os.rename", "os.spawn", "socket.__new__", "sqlite3.connect", "subprocess.Popen",
}
WATCHED = os.environ["PROBE_WATCHED"]

probe = sys.modules["stow_probe"] = types.ModuleType("stow_probe")
probe.acts, probe.watched = [], False
sys.modules["core"] = types.ModuleType("core")
probe.foreign = {name: sys.modules[name] for name in ("core", "utils")}


def hook(event, arguments):
    if event == "open":
        flags = arguments[2]
        if not isinstance(flags, int) or not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
    elif event not in ACTS and event != "import":
        return
    frame, importing, ours = sys._getframe(1), False, False
    while frame is not None:
        importing = importing or frame.f_code.co_name == "load_custom_node"
        ours = ours or WATCHED in Path(frame.f_code.co_filename).parts
        frame = frame.f_back
    if importing and ours:
        probe.watched = True
        if event != "import":
            probe.acts.append(f"{event} {arguments!r}"[:300])


sys.addaudithook(hook)
"""

_INIT = """
import sys

import stow_probe
from aiohttp import web
from server import PromptServer

NODE_CLASS_MAPPINGS = {}


@PromptServer.instance.routes.get("/stow_probe")
async def report(request):
    kept = [name for name, module in stow_probe.foreign.items() if sys.modules.get(name) is module]
    if hasattr(sys.modules.get("nodes"), "load_custom_node"):
        kept.append("nodes")
    return web.json_response({"acts": stow_probe.acts, "watched": stow_probe.watched, "kept": kept})
"""


def write_probe(custom_nodes: Path, watched: str) -> dict[str, str]:
    """Write the pack; give the variables that the server needs. `watched` is the folder name of the pack to watch."""
    folder = custom_nodes / "another_pack"
    folder.mkdir(parents=True)
    (folder / "prestartup_script.py").write_text(_PRESTARTUP, encoding="utf-8")
    (folder / "__init__.py").write_text(_INIT, encoding="utf-8")
    # Python's own cache of compiled files is no act of the pack.
    return {"PROBE_WATCHED": watched, "PYTHONDONTWRITEBYTECODE": "1"}
