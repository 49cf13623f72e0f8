"""Prompts, and models small enough to load for real."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

Prompt = dict[str, dict[str, Any]]


@pytest.fixture(autouse=True)
def _no_models_left_over(comfy_server, hub):
    """Begin each test with empty folders and no faults."""
    yield
    hub.clear_faults()
    for path in comfy_server.models.rglob("*.safetensors*"):
        path.unlink()


@pytest.fixture
def decode() -> Callable[..., Prompt]:
    """Give a prompt that decodes an empty latent into an image by a VAE: 2 s on a CPU."""

    def prompt(kind: str, **inputs: Any) -> Prompt:
        return {
            "1": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
            "2": {"class_type": kind, "inputs": inputs},
            "3": {"class_type": "VAEDecode", "inputs": {"samples": ["1", 0], "vae": ["2", 0]}},
            "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": "stow"}},
        }

    return prompt


@pytest.fixture(scope="session")
def tiny_wan() -> bytes:
    """Give a diffusion model that ComfyUI recognises (model_detection.py, "Wan 2.1"): one block of width 128."""
    width, text = 128, 4096
    shapes: dict[str, tuple[int, ...]] = {
        "patch_embedding.weight": (width, 16, 1, 2, 2),
        "patch_embedding.bias": (width,),
        "head.modulation": (1, 2, width),
        "blocks.0.modulation": (1, 6, width),
        "blocks.0.norm3.weight": (width,),
        "blocks.0.norm3.bias": (width,),
        **_linear("text_embedding.0", width, text),
        **_linear("text_embedding.2", width, width),
        **_linear("time_embedding.0", width, 256),
        **_linear("time_embedding.2", width, width),
        **_linear("time_projection.1", width * 6, width),
        **_linear("blocks.0.ffn.0", width, width),
        **_linear("blocks.0.ffn.2", width, width),
        **_linear("head.head", 64, width),
    }
    for part in ("self_attn", "cross_attn"):
        for name in "qkvo":
            shapes |= _linear(f"blocks.0.{part}.{name}", width, width)
        shapes |= {f"blocks.0.{part}.norm_{name}.weight": (width,) for name in "qk"}
    return _file(shapes)


@pytest.fixture(scope="session")
def tiny_upscaler() -> bytes:
    """Give an upscale model that spandrel recognises: ESRGAN "Compact" with one hidden layer, scale 1."""
    return _file(
        {
            "body.0.weight": (8, 3, 3, 3),
            "body.0.bias": (8,),
            "body.1.weight": (8,),
            "body.2.weight": (8, 8, 3, 3),
            "body.2.bias": (8,),
            "body.3.weight": (8,),
            "body.4.weight": (3, 8, 3, 3),
            "body.4.bias": (3,),
        }
    )


def _linear(name: str, outputs: int, inputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _file(shapes: dict[str, tuple[int, ...]]) -> bytes:
    random = np.random.default_rng(1)
    return save({name: random.standard_normal(shape).astype(np.float16) * 0.02 for name, shape in shapes.items()})
