"""Which model a LoRA changes: told by the names of the layers and by how wide they are.

Trainers write a layer's name with dots or underscores, and with a prefix of their own; both are taken away first, and
numbers of blocks are written `N`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..adapters import Adapter, Adapters
from .lora_depths import Base, check_depth

_PREFIX = re.compile(
    r"\n(?:(?:base_model\.model|model\.diffusion_model|diffusion_model|unet|transformer|module|net|model|prior|dit)\."
    r"|lora_unet_|lora_transformer_|lora_prior_unet_|lycoris_|unet_|transformer_(?!blocks)|diffusion_model_)+"
)
_TEXT = re.compile(r"^(?:lora_te\d?_|lora_prior_te_|text_encoders?[._\d]|te\d?[._]|clip_[lg]\.|t5xxl\.|lycoris_te)")
_TEXT_STEMS = ("lora_te", "lora_prior_te", "text_encoder", "te", "clip_", "t5xxl.", "lycoris_te")
_NUMBER = re.compile(r"_\d+(?=[_\n])")

#: A layer's name in the file, and what changes it.
Layer = tuple[str, Adapter]


class Layers:
    """The layers of a LoRA in one spelling."""

    def __init__(self, adapters: Adapters) -> None:
        self._adapters = adapters
        self.text = [one for one in adapters.layers if one.startswith(_TEXT_STEMS) and _TEXT.match(one)]
        told = list(adapters.layers) if not self.text else sorted(adapters.layers.keys() - set(self.text))
        names = "\n".join(("", *told, ""))
        if names.count("\n") != len(told) + 1:  # a name can hold one, and is that of no layer anywhere
            names = "\n".join(("", *(one.replace("\n", " ") for one in told), ""))
        # All of them at once: a call for each is what this would cost.
        names = _PREFIX.sub("\n", names).replace(".", "_").replace("_processor_to_", "_to_")
        patterns = _NUMBER.sub("_N", names).split("\n")[1:-1]
        self._names = names
        self.patterns = dict(zip(reversed(patterns), reversed(told), strict=True))
        """The first layer of each name with its numbers taken out."""

    def find(self, *patterns: str) -> Layer | None:
        """Return a layer of one of the patterns."""
        return next((self.layer(self.patterns[one]) for one in patterns if one in self.patterns), None)

    def layer(self, told: str) -> Layer:
        """Return a layer by its name in the file."""
        return told, self._adapters[told]

    def into(self, *patterns: str) -> int | None:
        """Return the width that goes into such a layer."""
        found = self.find(*patterns)
        return found[1].into if found is not None else None

    def begins(self, *stems: str) -> Layer | None:
        """Return a layer whose pattern begins with one of the stems."""
        return next((self.layer(layer) for one, layer in self.patterns.items() if one.startswith(stems)), None)

    def mentions(self, text: str) -> bool:
        """Tell whether a text is in a name; a line break stands for the beginning and the end of names."""
        return text in self._names

    def numbers(self, stem: str) -> set[int]:
        """Return the numbers that follow a stem."""
        return set(map(int, re.findall(rf"\n{stem}([0-9]{{1,5}})(?=[_\n])", self._names)))

    def greatest(self, stem: str) -> int:
        """Return the greatest number that follows a stem, -1 where there is none."""
        return max(self.numbers(stem), default=-1)


def base_of(adapters: Adapters) -> Base:
    """Judge all layers."""
    layers = Layers(adapters)
    for rule in _RULES:
        found = rule(layers)
        if found is not None:
            return check_depth(found, layers.numbers)
    first = next(iter(adapters.layers))
    return Base(None, None, (f"no model that is known has a layer like `{first}`",), sure=False)


def _told(layer: Layer) -> str:
    name, adapter = layer
    wide = f" ({adapter.into} wide)" if adapter.into is not None else ""
    return f"it changes `{name}`{wide}"


_UNET_CONTEXT = {768: ("SD 1.5", None), 1024: ("SD 2", None), 2048: ("SDXL", None), 1280: ("SDXL Refiner", None)}
_ATTENTIONS = ("down_blocks_N_attentions_N", "up_blocks_N_attentions_N", "mid_block_attentions_N")
_UNET = tuple(f"{block}_transformer_blocks_N_attn2_to_{one}" for block in _ATTENTIONS for one in "kv")
_LDM = tuple(f"{block}_N_transformer_blocks_N_attn2_to_{one}"
             for block in ("input_blocks_N", "output_blocks_N", "middle_block") for one in "kv")  # fmt: skip


def _unet(layers: Layers) -> Base | None:
    """Stable Diffusion 1 to XL: the width of the text that goes into cross attention."""
    over_time = layers.begins(*(f"{block}_temporal_transformer_blocks_" for block in _ATTENTIONS))
    if over_time is not None:
        return Base("Stable Video Diffusion", None, (_told(over_time),))
    bare = layers.find("down_blocks_N_attentions_N_to_q", "up_blocks_N_attentions_N_to_q")
    if bare is not None:
        return Base("Kandinsky", "2", (_told(bare),))
    found = layers.find(*_UNET, *_LDM)
    if found is not None:
        base, version = _UNET_CONTEXT.get(found[1].into or 0, (None, None))
        return Base(base, version, (_told(found),), sure=base is not None)
    blocks = layers.begins("down_blocks_N_attentions_", "up_blocks_N_attentions_", "mid_block_attentions_",
                           "input_blocks_", "output_blocks_", "middle_block_")  # fmt: skip
    if blocks is None:
        return None
    if layers.mentions("_transformer_blocks_9_"):
        return Base("SDXL", None, (_told(blocks), "ten transformer blocks stand in a row"))
    if layers.mentions("\ndown_blocks_0_attentions_") or layers.mentions("\ninput_blocks_1_1_"):
        return Base("SD 1.5", None, (_told(blocks), "its first block has attention"), sure=False)
    return Base(None, None, (_told(blocks),), sure=False)


_STREAMS = (
    *(f"double_blocks_N_{stream}_attn_{one}" for stream in ("img", "txt") for one in ("qkv", "proj")),
    *(f"single_blocks_N_{one}" for one in ("linear1", "linear1_qkv", "modulation_lin")),
    *(f"double_blocks_N_{stream}_mod_lin" for stream in ("img", "txt")),
    *(f"double_blocks_N_{stream}_mlp_N" for stream in ("img", "txt")),
    "img_in",
    "txt_in",
)
# How Tencent spells what Black Forest Labs calls `img_mlp.0`, `img_mod.lin` and so on.
_HUNYUAN = (
    "double_blocks_N_img_mlp_fc",
    "double_blocks_N_img_mod_linear",
    "single_blocks_N_modulation_linear",
    "txt_in_individual_token_refiner",
)


def _double_blocks(layers: Layers) -> Base | None:
    """Flux and its kin in their authors' names, Hunyuan's among them."""
    found = layers.find(*_STREAMS) or layers.begins(*_HUNYUAN)
    if found is None:
        return None
    told = (_told(found),)
    width = layers.into(*_STREAMS)
    if layers.begins("distilled_guidance_layer_") is not None:
        return Base("Chroma", None, (*told, "it changes `distilled_guidance_layer`"))
    if width not in _WIDTHS:
        return Base(None, None, (*told, "no model that is known is so wide"), sure=False)
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
    return _flux_or_chroma(told, modulated=modulated, all_else=linear is not None and mlp is not None)


#: Of Flux and Hunyuan Video, Hunyuan Image, Flux 2 in its sizes; None where a LoRA does not say.
_WIDTHS = {3072, 3584, 4096, 6144, None}


def _flux_or_chroma(told: tuple[str, ...], *, modulated: bool, all_else: bool) -> Base:
    """Tell them apart: Chroma is Flux without the layers that modulate."""
    if modulated:
        return Base("Flux", None, told)
    if all_else:
        note = "it changes all layers but those that modulate, which Flux has and Chroma has not"
        return Base("Chroma", None, (*told, note), sure=False)
    return Base("Flux", None, (*told, "Chroma has layers of the same names"), sure=False)


def _ratio(layer: Layer | None) -> int | None:
    if layer is None or not layer[1].into or not layer[1].out:
        return None
    return layer[1].out // layer[1].into


def _single_blocks(layers: Layers) -> Base | None:
    """Transformers whose last blocks have one stream, in diffusers' names."""
    joint = layers.begins("joint_transformer_blocks_")
    if joint is not None:
        return Base("AuraFlow", None, (_told(joint),))
    if layers.find("single_transformer_blocks_N_attn_to_qkv_mlp_proj") is not None:
        return Base("Flux 2", None, ("it changes `attn.to_qkv_mlp_proj` of single blocks",))
    single = layers.begins("single_transformer_blocks_")
    if single is None:
        return None
    told = (_told(single),)
    width = layers.into("single_transformer_blocks_N_attn_to_q", "single_transformer_blocks_N_attn_to_k")
    if layers.into("transformer_blocks_N_attn_to_q") not in {width, None}:
        return Base(None, None, (*told, "its blocks of two streams are of another width"), sure=False)
    if width not in _WIDTHS:
        return Base(None, None, (*told, "no model that is known is so wide"), sure=False)
    if width in {3584, 6144}:
        return Base("Hunyuan Image", "2.1", told) if width == 3584 else Base("Flux 2", "Dev", told)
    if layers.begins("context_embedder_token_refiner_") or layers.greatest("transformer_blocks_") == 19:
        return Base("Hunyuan Video", None, (*told, "it has 20 double blocks, where Flux has 19"))
    if layers.begins("distilled_guidance_layer_") is not None:
        return Base("Chroma", None, (*told, "it changes `distilled_guidance_layer`"))
    modulated = layers.begins("single_transformer_blocks_N_norm_linear", "transformer_blocks_N_norm1_linear")
    mlp = layers.begins("single_transformer_blocks_N_proj_mlp")
    both = mlp is not None and layers.begins("transformer_blocks_N_ff_") is not None
    return _flux_or_chroma(told, modulated=modulated is not None, all_else=both)


