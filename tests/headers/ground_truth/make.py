"""Make the ground truth again: `python tests/headers/ground_truth/make.py COMFYUI [PART…]` with torch, diffusers,
transformers and spandrel at hand (the environment of the tests has them). No weight is downloaded or made."""

from __future__ import annotations

import importlib
import sys
import traceback
import warnings
from pathlib import Path

PARTS = (
    "comfy_diffusion",
    "comfy_others",
    "checkpoints",
    "encoders",
    "diffusers_models",
    "upscalers",
    "loras",
    "held_out",
)


def main() -> int:
    """Write `headers.jsonl.gz`, or the file that `--out` names."""
    arguments = sys.argv[1:]
    here = Path(__file__).resolve().parent
    comfyui = Path(arguments[0]).resolve()
    sys.path[:0] = [str(here), str(comfyui)]
    sys.path.append(str(comfyui / "comfy"))  # one of its modules imports its neighbours by their bare names
    sys.argv = sys.argv[:1]
    warnings.filterwarnings("ignore")
    import comfy.cli_args

    comfy.cli_args.args.cpu = True  # before anything of ComfyUI looks for a GPU
    _leave_torchvision_out()
    from truth import STORED, Header, keep

    out = STORED
    if "--out" in arguments:
        at = arguments.index("--out")
        out = Path(arguments[at + 1])
        del arguments[at : at + 2]
    made: list[Header] = []
    failed = 0
    for part in arguments[1:] or PARTS:
        try:
            for header in importlib.import_module(part).headers():
                made.append(header)
                print(f"{part}: {header.name}: {len(header.tensors)} tensors", flush=True)
        except Exception:  # what one library no longer has shall not hide what the others say
            traceback.print_exc()
            failed = 1
    keep(made, out)
    return failed


def _leave_torchvision_out() -> None:
    """Say to transformers that torchvision is not there: a stand-in answers for it where none is built."""
    import transformers.utils
    import transformers.utils.import_utils

    for module in (transformers.utils, transformers.utils.import_utils):
        module.is_torchvision_available = lambda: False


if __name__ == "__main__":
    sys.exit(main())
