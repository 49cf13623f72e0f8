"""Tensor names and shapes of real architectures, and the files made from them (numpy only).

Every generator spells an architecture by a small description and yields `(key, shape)`; values are drawn later.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .blobs import PatternBlob

Shape = tuple[int, ...]
Tensors = dict[str, NDArray[np.float16]]

# ComfyUI comfy/taesd/taesd.py, one letter a module of its two nn.Sequential:
# i: 3x3 conv into 64 channels, o: 3x3 conv out of them, s: 3x3 conv 64->64 without bias, b: residual block of three
# convs, "-": a module without parameters (clamp, ReLU, upsample).
TAESD_ENCODER = "i b s bbb s bbb s bbb o".replace(" ", "")
TAESD_DECODER = "- i - bbb - s bbb - s bbb - s b o".replace(" ", "")
TAESD_WIDTH = 64


def _taesd_half(prefix: str, modules: str, channels_in: int, channels_out: int) -> Iterator[tuple[str, Shape]]:
    width = TAESD_WIDTH
    for index, module in enumerate(modules):
        name = f"{prefix}.{index}"
        if module == "b":
            for conv in (0, 2, 4):
                yield f"{name}.conv.{conv}.weight", (width, width, 3, 3)
                yield f"{name}.conv.{conv}.bias", (width,)
        elif module != "-":
            into = channels_in if module == "i" else width
            out = channels_out if module == "o" else width
            yield f"{name}.weight", (out, into, 3, 3)
            if module != "s":
                yield f"{name}.bias", (out,)


def taesd_shapes() -> dict[str, Shape]:
    """List the keys of ComfyUI's TAESD class for four latent channels."""
    shapes = dict(_taesd_half("taesd_encoder", TAESD_ENCODER, 3, 4))
    shapes |= _taesd_half("taesd_decoder", TAESD_DECODER, 4, 3)
    return shapes | {"vae_scale": (), "vae_shift": ()}


def taesd(seed: int) -> Tensors:
    """Draw He-scaled weights for TAESD.

    The last conv of a residual block is scaled down, so that twenty blocks neither explode nor vanish; biases are not
    zero, so that even an all-zero latent decodes to a picture; the last bias centres the picture in 0..1.
    """
    rng = np.random.default_rng(seed)
    tensors: Tensors = {}
    for key, shape in taesd_shapes().items():
        if len(shape) == 4:
            scale = (2 / (shape[1] * 9)) ** 0.5
            if ".conv.4." in key:
                scale *= 0.4
            if shape[0] in (3, 4):
                scale *= 0.12
            value = rng.standard_normal(shape) * scale
        elif len(shape) == 1:
            value = rng.standard_normal(shape) * 0.25 if shape[0] == TAESD_WIDTH else np.full(shape, 0.5)
        else:
            value = np.array(0.18215 if key == "vae_scale" else 0.0)  # SD 1.x: ComfyUI nodes.py, VAELoader
        tensors[key] = value.astype(np.float16)
    return tensors


def _lora_targets() -> Iterator[tuple[str, int, int]]:
    """Name the modules that kohya's scripts train in SD 1.x, with their input and output widths."""
    blocks = [(f"down_blocks_{i}_attentions_{j}", 320 << i) for i in range(3) for j in range(2)]
    blocks += [("mid_block_attentions_0", 1280)]
    blocks += [(f"up_blocks_{i}_attentions_{j}", 2560 >> i) for i in (1, 2, 3) for j in range(3)]
    for block, width in blocks:
        stem = f"lora_unet_{block}_transformer_blocks_0"
        for attention, context in (("attn1", width), ("attn2", 768)):
            yield f"{stem}_{attention}_to_q", width, width
            yield f"{stem}_{attention}_to_k", context, width
            yield f"{stem}_{attention}_to_v", context, width
            yield f"{stem}_{attention}_to_out_0", width, width
        yield f"{stem}_ff_net_0_proj", width, width * 8
        yield f"{stem}_ff_net_2", width * 4, width
    for layer in range(12):
        stem = f"lora_te_text_model_encoder_layers_{layer}"
        for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield f"{stem}_self_attn_{projection}", 768, 768
        yield f"{stem}_mlp_fc1", 768, 3072
        yield f"{stem}_mlp_fc2", 3072, 768


def lora(seed: int, *, rank: int, every: int = 1) -> Tensors:
    """Draw an SD 1.x LoRA with kohya's keys; `every` keeps one module in so many (a pruned file)."""
    rng = np.random.default_rng(seed)
    tensors: Tensors = {}
    for name, into, out in list(_lora_targets())[::every]:
        tensors[f"{name}.alpha"] = np.array(rank, dtype=np.float16)
        tensors[f"{name}.lora_down.weight"] = (rng.standard_normal((rank, into)) / into**0.5).astype(np.float16)
        tensors[f"{name}.lora_up.weight"] = (rng.standard_normal((out, rank)) * 0.01).astype(np.float16)
    return tensors


LORA_METADATA = {"ss_base_model_version": "sd_v1", "ss_network_module": "networks.lora", "ss_network_dim": "4"}


