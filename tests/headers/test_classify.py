"""What a header tells beside kind and base: precision, sizes, training notes, damage, and what it does not tell."""

from __future__ import annotations

import json
import sys
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comfystow.core.errors import HeaderError
from comfystow.core.headers.classify import classify
from comfystow.core.headers.gguf import parse_gguf
from comfystow.core.headers.model_header import ModelHeader, Tensor
from gguf import GGMLQuantizationType, GGUFWriter, quants

sys.path.insert(0, str(Path(__file__).parent / "ground_truth"))

from truth import header_of, stored

LINES = stored()
BITS = {"F8_E4M3": 8, "U8": 8, "I8": 8, "BF16": 16, "F16": 16, "F32": 32, "I32": 32}
Shapes = dict[str, tuple[int, ...]]


def shapes_of(name: str) -> Shapes:
    return dict(header_of(LINES[name]).tensors)


def header(tensors: dict[str, tuple[str, tuple[int, ...]]], metadata: dict[str, object] | None = None) -> ModelHeader:
    at, placed = 100, {}
    for name, (dtype, shape) in tensors.items():
        end = at + prod(shape) * BITS[dtype] // 8
        placed[name] = Tensor(dtype, shape, end - at)
        at = end
    return ModelHeader(
        format="safetensors", metadata=metadata or {}, tensors=placed, data_start=100,
        expected_size_bytes=at, padded_size_bytes=at,
    )  # fmt: skip


def stored_as(shapes: Shapes, dtype: str = "BF16") -> dict[str, tuple[str, tuple[int, ...]]]:
    return {name: (dtype, shape) for name, shape in shapes.items()}


FLUX = shapes_of("flux-dev")
PARAMETERS = sum(prod(shape) for shape in FLUX.values())
LINEAR = [name for name, shape in FLUX.items() if len(shape) == 2 and "blocks." in name]


def test_scaled_fp8_as_comfyui_writes_it() -> None:
    tensors = stored_as(FLUX) | {name: ("F8_E4M3", FLUX[name]) for name in LINEAR}
    tensors |= {f"{name.removesuffix('weight')}scale_weight": ("F32", ()) for name in LINEAR}
    found = classify(header(tensors | {"scaled_fp8": ("F8_E4M3", (2,))}))
    assert (found.base_model, found.precision, found.parameters) == ("Flux", "fp8_e4m3fn scaled", PARAMETERS)
    assert classify(header(stored_as(FLUX, "F8_E4M3"))).precision == "fp8_e4m3fn"


