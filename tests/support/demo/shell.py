"""The command line on the demo's ComfyUI and hub: a script, so that another terminal needs no settings."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from ..leftovers import MARK

#: The mark lets an engine that the command line starts end with the demo.
_NAMES = ("HF_ENDPOINT", "CIVITAI_ENDPOINT", "COMFYSTOW_ALLOW_HOSTS", "COMFYSTOW_RUN_DIR", MARK)
#: Words after which no folder is named.
_ALONE = "''|-*|help|bench|pod"


def write_script(base: Path, python: Path, checkout: Path, environment: Mapping[str, str]) -> Path | None:
    """Write `stow` into the demo's folder and return it; None on Windows, which has no such scripts."""
    if os.name != "posix":
        return None
    words = [shlex.quote(str(path)) for path in (python, checkout)]
    where = shlex.join(["--models-dir", str(base / "models"), "--state-dir", str(base / "user" / "__comfystow")])
    settings = [f"export {name}={shlex.quote(environment[name])}" for name in _NAMES if name in environment]
    lines = [
        "#!/bin/sh",
        "# ComfyStow's command line on the demo that runs; it ends with it.",
        *settings,
        f'case "$1" in {_ALONE}) exec {" ".join(words)} "$@" ;; esac',
        f'exec {" ".join(words)} "$@" {where}',
    ]
    script = base / "stow"
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    script.chmod(0o755)
    return script
