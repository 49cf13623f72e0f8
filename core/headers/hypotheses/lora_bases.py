"""Which model a LoRA changes: told by the names of the layers and by how wide they are.

Trainers write a layer's name with dots or underscores, and with a prefix of their own; both are taken away first, and
numbers of blocks are written `N`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from ..adapters import Adapter

_PREFIX = re.compile(
    r"^(?:(?:base_model\.model|model\.diffusion_model|diffusion_model|unet|transformer|module|net|model|prior|dit)\."
    r"|lora_unet_|lora_transformer_|lora_prior_unet_|lycoris_|unet_|transformer_(?!blocks)|diffusion_model_)+"
)
_TEXT = re.compile(r"^(?:lora_te\d?_|lora_prior_te_|text_encoders?[._\d]|te\d?[._]|clip_[lg]\.|t5xxl\.|lycoris_te)")
_NUMBER = re.compile(r"_\d+(?=_|$)")


@dataclass(frozen=True, slots=True)
class Base:
    """The answer; `sure` is False where another base could have the same layers."""

    base_model: str | None
    version: str | None
    evidence: tuple[str, ...]
    sure: bool = True


class Layers:
    """The layers of a LoRA in one spelling."""

    def __init__(self, adapters: Mapping[str, Adapter]) -> None:
        self.names: dict[str, tuple[str, Adapter]] = {}
        self.text: dict[str, tuple[str, Adapter]] = {}
        for told, adapter in adapters.items():
            plain = told.replace(".", "_")
            if _TEXT.match(told):
                self.text[plain] = told, adapter
            else:
                plain = _PREFIX.sub("", told).replace(".", "_").replace("_processor_to_", "_to_")
                self.names[plain] = told, adapter

    @cached_property
    def patterns(self) -> dict[str, tuple[str, Adapter]]:
        """One layer for each name with its numbers taken out."""
        patterns: dict[str, tuple[str, Adapter]] = {}
        for name, layer in self.names.items():
            patterns.setdefault(_NUMBER.sub("_N", name), layer)
        return patterns

    def find(self, *patterns: str) -> tuple[str, Adapter] | None:
        """Return a layer of one of the patterns."""
        return next((self.patterns[one] for one in patterns if one in self.patterns), None)

    def into(self, *patterns: str) -> int | None:
        """Return the width that goes into such a layer."""
        found = self.find(*patterns)
        return found[1].into if found is not None else None

    def begins(self, *stems: str) -> tuple[str, Adapter] | None:
        """Return a layer whose pattern begins with one of the stems."""
        return next((layer for one, layer in self.patterns.items() if one.startswith(stems)), None)

    def greatest(self, stem: str) -> int:
        """Return the greatest number that follows a stem, -1 where there is none."""
        numbers = (name[len(stem) :].partition("_")[0] for name in self.names if name.startswith(stem))
        return max((int(one) for one in numbers if one.isdecimal() and len(one) < 6), default=-1)


def base_of(adapters: Mapping[str, Adapter]) -> Base:
    """Judge all layers."""
    layers = Layers(adapters)
    for rule in _RULES:
        found = rule(layers)
        if found is not None:
            return found
    first = next(iter(adapters))
    return Base(None, None, (f"no model that is known has a layer like `{first}`",), sure=False)


def _told(layer: tuple[str, Adapter]) -> str:
    name, adapter = layer
    wide = f" ({adapter.into} wide)" if adapter.into is not None else ""
    return f"it changes `{name}`{wide}"


_UNET_CONTEXT = {768: ("SD 1.5", None), 1024: ("SD 2", None), 2048: ("SDXL", None), 1280: ("SDXL Refiner", None)}
_UNET = tuple(f"{block}_attentions_N_transformer_blocks_N_attn2_to_{one}"
              for block in ("down_blocks_N", "up_blocks_N", "mid_block") for one in "kv")  # fmt: skip
_LDM = tuple(f"{block}_N_transformer_blocks_N_attn2_to_{one}"
             for block in ("input_blocks_N", "output_blocks_N", "middle_block") for one in "kv")  # fmt: skip


def _unet(layers: Layers) -> Base | None:
    """Stable Diffusion 1 to XL: the width of the text that goes into cross attention."""
    found = layers.find(*_UNET, *_LDM)
    if found is not None:
        base, version = _UNET_CONTEXT.get(found[1].into or 0, (None, None))
        return Base(base, version, (_told(found),), sure=base is not None)
    blocks = layers.begins("down_blocks_N_attentions_", "up_blocks_N_attentions_", "mid_block_attentions_",
                           "input_blocks_", "output_blocks_", "middle_block_")  # fmt: skip
    if blocks is None:
        return None
    if any("_transformer_blocks_9_" in name for name in layers.names):
        return Base("SDXL", None, (_told(blocks), "ten transformer blocks stand in a row"))
    if any(name.startswith(("down_blocks_0_attentions_", "input_blocks_1_1_")) for name in layers.names):
        return Base("SD 1.5", None, (_told(blocks), "its first block has attention"), sure=False)
    return Base(None, None, (_told(blocks),), sure=False)


# How Tencent spells what Black Forest Labs calls `img_mlp.0`, `img_mod.lin` and so on.
_HUNYUAN = (
    "double_blocks_N_img_mlp_fc",
    "double_blocks_N_img_mod_linear",
    "single_blocks_N_modulation_linear",
    "txt_in_individual_token_refiner",
)


def _double_blocks(layers: Layers) -> Base | None:
    """Flux and its kin in their authors' names, Hunyuan's among them."""
    attention = ("double_blocks_N_img_attn_qkv", "double_blocks_N_img_attn_proj", "double_blocks_N_txt_attn_qkv",
                 "single_blocks_N_linear1", "single_blocks_N_linear1_qkv", "single_blocks_N_modulation_lin",
                 "double_blocks_N_img_mod_lin", "double_blocks_N_img_attn_qkv_lora", "img_in", "txt_in")  # fmt: skip
    found = layers.find(*attention) or layers.begins("double_blocks_", "single_blocks_")
    if found is None:
        return None
    told = (_told(found),)
    width = layers.into(*attention)
    if layers.begins("distilled_guidance_layer_") is not None:
        return Base("Chroma", None, (*told, "it changes `distilled_guidance_layer`"))
    if width == 3584:
        return Base("Hunyuan Image", "2.1", told)
    linear = layers.find("single_blocks_N_linear1")
    mlp = layers.find("double_blocks_N_img_mlp_N")
    if width == 6144 or _ratio(linear) == 9 or _ratio(mlp) == 6:
        return Base("Flux 2", "Dev" if width == 6144 else None, told)
    if layers.begins(*_HUNYUAN) is not None:
        return Base("Hunyuan Video", None, told)
    if layers.greatest("double_blocks_") == 19 or layers.greatest("single_blocks_") in {38, 39}:
        return Base("Hunyuan Video", None, (*told, "it has 20 double or 40 single blocks, where Flux has 19 and 38"))
    modulated = layers.find("double_blocks_N_img_mod_lin", "single_blocks_N_modulation_lin") is not None
    note = () if modulated else ("Chroma has layers of the same names",)
    return Base("Flux", None, (*told, *note), sure=modulated)


def _ratio(layer: tuple[str, Adapter] | None) -> int | None:
    if layer is None or not layer[1].into or not layer[1].out:
        return None
    return layer[1].out // layer[1].into


def _diffusers_streams(layers: Layers) -> Base | None:
    """Transformers with blocks of two streams and of one, in diffusers' names."""
    if layers.begins("joint_transformer_blocks_") is not None:
        found = layers.begins("joint_transformer_blocks_")
        return Base("AuraFlow", None, (_told(found),)) if found is not None else None
    if layers.find("single_transformer_blocks_N_attn_to_qkv_mlp_proj") is not None:
        return Base("Flux 2", None, ("it changes `attn.to_qkv_mlp_proj` of single blocks",))
    single = layers.begins("single_transformer_blocks_")
    if single is not None:
        if layers.begins("context_embedder_token_refiner_") or layers.greatest("transformer_blocks_") == 19:
            return Base("Hunyuan Video", None, (_told(single), "it has 20 double blocks, where Flux has 19"))
        if layers.begins("distilled_guidance_layer_") is not None:
            return Base("Chroma", None, (_told(single), "it changes `distilled_guidance_layer`"))
        modulated = layers.begins("single_transformer_blocks_N_norm_linear", "transformer_blocks_N_norm1_linear")
        note = () if modulated is not None else ("Chroma has layers of the same names",)
        return Base("Flux", None, (_told(single), *note), sure=modulated is not None)
    added = layers.find("transformer_blocks_N_attn_add_q_proj", "transformer_blocks_N_attn_add_k_proj",
                        "transformer_blocks_N_attn_add_v_proj", "transformer_blocks_N_attn_to_add_out")  # fmt: skip
    if layers.begins("transformer_blocks_N_img_mlp_", "transformer_blocks_N_img_mod_") is not None:
        found = layers.begins("transformer_blocks_N_img_mlp_", "transformer_blocks_N_img_mod_")
        return Base("Qwen-Image", None, (_told(found),)) if found is not None else None
    if added is not None:
        if added[1].into == 3072:
            return Base("Qwen-Image", None, (_told(added), "no block has one stream alone"), sure=False)
        sizes = {1536: "Medium", 2432: "3.5 Large"}
        if added[1].into in sizes:
            return Base("SD 3", sizes[added[1].into], (_told(added),))
    return None