def test_four_bit_formats_hold_two_parameters_a_byte() -> None:
    """bitsandbytes packs a weight into one column; nvfp4 halves the last dimension."""
    nf4, nvfp4 = stored_as(FLUX), stored_as(FLUX)
    for name in LINEAR:
        count = prod(FLUX[name])
        nf4[name] = ("U8", (count // 2, 1))
        nf4[f"{name}.absmax"] = ("F32", (count // 64,))
        nf4[f"{name}.quant_map"] = ("F32", (16,))
        nf4[f"{name}.quant_state.bitsandbytes__nf4"] = ("U8", (88,))
        nvfp4[name] = ("U8", (FLUX[name][0], FLUX[name][1] // 2))
        nvfp4[f"{name.removesuffix('weight')}weight_scale"] = ("F8_E4M3", (FLUX[name][0], FLUX[name][1] // 16))
        nvfp4[f"{name.removesuffix('weight')}weight_scale_2"] = ("F32", ())
    for tensors, precision in ((nf4, "nf4"), (nvfp4, "nvfp4")):
        found = classify(header(tensors))
        assert (found.kind, found.base_model) == ("diffusion_model", "Flux"), found.rejected
        assert (found.precision, found.parameters) == (precision, PARAMETERS)
        assert (found.vram_bytes or 0) < PARAMETERS


def test_int8_is_named() -> None:
    tensors = stored_as(FLUX) | {name: ("I8", FLUX[name]) for name in LINEAR}
    assert classify(header(tensors)).precision == "int8"


@pytest.mark.parametrize(
    ("name", "quantisation", "told", "precision", "expected"),
    [
        ("flux-dev", GGMLQuantizationType.Q4_K, 15, "Q4_K_M", ("diffusion_model", "Flux")),
        ("wan-t2v-1b", GGMLQuantizationType.Q8_0, 7, "Q8_0", ("diffusion_model", "Wan")),
        ("qwen-image", GGMLQuantizationType.Q5_K, 16, "Q5_K_S", ("diffusion_model", "Qwen-Image")),
        ("ltx-2b", GGMLQuantizationType.BF16, 32, "bf16", ("diffusion_model", "LTX-Video")),
        ("z-image", GGMLQuantizationType.Q6_K, 18, "Q6_K", ("diffusion_model", "Z-Image")),
    ],
)
def test_gguf_as_its_own_library_writes_it(tmp_path: Path, name: str, quantisation: Any, told: int, precision: str,
                                           expected: tuple[str, str]) -> None:  # fmt: skip
    """Only tensors of two dimensions whose rows fill blocks are quantised; the names are ComfyUI's."""
    writer = GGUFWriter(tmp_path / "x.gguf", "flux")
    writer.add_file_type(told)
    shapes = shapes_of(name)
    for key, shape in shapes.items():
        fits = len(shape) == 2 and shape[1] % 256 == 0
        kind = quantisation if fits else GGMLQuantizationType.F32
        size = quants.quant_shape_to_byte_shape(shape, kind) if fits else shape
        writer.add_tensor_info(key, size, np.dtype(np.uint8 if fits else np.float32), 0, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    data = (tmp_path / "x.gguf").read_bytes()
    found = classify(parse_gguf(lambda offset, size: data[offset : offset + size], 1 << 50))
    assert (found.kind, found.base_model) == expected, found.rejected
    assert found.precision == precision
    assert found.parameters == sum(prod(shape) for shape in shapes.values())


def lora(name: str, **metadata: str) -> Any:
    return classify(header(stored_as(shapes_of(name), "F16"), dict(metadata)))


def test_training_notes_and_trigger_words() -> None:
    tags = json.dumps({"5_ohwx": {"ohwx woman": 40, "smile": 12}, "2_more": {"ohwx woman": 10}})
    found = lora("lora-sdxl-kohya", ss_base_model_version="sdxl_base_v1-0", ss_tag_frequency=tags, ss_network_dim="16",
                 ss_network_module="networks.lora")  # fmt: skip
    assert found.trigger_words == ("ohwx woman",)
    assert found.training == {"base": "sdxl_base_v1-0", "network": "networks.lora", "rank": "16"}
    told = lora("lora-sdxl-kohya", **{"modelspec.trigger_phrase": "ohwx, in style of x", "modelspec.title": "T"})
    assert (told.trigger_words, told.training) == (("ohwx", "in style of x"), {"title": "T"})


def test_tensors_know_better_than_notes_and_notes_better_than_nothing() -> None:
    wrong = lora("lora-sdxl-kohya", ss_base_model_version="sd_v1")
    assert wrong.base_model == "SDXL"
    assert any("know better" in line for line in wrong.evidence)
    chroma = lora("lora-chroma-kohya-attention", ss_base_model_version="chroma")
    assert chroma.base_model == "Chroma"
    stranger = lora(
        "lora-diffusers-stranger-krea2transformer2dmodel-attention", **{"modelspec.architecture": "flux-1-dev/lora"}
    )
    assert (stranger.base_model, stranger.confidence) == ("Flux", "likely")


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"a": 1}', '{"a": {"b": "c"}}', "null", "[" * 100_000, '{"a":{"b":1e999}}']
)
def test_hostile_notes_are_passed_by(text: str) -> None:
    assert lora("lora-sdxl-kohya", ss_tag_frequency=text).trigger_words == ()


def test_a_damaged_file_of_a_known_kind_is_an_error() -> None:
    gone = {name: shape for name, shape in FLUX.items() if not name.startswith("double_blocks.7.")}
    with pytest.raises(HeaderError, match=r"Flux model is damaged: `double_blocks\.7` is missing"):
        classify(header(stored_as(gone)))
    half = shapes_of("lora-sd15-kohya")
    del half[next(name for name in half if name.endswith("lora_up.weight"))]
    with pytest.raises(HeaderError, match="one tensor of a pair"):
        classify(header(stored_as(half)))


def test_both_halves_of_a_clip_are_a_question() -> None:
    both = {**shapes_of("vision-vit-l"), **shapes_of("clip-g")}
    found = classify(header(stored_as(both)))
    assert (found.kind, found.folder) == (None, None)
    assert found.alternatives == ("text_encoders", "clip_vision")


@pytest.mark.parametrize(
    "shapes", [{}, {"a": (2, 2)}, {"model.diffusion_model.x": (4,)}, {f"t{n}": (1,) for n in range(999)}]
)
def test_nothing_unknown_is_taken_for_a_checkpoint(shapes: Shapes) -> None:
    found = classify(header(stored_as(shapes)))
    assert (found.kind, found.folder, found.alternatives) == (None, None, ())
    assert found.rejected


def test_the_reasons_name_every_hypothesis() -> None:
    found = classify(header(stored_as(FLUX)))
    assert len(found.rejected) >= 20
    assert all(": " in line for line in found.rejected)
