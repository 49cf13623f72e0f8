"""What the panel does to an open graph, and a node's menu, in a real ComfyUI on both frontends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from e2e.panel_page import card, close_comfyui_s_list, lacking, open_tab, open_workflow
from support.browser import shoot

if TYPE_CHECKING:
    from hub.server import Hub
    from playwright.sync_api import Page
    from support.comfyui import ComfyServer
    from support.setup.frontend import Frontend

pytestmark = [pytest.mark.browser, pytest.mark.comfyui, pytest.mark.timeout(240)]

#: The words of a node's menu, however the frontend makes it.
_MENU = "(id) => app.canvas.getNodeMenuOptions(app.graph.getNodeById(id)).map((entry) => entry?.content ?? '')"
_PRESS = """(id) => app.canvas.getNodeMenuOptions(app.graph.getNodeById(id))
    .find((entry) => entry?.content === 'Download model…').callback()"""


def test_node_menu_leads_to_its_model_and_the_plan_is_there_before_the_click(
    comfy_on_frontend: ComfyServer, frontend: Frontend, page: Page
) -> None:
    server, name = comfy_on_frontend, "taesd.safetensors"
    open_workflow(page, server.url, lacking(name, "Comfy-Stow/taesd-demo", "VAELoader", "vae"))
    close_comfyui_s_list(page)
    page.wait_for_function(f"(id) => ({_MENU})(id).includes('Download model…')", arg=1)
    page.evaluate(_PRESS, 1)
    page.wait_for_function("() => document.activeElement?.dataset.action === 'download'")
    page.wait_for_selector("text=free after")
    assert "4.9 MB" in card(page, name).inner_text()
    page.click("[data-action=plan]")
    page.wait_for_selector("text=1 file to fetch, 4.9 MB")
    shoot(page, f"plan-{frontend.name}")
    assert not list((server.models / "vae").glob("*taesd*"))


def test_sources_are_saved_into_the_open_workflow(comfy_on_frontend: ComfyServer, hub: Hub, page: Page) -> None:
    server, name = comfy_on_frontend, f"mine-{id(page)}.safetensors"
    body = {"source": "hf://Comfy-Stow/taesd-demo/taesd.safetensors", "folder_name": "vae", "filename": name}
    assert server.stow("POST", "/downloads", body).status == 202
    document = lacking(name, "o/r", "VAELoader", "vae")
    document["nodes"][0]["properties"] = {}
    for _ in range(100):
        if (server.models / "vae" / name).exists():
            break
        page.wait_for_timeout(100)
    open_workflow(page, server.url, document)
    open_tab(page)
    page.click("[data-action=save-sources]")
    page.wait_for_selector("text=Save sources into this workflow", state="detached")
    (entry,) = page.evaluate("() => app.graph.serialize().nodes[0].properties.models")
    assert (entry["name"], entry["directory"], entry["hash_type"]) == (name, "vae", "SHA256")
    assert "/Comfy-Stow/taesd-demo/resolve/" in entry["url"]
    assert len(entry["hash"]) == 64
