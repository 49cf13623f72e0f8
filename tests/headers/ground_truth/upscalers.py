"""Networks that enlarge or mend pictures: the classes of spandrel, ComfyUI's own loader of them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import spandrel.architectures
import torch
from truth import Header

_FACES = {"GFPGAN", "RestoreFormer"}
# What has no default, or one that its class cannot be built with.
_NUMBERS = {
    "MMRealSR": {"num_in_ch": 3, "num_out_ch": 3},
    "NAFNet": {"width": 32, "middle_blk_num": 12, "enc_blk_nums": [2, 2, 4, 8], "dec_blk_nums": [2, 2, 2, 2]},
    "SAFMN": {"dim": 36},
    "SAFMNBCIE": {"dim": 36},
    "SPAN": {"num_in_ch": 3, "num_out_ch": 3},
    "Swin2SR": {"window_size": 8},
    "SwinIR": {"window_size": 8},
    "AuraSR": {"dim": 64, "image_size": 256, "input_image_size": 64},
}


def headers() -> Iterator[Header]:
    """Build each architecture with its own defaults, and keep those that spandrel itself knows again."""
    for module in sorted(pkgutil.iter_modules(spandrel.architectures.__path__), key=lambda one: one.name):
        if module.name.startswith("_"):
            continue
        package = importlib.import_module(f"spandrel.architectures.{module.name}")
        for name in package.__all__:
            make = getattr(package, name)
            if not (inspect.isclass(make) and issubclass(make, torch.nn.Module)):
                continue
            try:
                model = make(**_NUMBERS.get(name, {}))
            except TypeError as err:  # no defaults for some of its numbers
                print(f"upscalers: {name} is left out: {err}")
                continue
            state = dict(model.state_dict())
            known = [one for one in (getattr(package, each) for each in package.__all__) if hasattr(one, "detect")]
            if not any(_detects(one, state) for one in known):
                print(f"upscalers: {name} is left out: spandrel does not know it again")
                continue
            yield Header(
                name=f"upscale-{module.name}-{name}".lower(),
                kind="face_restoration" if module.name in _FACES else "upscale_model",
                base_model=None,
                made_by=f"spandrel.architectures.{module.name}.{name}",
                tensors={key: tuple(tensor.shape) for key, tensor in state.items()},
                dtype="F32",
            )


def _detects(architecture: type, state: dict[str, torch.Tensor]) -> bool:
    try:
        return bool(architecture().detect(state))
    except TypeError:
        return False
