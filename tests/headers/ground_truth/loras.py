"""LoRAs: layers of real models, named by the tables with which ComfyUI reads LoRAs, and by diffusers' own module names.

ComfyUI's `model_lora_keys_unet` lists every spelling of a layer that trainers use; a spelling is one LoRA here. What
diffusers' training scripts save is its module names under `transformer.` or `unet.` with `lora_A` and `lora_B`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import comfy.lora
import comfy.model_base
import comfy.model_detection
import torch
from comfy.weight_adapter.loha import LoHaAdapter
from comfy.weight_adapter.lokr import LoKrAdapter
from comfy_diffusion import TRANSFORMERS, UNETS, _unet, transformer
from diffusers_models import DENOISERS, STRANGERS, model_of
from truth import Header, Shape

_RANK = 16
Layers = dict[str, Shape]

#: Spelling -> the beginning of its names in ComfyUI's table.
_SPELLINGS = {"kohya": "lora_unet_", "comfy": "diffusion_model.", "diffusers": "transformer.", "onetrainer": "lora_transformer_",
              "simpletuner": "lycoris_"}  # fmt: skip
_ATTENTION = ("attn", "attention", "to_q", "to_k", "to_v")
_BASES = ("sd15", "sd2", "sdxl", "sdxl-refiner", "sd3-medium", "sd35-large", "flux-dev", "flux-schnell", "flux2-dev", "chroma",
          "hunyuan-video", "hunyuan-image", "hydit-12", "wan-t2v-14b", "wan-t2v-1b", "wan-i2v-14b", "wan22-ti2v-5b",
          "ltx-2b", "ltx-13b", "qwen-image", "lumina2", "z-image", "hidream", "auraflow", "pixart-sigma",
          "cosmos-predict2-2b", "mochi", "cascade-c", "ace-step", "stable-audio", "omnigen2")  # fmt: skip


def headers() -> Iterator[Header]:
    """Make them all."""
    for name in _BASES:
        base, model = _model(name)
        table = comfy.lora.model_lora_keys_unet(model, {})
        shapes = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
        for spelling, beginning in _SPELLINGS.items():
            layers = _layers(table, shapes, beginning)
            if not layers:
                continue
            made_by = f"comfy.lora.model_lora_keys_unet of {type(model).__name__}"
            attention = {key: shape for key, shape in layers.items() if any(one in key for one in _ATTENTION)}
            for which, chosen in (("", layers), ("-attention", attention)):
                if chosen:
                    form = peft if spelling in {"comfy", "diffusers"} else kohya
                    yield _lora(f"lora-{name}-{spelling}{which}", base, made_by, form(chosen))
            if spelling == "simpletuner" or (spelling == "kohya" and name in {"sd15", "sdxl"}):
                for algorithm, adapter in (("loha", LoHaAdapter), ("lokr", LoKrAdapter)):
                    yield _lora(f"{algorithm}-{name}-{spelling}", base, made_by, _trained(layers, adapter))
    yield from _text_encoders()
    yield from _diffusers()


def _lora(name: str, base: str | None, made_by: str, tensors: dict[str, Shape]) -> Header:
    return Header(name=name, kind="lora", base_model=base, made_by=made_by, tensors=tensors, dtype="F16")


def _model(name: str) -> tuple[str, comfy.model_base.BaseModel | _Bare]:
    """Build ComfyUI's own model around the tensors, as it does when it loads them."""
    if name in UNETS:
        base, shapes = UNETS[name][0], _unet(**UNETS[name][1])
    else:
        base, path, numbers = TRANSFORMERS[name]
        shapes = transformer(path, numbers)
    state = {key: torch.empty(shape, device="meta", dtype=torch.bfloat16) for key, shape in shapes.items()}
    config = comfy.model_detection.model_config_from_unet(state, "")
    config.set_inference_dtype(torch.bfloat16, None)
    if name == "stable-audio":  # its class wants weights of what it does not train
        return base, _Bare(config, state)
    return base, config.get_model({}, "", device="meta")


class _Bare:
    """A model's tensors under the name that ComfyUI gives them."""

    def __init__(self, config: object, state: Mapping[str, torch.Tensor]) -> None:
        self.model_config = config
        self._state = {f"diffusion_model.{key}": tensor for key, tensor in state.items()}

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Give them."""
        return self._state


def _layers(table: Mapping[str, object], shapes: Mapping[str, Shape], beginning: str) -> Layers:
    """List the layers of a spelling with their shapes; a part of a layer has the part's size."""
    layers: Layers = {}
    for key, target in table.items():
        if not key.startswith(beginning):
            continue
        name, offset = target[:2] if isinstance(target, tuple) else (target, None)
        shape = shapes.get(name, ())
        if len(shape) < 2 or not any(part.isdecimal() for part in name.split(".")) or not name.endswith(".weight"):
            continue
        if offset is not None:
            shape = (*shape[: offset[0]], offset[2], *shape[offset[0] + 1 :])
        layers[key] = shape
    return layers


