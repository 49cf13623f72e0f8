"""Ask ComfyUI's own `model_detection` what the diffusion models and checkpoints of the ground truth are.

`python ask_comfyui.py COMFYUI` writes one JSON object: name of a header -> the class that ComfyUI would load it with.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    """Ask for each header that ComfyUI's own classes made, on the meta device."""
    comfyui = str(Path(sys.argv[1]).resolve())
    sys.argv = sys.argv[:1]
    sys.path[:0] = [str(Path(__file__).parent), comfyui]
    import comfy.cli_args

    comfy.cli_args.args.cpu = True
    import comfy.model_detection
    import torch
    from truth import stored, unpack

    answers = {}
    for name, data in stored().items():
        if data["kind"] not in {"diffusion_model", "checkpoint"}:
            continue
        state = {key: torch.empty(shape, device="meta", dtype=torch.bfloat16) for key, shape in unpack(data["tensors"])}
        prefix = comfy.model_detection.unet_prefix_from_state_dict(state) if data["kind"] == "checkpoint" else ""
        config = comfy.model_detection.model_config_from_unet(state, prefix)
        answers[name] = type(config).__name__ if config is not None else None
    print(json.dumps(answers))


main()
