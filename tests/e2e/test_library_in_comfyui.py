"""The Library tab in a real ComfyUI, on both frontends: a file that comes by hand shows, goes to the trash, comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy
import pytest
from e2e.panel_page import open_tab
from safetensors.numpy import save_file
from support.browser import open_comfyui, shoot

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page
    from support.comfyui import ComfyServer
    from support.setup.frontend import Frontend

pytestmark = [pytest.mark.browser, pytest.mark.comfyui, pytest.mark.timeout(240)]


def lora(path: Path) -> None:
    """Write a LoRA as kohya's scripts name it, large enough to be told from a stub."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"
    save_file(
        {
            f"{name}.lora_down.weight": numpy.zeros((4, 640), "float16"),
            f"{name}.lora_up.weight": numpy.zeros((640, 4), "float16"),
            f"{name}.alpha": numpy.zeros((), "float16"),
        },
        path,
    )


def test_file_is_seen_put_into_the_trash_and_taken_back(
    comfy_on_frontend: ComfyServer, frontend: Frontend, page: Page
) -> None:
    server = comfy_on_frontend
    here = server.models / "loras" / "first.safetensors"
    lora(here)
    open_comfyui(page, server.url)
    open_tab(page)
    page.click("#comfystow-tab-library")
    page.wait_for_selector(".stow-rows >> text=first")
    page.click(".stow-choice >> text=LoRA")  # counted by the server, and asked of it
    page.wait_for_selector(".stow-choice[aria-pressed=true]")
    page.wait_for_selector(".stow-rows >> text=first")
    by_hand = server.models / "loras" / "style" / "dropped-in-by-hand.safetensors"
    lora(by_hand)
    row = page.locator("[data-file]", has_text="dropped-in")
    row.wait_for()
    names = "async () => (await (await fetch('/object_info/LoraLoader')).json()).LoraLoader.input.required.lora_name[0]"
    assert "style/dropped-in-by-hand.safetensors" in page.evaluate(names)

    row.locator(".stow-row").click()
    row.locator("[data-action=trash]").click()
    page.wait_for_selector(".stow-actions >> text=dropped-in-by-hand")
    shoot(page, f"library-in-comfyui-{frontend.version}")
    assert by_hand.exists()
    page.click("[data-action=apply]")
    row.wait_for(state="detached")
    assert not by_hand.exists()
    page.click("[data-action=undo]")
    row.wait_for()
    assert by_hand.exists()
    assert here.exists()