def clip_text(seed: int, *, layers: int = 2, width: int = 128, vocabulary: int = 2048) -> Tensors:
    """Draw a text encoder with CLIP-L's keys (transformers CLIPTextModel), much narrower than the real one."""
    rng = np.random.default_rng(seed)
    shapes: dict[str, Shape] = {
        "text_model.embeddings.position_embedding.weight": (77, width),
        "text_model.embeddings.token_embedding.weight": (vocabulary, width),
    }
    for layer in range(layers):
        stem = f"text_model.encoder.layers.{layer}"
        for norm in ("layer_norm1", "layer_norm2"):
            shapes |= {f"{stem}.{norm}.weight": (width,), f"{stem}.{norm}.bias": (width,)}
        for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
            name = f"{stem}.self_attn.{projection}"
            shapes |= {f"{name}.weight": (width, width), f"{name}.bias": (width,)}
        shapes |= {f"{stem}.mlp.fc1.weight": (4 * width, width), f"{stem}.mlp.fc1.bias": (4 * width,)}
        shapes |= {f"{stem}.mlp.fc2.weight": (width, 4 * width), f"{stem}.mlp.fc2.bias": (width,)}
    shapes |= {"text_model.final_layer_norm.weight": (width,), "text_model.final_layer_norm.bias": (width,)}
    return {key: (rng.standard_normal(shape) * 0.02).astype(np.float16) for key, shape in shapes.items()}


def embedding(seed: int) -> Tensors:
    """Draw a textual inversion for SD 1.x (`emb_params`, two vectors)."""
    return {"emb_params": (np.random.default_rng(seed).standard_normal((2, 768)) * 0.02).astype(np.float16)}


def flux_shapes() -> Iterator[tuple[str, Shape]]:
    """List keys of the Flux transformer in ComfyUI's own form, block by block, without end."""
    width = 3072
    yield "img_in.weight", (width, 64)
    yield "txt_in.weight", (width, 4096)
    index = 0
    while True:
        for stream in ("img", "txt"):
            stem = f"double_blocks.{index}.{stream}"
            yield f"{stem}_attn.norm.query_norm.scale", (128,)
            yield f"{stem}_attn.norm.key_norm.scale", (128,)
            yield f"{stem}_mod.lin.weight", (6 * width, width)
            yield f"{stem}_attn.qkv.weight", (3 * width, width)
            yield f"{stem}_attn.proj.weight", (width, width)
            yield f"{stem}_mlp.0.weight", (4 * width, width)
            yield f"{stem}_mlp.2.weight", (width, 4 * width)
        index += 1


HEADER_RESERVE_BYTES = 16 << 10


def generated_model(size_bytes: int, seed: int) -> PatternBlob:
    """Make a half-precision safetensors file of exactly `size_bytes` that is never stored.

    Tensors of the Flux transformer are laid out while they fit; `final_layer.linear.weight` takes the rest. A file
    that is too small for a header is plain weights.
    """
    if size_bytes < 2 * HEADER_RESERVE_BYTES or size_bytes % 2:
        return PatternBlob(header=b"", size=size_bytes, seed=seed)
    left = size_bytes - HEADER_RESERVE_BYTES
    offset = 0
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    for key, shape in flux_shapes():
        nbytes = 2 * int(np.prod(shape))
        if offset + nbytes >= left:
            break
        header[key] = {"dtype": "F16", "shape": list(shape), "data_offsets": [offset, offset + nbytes]}
        offset += nbytes
    header["final_layer.linear.weight"] = {
        "dtype": "F16",
        "shape": [1, (left - offset) // 2],
        "data_offsets": [offset, left],
    }
    text = json.dumps(header).encode().ljust(HEADER_RESERVE_BYTES - 8)
    return PatternBlob(header=struct.pack("<Q", len(text)) + text, size=size_bytes, seed=seed)


def gguf(seed: int) -> bytes:
    """Make a tiny GGUF file, version 3 (ggml docs/gguf.md): a Flux transformer's first tensors in half precision."""
    rng = np.random.default_rng(seed)

    def string(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    shapes = {
        "img_in.weight": (64, 128),
        "txt_in.weight": (128, 128),
        "double_blocks.0.img_attn.qkv.weight": (128, 384),
    }
    strings = {"general.architecture": "flux", "general.name": "Stow Flux"}
    parts = [b"GGUF", struct.pack("<IQQ", 3, len(shapes), len(strings) + 1)]
    parts += [string(key) + struct.pack("<I", 8) + string(value) for key, value in strings.items()]
    parts.append(string("general.file_type") + struct.pack("<II", 4, 1))
    offset = 0
    for name, shape in shapes.items():
        parts.append(string(name) + struct.pack("<IQQIQ", 2, *shape, 1, offset))
        offset += 2 * shape[0] * shape[1]
    header = b"".join(parts)
    values = (rng.standard_normal(offset // 2) * 0.02).astype("<f2").tobytes()
    return header + b"\0" * (-len(header) % 32) + values