# A layer's pattern -> width that goes into it -> base model and version; width 0 stands for any.
_BY_LAYER: tuple[tuple[tuple[str, ...], dict[int, tuple[str, str | None]]], ...] = (
    (("joint_blocks_N_x_block_attn_qkv", "joint_blocks_N_context_block_attn_qkv", "joint_blocks_N_x_block_attn_proj"),
     {1536: ("SD 3", "Medium"), 2432: ("SD 3", "3.5 Large")}),
    (("blocks_N_self_attn_q_proj", "blocks_N_cross_attn_q_proj", "blocks_N_mlp_layer1"), {0: ("Cosmos", "Predict 2")}),
    (("blocks_N_self_attn_q", "blocks_N_cross_attn_q", "blocks_N_self_attn_v", "blocks_N_ffn_N", "blocks_N_self_attn_o",
      "blocks_N_cross_attn_k", "blocks_N_cross_attn_v"),
     {1536: ("Wan", "1.3B"), 5120: ("Wan", "14B"), 3072: ("Wan", "2.2 5B"), 0: ("Wan", None)}),
    (("blocks_N_attn_qkv_x", "blocks_N_attn_qkv_y"), {0: ("Mochi", None)}),
    (("blocks_N_attn1_Wqkv", "blocks_N_attn2_q_proj", "blocks_N_attn1_out_proj"), {0: ("HunyuanDiT", None)}),
    (("blocks_N_attn1_to_q", "blocks_N_attn1_to_v"),
     {1408: ("HunyuanDiT", None), 1536: ("Wan", "1.3B"), 5120: ("Wan", "14B"), 3072: ("Wan", "2.2 5B")}),
    (("blocks_N_attn_qkv", "blocks_N_cross_attn_q_linear"), {1152: ("PixArt", None)}),
    (("double_stream_blocks_N_block_attn1_to_q", "single_stream_blocks_N_block_attn1_to_q",
      "double_stream_blocks_N_block_attn_to_q", "single_stream_blocks_N_block_attn_to_q"), {0: ("HiDream", "I1")}),
    (("double_layers_N_attn_w1q", "double_layers_N_attn_w2q", "single_layers_N_attn_w1q"), {0: ("AuraFlow", None)}),
    (("layers_N_attention_qkv", "layers_N_attention_to_q", "layers_N_attention_out", "layers_N_feed_forward_w1",
      "layers_N_attn_to_q"),
     {2304: ("Lumina 2", None), 3840: ("Z-Image", None), 2520: ("OmniGen 2", None)}),
    (("transformer_blocks_N_cross_attn_to_q", "transformer_blocks_N_cross_attn_to_k", "transformer_blocks_N_attn_to_q"),
     {2560: ("ACE-Step", None), 3072: ("Mochi", None)}),
    (("transformer_blocks_N_attn1_to_q", "transformer_blocks_N_attn1_to_v", "transformer_blocks_N_attn1_to_k"),
     {1152: ("PixArt", None), 2048: ("LTX-Video", "2B"), 4096: ("LTX-Video", "13B"), 1920: ("CogVideoX", "2B"),
      3072: ("CogVideoX", "5B"), 1536: ("Stable Audio", None)}),
    (("transformer_layers_N_self_attn_to_qkv", "transformer_layers_N_cross_attn_to_q", "layers_N_self_attn_to_qkv"),
     {1536: ("Stable Audio", None)}),
    (("visual_transformer_blocks_N_self_attention_to_query", "visual_transformer_blocks_N_cross_attention_to_query"),
     {0: ("Kandinsky", "5")}),
    (("down_blocks_N_N_attention_attn_in_proj", "up_blocks_N_N_attention_attn_in_proj",
      "down_blocks_N_N_attention_attn_to_q", "down_blocks_N_N_attention_attn_out_proj", "down_blocks_N_N_kv_mapper_N",
      "down_blocks_N_N_channelwise_N"), {0: ("Stable Cascade", None)}),
)  # fmt: skip


def _by_layer(layers: Layers) -> Base | None:
    for patterns, widths in _BY_LAYER:
        for pattern in patterns:
            found = layers.find(pattern)
            if found is None:
                continue
            base = widths.get(found[1].into or 0, widths.get(0))
            if base is not None:
                return Base(*base, (_told(found),), sure=True)
    return None


_TEXT_WIDTHS = {768: "SD 1.5", 1024: "SD 2", 1280: "SDXL"}


def _text_alone(layers: Layers) -> Base | None:
    """LoRAs that change text encoders only."""
    if not layers.text:
        return None
    name, (told, adapter) = next(iter(layers.text.items()))
    both = any(one.startswith(("lora_te2_", "text_encoder_2_")) for one in layers.text)
    base = "SDXL" if both or name.startswith(("lora_te1_", "lora_te2_")) else _TEXT_WIDTHS.get(adapter.into or 0)
    return Base(base, None, (_told((told, adapter)), "it changes text encoders alone"), sure=False)


_RULES: tuple[Callable[[Layers], Base | None], ...] = (
    _unet,
    _double_blocks,
    _diffusers_streams,
    _by_layer,
    _text_alone,
)