def kohya(layers: Layers) -> dict[str, Shape]:
    """Name the halves as kohya-ss' scripts do."""
    tensors: dict[str, Shape] = {}
    for key, shape in layers.items():
        ones = (1,) * (len(shape) - 2)
        tensors[f"{key}.alpha"] = ()
        tensors[f"{key}.lora_down.weight"] = (_RANK, *shape[1:])
        tensors[f"{key}.lora_up.weight"] = (shape[0], _RANK, *ones)
    return tensors


def peft(layers: Layers) -> dict[str, Shape]:
    """Name the halves as PEFT does."""
    tensors: dict[str, Shape] = {}
    for key, shape in layers.items():
        tensors[f"{key}.lora_A.weight"] = (_RANK, *shape[1:])
        tensors[f"{key}.lora_B.weight"] = (shape[0], _RANK, *(1,) * (len(shape) - 2))
    return tensors


def _trained(layers: Layers, adapter: type) -> dict[str, Shape]:
    """Name the tensors as ComfyUI's own training of LoHa and LoKr does; convolutions are left out."""
    tensors: dict[str, Shape] = {}
    for key, shape in layers.items():
        if len(shape) == 2:
            made = adapter.create_train(torch.empty(shape, device="meta"), rank=_RANK)
            tensors |= {f"{key}.{name}": tuple(tensor.shape) for name, tensor in made.state_dict().items()}
    return tensors


def _text_encoders() -> Iterator[Header]:
    """LoRAs of UNet and text encoders together, and of text encoders alone, as kohya-ss' scripts save them."""
    import comfy.sd1_clip
    import comfy.sdxl_clip

    for name, base, make in (
        ("sd15", "SD 1.5", comfy.sd1_clip.SD1ClipModel),
        ("sdxl", "SDXL", comfy.sdxl_clip.SDXLClipModel),
    ):
        clip = make(device="meta", dtype=torch.bfloat16)
        table = comfy.lora.model_lora_keys_clip(clip, {})
        shapes = {key: tuple(tensor.shape) for key, tensor in clip.state_dict().items()}
        stem = "lora_te1_" if name == "sdxl" else "lora_te_"
        text = _layers(table, shapes, stem) | (_layers(table, shapes, "lora_te2_") if name == "sdxl" else {})
        _, model = _model(name)
        unet = _layers(
            comfy.lora.model_lora_keys_unet(model, {}),
            {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()},
            "lora_unet_",
        )
        made_by = "comfy.lora.model_lora_keys_clip"
        yield _lora(f"lora-{name}-text-alone", base, made_by, kohya(text))
        yield _lora(f"lora-{name}-with-text", base, made_by, kohya(text | unet))


def _diffusers() -> Iterator[Header]:
    """What diffusers' training scripts save: attention alone, and all linear layers of the blocks."""
    scripts: dict[str, Callable[[str], bool]] = {
        "attention": lambda name: name.endswith((".to_q", ".to_k", ".to_v", ".to_out.0")),
        "all-linear": lambda name: True,
    }
    # The defaults of one are Hunyuan Video's own numbers, layer by layer: nothing tells their LoRAs apart.
    others = [make for make in STRANGERS if make != "MotifVideoTransformer3DModel"]
    strangers: dict[str, tuple[str | None, str, dict[str, object]]] = {
        f"stranger-{make}".lower(): (None, make, {}) for make in others
    }
    for name, (base, make, numbers) in (DENOISERS | strangers).items():
        model = model_of(make, numbers)
        linear = {
            key: (module.out_features, module.in_features)
            for key, module in model.named_modules()
            if isinstance(module, torch.nn.Linear) and any(part.isdecimal() for part in key.split("."))
        }
        stem = "unet" if "UNet" in make else "prior" if "Prior" in make else "transformer"
        for which, wanted in scripts.items():
            layers = {f"{stem}.{key}": shape for key, shape in linear.items() if wanted(key)}
            if layers:
                yield _lora(f"lora-diffusers-{name}-{which}", base, f"modules of diffusers.{make}", peft(layers))
