"""What a name says of a file's folder: the last resort where no header can be read, and never trusted over one.

A name is cut into words; the first rule whose words are all there decides. Rules stand from the most telling word
(`lora`, `vae`) to the least (`turbo`). A name that no rule knows has no answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

_SUFFIX = re.compile(r"\.(?:safetensors|sft|gguf|ckpt|pt|pt2|pth|bin|pkl)$")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[a-z]+|\d+(?:\.\d+)*")

# A `+` joins words that must all be there, a `|` parts alternatives, and `=` begins a pattern for the whole name. A
# piece of a name between separators is a word, and so are its letters and its numbers: `wan2.1`, `wan` and `2.1`.
_RULES: tuple[tuple[str, str], ...] = (
    ("loras", "lora|loras|locon|lycoris|loha|lokr|dora|lightning|causvid|lightx2v|relight|style+z"),
    ("loras", "style+krea2"),
    ("text_encoders", "prompt+enhancer|prompt+upsampler"),
    ("model_patches", "lllite|diffsynth+controlnet|flux1+projector|infinitetalk|z+image+controlnet"),
    ("model_patches", "h3+controlnet"),
    ("controlnet", "controlnet|t2iadapter|t2i+adapter|=control_.*|openpose+sd15|union+promax"),
    ("vae_approx", "taesd|taesdxl|taesd3|taef1|taehv|lighttae"),
    ("latent_upscale_models", "upsampler|spatial+upscaler|temporal+upscaler"),
    ("vae", "vae|=ae|=ae[ _.-].*|=(full|small)_(en|de)coder.*|kl+f8"),
    ("clip_vision", "clip+vision|clipvision|sigclip|siglip|dino|dinov2|dinov3|image+encoder"),
    ("upscale_models", "esrgan|realesrgan|swinir|hat+l|realplksr|ultrasharp|upscale|upscaler"),
    ("upscale_models", "=[248]x[ _-].*|nmkd|remacri"),
    ("audio_encoders", "wav2vec2|whisper|hubert|audio+encoder"),
    ("gligen", "gligen"),
    ("style_models", "redux|styleadapter|style+adapter"),
    ("photomaker", "photomaker"),
    ("ipadapter", "ipadapter|ip+adapter"),
    ("instantid", "instantid"),
    ("pulid", "pulid"),
    ("animatediff_models", "animatediff|motionmodule|=mm_sd.*|mm+sdxl"),
    ("hypernetworks", "hypernetwork"),
    ("embeddings", "embedding|embeddings|textual+inversion|conditioning|easynegative|badhandv4"),
    ("embeddings", "negative"),
    ("background_removal", "birefnet|rmbg"),
    ("text_encoders", "text+encoder|textencoder|t5|t5xxl|umt5|byt5|mt5|t5gemma|clip+l|clip+g"),
    ("text_encoders", "clip+h|=clip.*"),
    ("text_encoders", "gemma|gemma4|llama|llava|mistral|ministral|gpt+oss|jina+clip|bert|=ovis_2.*"),
    ("text_encoders", "ling+mini|prompt+enhancer"),
    ("text_encoders", "=qwen(?!.*(image|edit|360)).*|=qwen[23]?[._]?5?_?vl.*|=qwen3(vl|\\.).*"),
    ("checkpoints", "aio|all+in+one|checkpoint|ckpt|allinone|rapid"),
    ("checkpoints", "sdxl|sd+xl|sd15|sd1.5|sd+1.5|sd3.5|sd3|sd+3|svd|=v1[-_.]5.*|=v2[-_.]1.*"),
    ("checkpoints", "=sd[-_]?v1.*|512+inpainting"),
    ("checkpoints", "stable+audio|stable+diffusion|ema|emaonly|pony|illustrious|noobai|dreamshaper"),
    ("checkpoints", "juggernaut|ponyxl"),
    ("checkpoints", "=ltx[-_]video.*|=ltx[-_]2(?!.*transformer).*|hunyuan3d|hunyuan+3d|ace+step+v1"),
    ("checkpoints", "hidream+o1|sam3.1"),
    ("checkpoints", "realistic|realmix|mix|merge|pruned+safe|painting"),
    ("diffusion_models", "unet|dit|transformer|diffusion+model|t2v|i2v|ti2v|flf2v|s2v|t2i"),
    ("diffusion_models", "high+noise|low+noise"),
    ("diffusion_models", "flux|flux1|flux2|flux3|chroma|chroma1|radiance|wan|wan2.1|wan2.2|wan21"),
    ("diffusion_models", "wan22|hunyuanvideo|hunyuan"),
    ("diffusion_models", "qwen+image|z+image|zimage|hidream|lumina|kandinsky|kandinsky5lite|mochi"),
    ("diffusion_models", "omnigen2|omnigen|cosmos"),
    ("diffusion_models", "ltx|ltxv|acestep|humo|auraflow|pixart|sana|krea2|krea|anima|ernie"),
    ("diffusion_models", "longcat|ovis|skyreels|seedvr2"),
    ("diffusion_models", "image|video|edit|animate|cascade|convrot|turbo|distilled|music|dev"),
    ("diffusion_models", "schnell|klein|base"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NameGuess:
    """A folder, and the rule that named it."""

    folder: str
    reason: str


def guess_folder(name: str) -> NameGuess | None:
    """Guess the folder of a file from its name; None where no rule knows it."""
    plain = _SUFFIX.sub("", PurePosixPath(name.replace("\\", "/")).name)
    words = _words(plain)
    plain = plain.lower()
    for folder, rule in _RULES:
        for alternative in _parts(rule):
            if _holds(alternative, plain, words):
                return NameGuess(folder, f"its name has `{alternative.lstrip('=')}`, as those in {folder} have")
    return None


def _words(plain: str) -> frozenset[str]:
    """Cut a name at separators and where small letters end; keep each piece whole and in letters and numbers."""
    cut = _CAMEL.sub("_", plain)
    pieces = [piece for piece in re.split(r"[^a-z0-9.]+", f"{plain}_{cut}".lower()) if piece]
    pieces += [part for piece in pieces for part in piece.split(".")]
    return frozenset([*pieces, *(word for piece in pieces for word in _WORD.findall(piece))])


def _holds(alternative: str, plain: str, words: frozenset[str]) -> bool:
    if alternative.startswith("="):
        return re.fullmatch(alternative[1:], plain) is not None
    return all(word in words for word in alternative.split("+"))


def _parts(rule: str) -> list[str]:
    """Part alternatives at `|` outside of parentheses."""
    return re.split(r"\|(?![^(]*\))", rule)
