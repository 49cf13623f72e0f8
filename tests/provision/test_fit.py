"""Will it fit: numbers, the sentence, and what would (pure); the whole way is in tests/cli/test_missing_forms.py."""

from __future__ import annotations

import pytest
from comfystow.core.provision.needs.fit import (
    WORKING_BYTES,
    Load,
    Variant,
    Verdict,
    best_variants,
    judge,
    largest_gpu,
    too_heavy,
)
from comfystow.core.records.sample import GpuSample
from comfystow.core.sources.variants import are_variants, family_of

GB = 10**9


def loads(*weights):
    return [Load(name=f"m{place}", folder="vae", vram_bytes=weight) for place, weight in enumerate(weights)]


@pytest.mark.parametrize(
    ("weights", "have", "verdict", "word"),
    [
        ((17 * GB, GB), 24 * GB, Verdict.FITS, "fits: needs 18.0 GB of 24.0 GB"),
        ((17 * GB, 10 * GB), 24 * GB, Verdict.IN_TURNS, "in turns"),
        ((23 * GB, GB), 24 * GB, Verdict.TOO_LARGE, "m0 alone takes 23.0 GB"),
        ((17 * GB, None), 24 * GB, Verdict.UNKNOWN, "at least 17.0 GB"),
        ((17 * GB, None, 10 * GB), 24 * GB, Verdict.IN_TURNS, "in turns"),
        ((17 * GB,), None, Verdict.UNKNOWN, "no GPU is known here"),
        ((None,), 24 * GB, Verdict.UNKNOWN, "nothing is known"),
        ((), 24 * GB, Verdict.UNKNOWN, "nothing is known"),
    ],
)
def test_verdict_and_its_sentence(weights, have, verdict, word) -> None:
    found = judge(loads(*weights), "GPU", have)
    assert found.verdict is verdict
    assert word in found.sentence
    assert found.needed_bytes == sum(weight or 0 for weight in weights)


def test_the_work_itself_needs_room_too() -> None:
    assert judge(loads(8 * GB), None, 8 * GB + WORKING_BYTES).verdict is Verdict.FITS
    assert judge(loads(8 * GB), None, 8 * GB + WORKING_BYTES - 1).verdict is Verdict.TOO_LARGE


def test_what_is_too_heavy_is_what_never_fits_else_the_largest() -> None:
    assert [load.name for load in too_heavy(judge(loads(30 * GB, GB, 26 * GB), None, 24 * GB))] == ["m0", "m2"]
    assert [load.name for load in too_heavy(judge(loads(9 * GB, 17 * GB), None, 24 * GB))] == ["m1"]
    assert too_heavy(judge(loads(GB), None, 24 * GB)) == []


def a_variant(name, size, **more):
    return Variant(instead_of="m", name=name, source=f"hf://a/b/{name}", size_bytes=size, known_from="x", **more)


def test_the_largest_variant_that_fits_is_named_first_and_own_loaders_come_before_others() -> None:
    load = Load(name="m", folder="vae", vram_bytes=30 * GB)
    fp8, q4, q8 = a_variant("fp8", 15 * GB), a_variant("q4", 9 * GB, needs_other_loader=True), a_variant("q8", 31 * GB)
    assert best_variants(load, [q4, q8, fp8], 24 * GB) == [fp8, q4]
    assert best_variants(load, [fp8, q4], 8 * GB) == [q4]
    assert best_variants(load, [q8, a_variant("?", None)], 24 * GB) == []


def test_the_gpu_with_the_most_memory_counts() -> None:
    gpus = [
        GpuSample(uuid=str(size), index=0, name="g", vendor="nvidia", memory_total_bytes=size) for size in (None, 8, 24)
    ]
    assert largest_gpu(gpus) == gpus[2]
    assert largest_gpu(gpus[:1]) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("flux1-dev.safetensors", "flux1-dev-fp8.safetensors", True),
        ("flux1-dev.safetensors", "flux1-dev-Q4_K_S.gguf", True),
        ("wan2.1_i2v_480p_14B_fp16.safetensors", "wan2.1-i2v-480p-14b-Q5_K_M.gguf", True),
        ("t5xxl_fp16.safetensors", "t5xxl_fp8_e4m3fn_scaled.safetensors", True),
        ("qwen_3_4b.safetensors", "qwen_3_4b_fp8mixed.safetensors", True),
        ("flux1-dev.safetensors", "flux1-schnell-fp8.safetensors", False),
        ("wan2.2_t2v_high_noise_14B_fp16.safetensors", "wan2.2_t2v_low_noise_14B_fp8_scaled.safetensors", False),
        ("qwen_image_bf16.safetensors", "svdq-int4_r32-qwen-image.safetensors", False),
        ("fp16.safetensors", "fp8.safetensors", False),
        ("a.safetensors", "a.safetensors", False),
    ],
)
def test_variants_differ_only_in_how_they_are_stored(one: str, other: str, same: bool) -> None:
    assert are_variants(one, other) is same
    assert are_variants(f"sub/{other}", one) is same or same is False
    assert family_of(one) == family_of(one.upper())
