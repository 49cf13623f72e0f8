"""The models of the hub are what they claim to be."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hub import architectures
from hub.blobs import FileBlob, FlippedBlob, PatternBlob, ResizedBlob, ShiftedBlob
from hub.content import Content
from safetensors.numpy import load


@pytest.fixture(scope="module")
def content(hub_state: Path) -> Content:
    return Content(hub_state, 0)


def whole(blob: object) -> bytes:
    return b"".join(bytes(chunk) for chunk in blob.chunks(0, blob.size))


def conv(image: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """Convolve channels-first with a 3x3 kernel and padding 1."""
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    result = np.einsum("chwij,ocij->ohw", windows, weight.astype(np.float32), optimize=True)
    return result if bias is None else result + bias.astype(np.float32)[:, None, None]


def decode(tensors: dict[str, np.ndarray], latent: np.ndarray) -> np.ndarray:
    """Run ComfyUI's TAESD decoder (comfy/taesd/taesd.py): clamp, blocks, three times nearest upsampling."""

    def layer(name: str, image: np.ndarray) -> np.ndarray:
        return conv(image, tensors[f"{name}.weight"], tensors.get(f"{name}.bias"))

    image = np.tanh(latent / 3) * 3
    image = np.maximum(layer("taesd_decoder.1", image), 0)
    for index in range(3, 20):
        name = f"taesd_decoder.{index}"
        if index in (6, 11, 16):
            image = image.repeat(2, axis=1).repeat(2, axis=2)
        elif index in (7, 12, 17, 19):
            image = layer(name, image)
        else:
            inner = np.maximum(layer(f"{name}.conv.0", image), 0)
            inner = np.maximum(layer(f"{name}.conv.2", inner), 0)
            image = np.maximum(layer(f"{name}.conv.4", inner) + image, 0)
    return image


def test_taesd_has_the_keys_of_comfyui_s_class_in_half_precision(content: Content) -> None:
    data = whole(content.file("taesd.safetensors"))
    tensors = load(data)
    assert len(data) == pytest.approx(4.9e6, rel=0.01)
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype(np.float16)}
    assert tensors["taesd_decoder.1.weight"].shape == (64, 4, 3, 3)
    assert tensors["taesd_encoder.14.weight"].shape == (4, 64, 3, 3)
    assert tensors["taesd_decoder.19.bias"].shape == (3,)
    assert tensors["vae_scale"].shape == tensors["vae_shift"].shape == ()
    assert "taesd_encoder.2.bias" not in tensors
    # Two times ten blocks of three convs, seven convs with and six without bias between them, scale and shift.
    assert len(tensors) == 2 * 10 * 6 + 4 * 2 + 6 + 2


@pytest.mark.parametrize("kind", ["empty", "noise"])
def test_taesd_decodes_a_latent_to_a_picture_that_is_not_flat(content: Content, kind: str) -> None:
    tensors = load(whole(content.file("taesd.safetensors")))
    latent = np.zeros((4, 8, 8), np.float32)
    if kind == "noise":
        latent = np.random.default_rng(1).standard_normal((4, 8, 8)).astype(np.float32)
    picture = decode(tensors, latent)
    assert picture.shape == (3, 64, 64)
    assert np.isfinite(picture).all()
    shown = picture.clip(0, 1)
    assert shown.std() > 0.05
    assert ((shown > 0) & (shown < 1)).mean() > 0.5


def test_lora_has_kohya_keys_and_matching_ranks(content: Content) -> None:
    tensors = load(whole(content.file("lora.safetensors")))
    stem = "lora_unet_up_blocks_3_attentions_2_transformer_blocks_0_attn2_to_k"
    assert tensors[f"{stem}.lora_down.weight"].shape == (4, 768)
    assert tensors[f"{stem}.lora_up.weight"].shape == (320, 4)
    assert "lora_te_text_model_encoder_layers_11_mlp_fc2.alpha" in tensors
    assert len(tensors) == 3 * (16 * 10 + 12 * 6)


def test_text_encoder_has_clip_keys(content: Content) -> None:
    tensors = load(whole(content.file("clip_l_reduced.safetensors")))
    assert "text_model.encoder.layers.0.mlp.fc1.weight" in tensors
    assert tensors["text_model.embeddings.position_embedding.weight"].shape[0] == 77


def test_gguf_is_laid_out_as_its_header_says(content: Content) -> None:
    data = whole(content.file("flux.gguf"))
    assert data[:4] == b"GGUF"
    assert int.from_bytes(data[4:8], "little") == 3
    assert b"general.architecture" in data[:64]
    assert (len(data) - 2 * (64 * 128 + 128 * 128 + 128 * 384)) % 32 == 0


def test_same_seed_makes_the_same_files_another_seed_others(content: Content, tmp_path: Path) -> None:
    name = "taesd.safetensors"
    assert whole(Content(tmp_path, 0).file(name)) == whole(content.file(name))
    assert whole(Content(tmp_path, 1).file(name)) != whole(content.file(name))


@pytest.mark.parametrize("size", [1 << 20, (64 << 20) + 2, 1 << 31])
def test_generated_model_is_a_consistent_safetensors_of_exactly_its_size(size: int) -> None:
    blob = architectures.generated_model(size, 3)
    length = int.from_bytes(blob.header[:8], "little")
    header = json.loads(blob.header[8 : 8 + length])
    header.pop("__metadata__")
    spans = sorted(row["data_offsets"] for row in header.values())
    assert [start for start, _ in spans] == [0, *(end for _, end in spans[:-1])]
    assert 8 + length + spans[-1][1] == blob.size == size
    assert all(
        2 * math.prod(row["shape"]) == row["data_offsets"][1] - row["data_offsets"][0] for row in header.values()
    )


def test_generated_weights_are_plausible_half_precision_values() -> None:
    blob = architectures.generated_model(1 << 20, 3)
    values = np.frombuffer(whole(blob)[len(blob.header) :], np.float16).astype(np.float32)
    assert np.isfinite(values).all()
    assert values.std() == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize("kind", ["file", "pattern", "flipped", "shifted", "resized"])
def test_any_part_of_a_blob_is_that_part_of_the_whole(content: Content, kind: str) -> None:
    pattern = PatternBlob(header=b"header", size=18 << 20, seed=1)
    blob = {
        "file": content.file("taesd.safetensors"),
        "pattern": pattern,
        "flipped": FlippedBlob(pattern, keep=100),
        "shifted": ShiftedBlob(pattern, 7),
        "resized": ResizedBlob(pattern, pattern.size + 50),
    }[kind]
    assert isinstance(content.file("taesd.safetensors"), FileBlob)
    data = whole(blob)
    assert len(data) == blob.size
    for start, length in ((0, 10), (3, 200), (blob.size - 60, 60), (1 << 20, 1 << 20), ((16 << 20) - 9, 100)):
        part = b"".join(bytes(chunk) for chunk in blob.chunks(start, min(length, max(0, blob.size - start))))
        assert part == data[start : start + length]
