"""A file that is put into a folder by hand shows up in ComfyUI's own page, without a reload or a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from e2e.panel_page import badge, close_comfyui_s_list, lacking, never_reloaded, open_workflow
from support.shelves import safetensors

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from support.comfyui import ComfyServer

pytestmark = [pytest.mark.browser, pytest.mark.comfyui, pytest.mark.timeout(240)]

NAME = "dropped by hand.safetensors"
_OFFERED = "(name) => app.graph.getNodeById(1).widgets[0].options.values.includes(name)"


def test_a_file_dropped_into_a_folder_is_offered_by_the_loader(comfy_server: ComfyServer, page: Page) -> None:
    open_workflow(page, comfy_server.url, lacking(NAME, "Comfy-Stow/lora-demo", "VAELoader", "vae"))
    close_comfyui_s_list(page)
    badge(page, "1")
    assert not page.evaluate(_OFFERED, NAME)
    events = page.evaluate_handle(
        "() => { const seen = []; app.api.addEventListener('comfystow.library', (event) => seen.push(event.detail));"
        " return seen }"
    )

    folder = comfy_server.models / "vae"
    folder.mkdir(exist_ok=True)
    (folder / NAME).write_bytes(safetensors())

    page.wait_for_function(_OFFERED, arg=NAME, timeout=60_000)
    badge(page, "")
    assert never_reloaded(page)
    told = [event for event in events.json_value() if "folders" in event]
    assert told == [{"folders": ["vae"]}]
    assert str(comfy_server.models) not in str(events.json_value())

    (folder / NAME).unlink()
    page.wait_for_function(f"(name) => !({_OFFERED})(name)", arg=NAME, timeout=60_000)
    badge(page, "1")
