"""Where ComfyUI's own detection can speak, it says what we say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from comfystow.core.headers.classify import classify
from comfystow.core.headers.safetensors import parse_safetensors
from support.setup.workshop import ComfyInstall

sys.path.insert(0, str(Path(__file__).parent / "ground_truth"))

from truth import header_of, stored, written

GROUND = Path(__file__).parent / "ground_truth"

# ComfyUI's classes (comfy/supported_models.py) begin with these; the longest that fits decides.
FAMILIES = {
    "SD15": "SD 1.5", "SD20": "SD 2", "SD21": "SD 2", "LotusD": "SD 2", "SD_X4": "SD 2", "SDXL": "SDXL",
    "SDXLRefiner": "SDXL Refiner", "SSD1B": "SDXL", "Segmind": "SDXL", "KOALA": "SDXL", "SVD": "Stable Video Diffusion",
    "SV3D": "Stable Video Diffusion", "Stable_Zero123": "SD 1.5", "Stable_Cascade": "Stable Cascade", "SD3": "SD 3",
    "StableAudio": "Stable Audio", "AuraFlow": "AuraFlow", "PixArt": "PixArt", "HunyuanDiT": "HunyuanDiT",
    "Flux": "Flux", "Flux2": "Flux 2", "GenmoMochi": "Mochi", "LTXV": "LTX-Video", "HunyuanVideo": "Hunyuan Video",
    "HunyuanImage": "Hunyuan Image", "Cosmos": "Cosmos", "Lumina2": "Lumina 2", "ZImage": "Z-Image", "WAN": "Wan",
    "Hunyuan3D": "Hunyuan 3D", "HiDream": "HiDream", "Chroma": "Chroma", "ACEStep": "ACE-Step",
    "Omnigen2": "OmniGen 2", "QwenImage": "Qwen-Image",
}  # fmt: skip


def family(name: str) -> str:
    return FAMILIES[max((one for one in FAMILIES if name.startswith(one)), key=len)]


def base_of(data: bytes) -> str | None:
    return classify(parse_safetensors(lambda offset, size: data[offset : offset + size], 1 << 50)).base_model


@pytest.mark.comfyui
def test_comfyui_takes_each_for_the_same(comfyui_home: ComfyInstall) -> None:
    done = subprocess.run(
        [comfyui_home.python, GROUND / "ask_comfyui.py", comfyui_home.root], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answers = {name: found for name, found in json.loads(done.stdout.splitlines()[-1]).items() if found is not None}
    assert len(answers) > 80
    lines = stored()
    ours = {name: base_of(written(header_of(lines[name]))) for name in answers}
    # diffusers' Lumina 2 begins with the tensor by which ComfyUI knows OmniGen 2; it cannot load that file at all.
    assert answers.pop("diffusers-lumina2") == "Omnigen2"
    assert ours.pop("diffusers-lumina2") == "Lumina 2"
    assert ours == {name: family(found) for name, found in answers.items()}


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_ground_truth_is_made_again_byte_for_byte(comfyui_home: ComfyInstall, tmp_path: Path) -> None:
    out = tmp_path / "headers.jsonl.gz"
    command = [sys.executable, GROUND / "make.py", comfyui_home.root, "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == (GROUND / "headers.jsonl.gz").read_bytes()