def _blocks(layers: Layers) -> Base | None:
    """Transformers with blocks of one sort, whose layers are called alike in several models."""
    sound = layers.begins("transformer_blocks_N_audio_")
    if sound is not None:
        return Base("LTX-2", None, (_told(sound),))
    streams = layers.begins("transformer_blocks_N_img_mlp_", "transformer_blocks_N_img_mod_")
    if streams is not None:
        return Base("Qwen-Image", None, (_told(streams),))
    query = layers.find("transformer_blocks_N_attn1_to_q", "transformer_blocks_N_attn1_to_v")
    if query is None:
        return None
    into, context = query[1].into, layers.find("transformer_blocks_N_attn2_to_k", "transformer_blocks_N_attn2_to_v")
    if into == 4096 and context is not None and context[1].into == 1024:
        return Base("Cosmos", None, (_told(query), _told(context)))
    if into == 3072 and (
        layers.begins("transformer_blocks_N_ff_context") or layers.greatest("transformer_blocks_") > 41
    ):
        return Base("Mochi", None, (_told(query), "CogVideoX has 42 blocks, and no more"))
    if into in {1152, 4096} and context is None:
        return Base(None, None, (_told(query), "PixArt and LTX-Video have a second attention"), sure=False)
    if into == 2048 and context is None:
        return Base("Kandinsky", "2 prior", (_told(query), "LTX-Video has a second attention"), sure=False)
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
    (("transformer_blocks_N_cross_attn_to_q", "transformer_blocks_N_attn_to_q", "transformer_blocks_N_attn_add_q_proj",
      "transformer_blocks_N_attn_to_v", "transformer_blocks_N_attn_add_v_proj"),
     {1536: ("SD 3", "Medium"), 2048: ("Hunyuan Video", "1.5"), 2432: ("SD 3", "3.5 Large"), 2560: ("ACE-Step", None),
      3072: ("Qwen-Image", None), 6144: ("Flux 2", "Dev")}),
    (("transformer_blocks_N_attn1_to_q", "transformer_blocks_N_attn1_to_v", "transformer_blocks_N_attn1_to_k"),
     {1152: ("PixArt", None), 2048: ("LTX-Video", "2B"), 4096: ("LTX-Video", "13B"), 1920: ("CogVideoX", "2B"),
      3072: ("CogVideoX", "5B"), 1536: ("Stable Audio", None)}),
    (("transformer_layers_N_self_attn_to_qkv", "transformer_layers_N_cross_attn_to_q", "layers_N_self_attn_to_qkv"),
     {1536: ("Stable Audio", None)}),
    (("visual_transformer_blocks_N_self_attention_to_query", "visual_transformer_blocks_N_cross_attention_to_query"),
     {0: ("Kandinsky", "5")}),
    (("down_blocks_N_N_attention_attn_in_proj", "up_blocks_N_N_attention_attn_in_proj",
      "down_blocks_N_N_attention_attn_to_q", "down_blocks_N_N_attention_to_q", "up_blocks_N_N_attention_to_q",
      "down_blocks_N_N_attention_attn_out_proj", "down_blocks_N_N_kv_mapper_N",
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
    first = layers.layer(layers.text[0])
    both = any(name.startswith(("lora_te2_", "text_encoder_2_", "text_encoder_2.")) for name in layers.text)
    both = both or first[0].startswith("lora_te1_")
    base = "SDXL" if both else _TEXT_WIDTHS.get(first[1].into or 0)
    return Base(base, None, (_told(first), "it changes text encoders alone"), sure=False)


_RULES: tuple[Callable[[Layers], Base | None], ...] = (
    _unet,
    _double_blocks,
    _single_blocks,
    _blocks,
    _by_layer,
    _text_alone,
)
