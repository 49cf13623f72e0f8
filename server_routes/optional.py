"""What is off for want of an optional package, said in one line when ComfyUI loads the pack."""

from __future__ import annotations

import logging
import sys
from importlib.util import find_spec
from pathlib import Path

_log = logging.getLogger("comfystow")

#: Module -> its distribution, and what is off without it; `install.py` says the same in more words.
_OPTIONAL = {
    "psutil": ("psutil", "host statistics"),
    "pynvml": ("nvidia-ml-py", "GPU statistics"),
    "prometheus_client": ("prometheus_client", "metrics"),
    "rich": ("rich", "progress bars of the command line"),
}


def tell_what_is_off() -> None:
    """Log what is off and the command that switches it on; nothing when nothing is missing."""
    missing = [f"{purpose} ({name})" for module, (name, purpose) in _OPTIONAL.items() if find_spec(module) is None]
    if missing:
        requirements = Path(__file__).parent.parent / "requirements.txt"
        _log.warning(
            'ComfyStow: off are %s; `"%s" -m pip install -r "%s"` switches them on',
            ", ".join(missing),
            sys.executable,
            requirements,
        )
