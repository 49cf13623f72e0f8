"""Names as the last resort, measured on the models of ComfyUI's own workflow templates."""

from __future__ import annotations

import pytest
from comfystow.core.headers.names import guess_folder
from comfystow.core.sources.catalogue import shipped_entries


def test_names_of_the_templates_lead_to_the_right_folder() -> None:
    """Abstaining counts as half, as a question does less harm than a wrong folder."""
    points, names = 0.0, 0
    for entry in shipped_entries():
        guess = guess_folder(entry.name)
        names += 1
        points += 0.5 if guess is None else float(guess.folder == entry.folder_name)
    assert names > 350
    assert points / names >= 0.9


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("sub/My_Style_LoRA.safetensors", "loras"),
        ("control_v11p_sd15_canny.pth", "controlnet"),
        ("4x-UltraSharp.pth", "upscale_models"),
        ("flux1-dev-Q4_K_S.gguf", "diffusion_models"),
        ("t5-v1_1-xxl-encoder-Q8_0.gguf", "text_encoders"),
        ("ip-adapter_sd15.bin", "ipadapter"),
        ("mm_sd_v15_v2.ckpt", "animatediff_models"),
        ("model.safetensors", None),
        ("", None),
    ],
)
def test_rules(name: str, folder: str | None) -> None:
    guess = guess_folder(name)
    assert (guess.folder if guess is not None else None) == folder
