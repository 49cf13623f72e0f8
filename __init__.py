"""ComfyStow: brings models into a ComfyUI installation, proves that they are whole, and stows them.

ComfyUI loads this file under a path-like module name. It registers routes, the panel and the nodes, and starts
nothing; the rest is imported when it is asked for.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfy_api.latest import ComfyExtension

__version__ = "0.1.0"

WEB_DIRECTORY = "./web"


async def comfy_entrypoint() -> ComfyExtension:
    """Give ComfyUI our nodes (V3 schema, ComfyUI 0.3.48 and newer)."""
    from .nodes import StowExtension

    return StowExtension()


def _mount() -> None:
    """Mount our routes where this is a ComfyUI; command line, tests and other tools import us without one."""
    if "server" in sys.modules:
        from .server_routes.mount import mount, prompt_server
        from .server_routes.optional import tell_what_is_off

        if (server := prompt_server()) is not None:
            mount(server)
            tell_what_is_off()


_mount()
