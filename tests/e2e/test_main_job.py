"""The main job in a real ComfyUI and a real browser, on both frontends: click, and the workflow runs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from e2e.panel_page import badge, card, close_comfyui_s_list, lacking, never_reloaded, open_tab, open_workflow, workflow
from support.browser import shoot

if TYPE_CHECKING:
    from hub.server import Hub
    from playwright.sync_api import Page
    from support.comfyui import ComfyServer
    from support.setup.frontend import Frontend

pytestmark = [pytest.mark.browser, pytest.mark.comfyui, pytest.mark.timeout(240)]

#: A connection; slow enough to see 5 MB arrive over 32 of them, on a machine that is busy with other things.
SLOW = 20_000
VAE, STYLE, GATED = "taesd.safetensors", "stow_style.safetensors", "stow_gated.safetensors"

#: The words of a node's menu, however the frontend makes it.
_MENU = "(id) => app.canvas.getNodeMenuOptions(app.graph.getNodeById(id)).map((entry) => entry?.content ?? '')"
_PRESS = """(id) => app.canvas.getNodeMenuOptions(app.graph.getNodeById(id))
    .find((entry) => entry?.content === 'Download model…').callback()"""


def begin(page: Page) -> None:
    """Press what the frontend shows first: our button beside ComfyUI's list, or the offer and Download all."""
    beside = page.locator(".p-dialog [data-action=beside]")
    offer = page.locator("[data-action=open-stow]")
    offer.wait_for()
    if page.locator(".comfy-missing-models").count():
        beside.click()
    else:
        offer.click()
        page.click("[data-action=download-all]")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def offers(page: Page, node_id: int, name: str) -> None:
    """Wait until a node's first combo offers a file."""
    known = "([id, name]) => app.graph.getNodeById(id).widgets[0].options.values.includes(name)"
    page.wait_for_function(known, arg=[node_id, name])


def run(page: Page, server: ComfyServer) -> Path:
    """Queue the open workflow from the page; give the picture that comes out."""
    page.evaluate("() => app.queuePrompt(0)")

    def history() -> dict[str, Any]:
        return dict(server.request("GET", "/history").json())

    for _ in range(200):
        if entries := history():
            break
        page.wait_for_timeout(200)
    entry = next(iter(entries.values()))
    assert entry["status"]["status_str"] == "success", json.dumps(entry["status"])
    image = next(image for output in entry["outputs"].values() for image in output["images"])
    return Path(server.base / "output" / image["subfolder"] / image["filename"])


def test_one_click_brings_what_the_workflow_lacks_and_it_runs(
    comfy_on_frontend: ComfyServer, frontend: Frontend, hub: Hub, page: Page
) -> None:
    server = comfy_on_frontend
    for name in (VAE, STYLE):
        hub.fault("rate", file=name, bytes_per_second=SLOW)
    open_workflow(page, server.url, workflow())
    badge(page, "3")
    shoot(page, f"main-{frontend.name}-1-opened")
    begin(page)
    page.wait_for_selector("text=3 of 3 models are missing")

    # Progress, as it comes.
    page.wait_for_function(
        "() => { const width = parseFloat(document.querySelector('[data-model^=taesd] [data-bar]')?.style.width);"
        " return width > 5 && width < 95 }"
    )
    assert "of 4.9 MB" in card(page, VAE).inner_text()
    assert "in “Style”" in card(page, STYLE).inner_text()
    shoot(page, f"main-{frontend.name}-2-progress")
    hub.clear_faults()

    # The gated one says what to do, and does it.
    gated = card(page, GATED)
    gated.get_by_text("The author asks for a login").wait_for()
    assert "Hugging Face token" in gated.inner_text()
    badge(page, "1")
    shoot(page, f"main-{frontend.name}-3-gated")
    gated.locator("[data-action=token]").click()
    page.wait_for_selector("input[type=password]:focus")
    page.keyboard.type(hub.hf_token)
    page.keyboard.press("Enter")
    page.wait_for_selector("text=All 3 models are here")
    badge(page, "")
    shoot(page, f"main-{frontend.name}-4-here")

    known = {entry["path"].rpartition("/")[2]: entry["sha256"] for entry in hub.files(digests=True)}
    assert digest(server.models / "vae" / VAE) == known[VAE]
    assert digest(server.models / "loras" / STYLE) == known[STYLE]
    assert digest(server.models / "loras" / GATED) == known[GATED]
    assert not list(server.models.rglob("*.part*"))
    assert hub.hf_token not in page.content()

    # ComfyUI knows them, without a reload, and the workflow runs.
    offers(page, 2, VAE)
    offers(page, 6, GATED)
    picture = run(page, server)
    head = picture.read_bytes()[:24]
    assert head.startswith(b"\x89PNG\r\n\x1a\n")
    assert (int.from_bytes(head[16:20]), int.from_bytes(head[20:24])) == (256, 256)
    assert never_reloaded(page)
    page.click("#comfystow-tab-downloads")
    page.wait_for_selector("text=Done today")
    assert page.locator("li[data-state=completed] .stow-good", has_text="whole").count() == 3
    shoot(page, f"main-{frontend.name}-5-done")


def test_a_model_that_is_here_under_another_name_is_relinked(comfy_on_frontend: ComfyServer, page: Page) -> None:
    server = comfy_on_frontend
    moved = server.models / "vae" / "moved" / "relinked.safetensors"
    moved.parent.mkdir(exist_ok=True)
    moved.write_bytes(b"\0" * 64)
    open_workflow(page, server.url, lacking("relinked.safetensors", "o/r", "VAELoader", "vae"))
    close_comfyui_s_list(page)
    open_tab(page)
    page.get_by_text("Here as moved/relinked.safetensors").wait_for()
    card(page, "relinked.safetensors").locator("[data-action=relink]").click()
    page.wait_for_selector("text=The one model it needs is here")
    assert page.evaluate("() => app.graph.getNodeById(1).widgets[0].value") == "moved/relinked.safetensors"


def test_a_download_is_paused_resumed_cancelled_and_taken_back(
    comfy_on_frontend: ComfyServer, hub: Hub, page: Page
) -> None:
    server, big = comfy_on_frontend, "big_64mib.safetensors"
    hub.fault("rate", file=big, bytes_per_second=SLOW)
    open_workflow(page, server.url, lacking(big, "Comfy-Stow/big-models", "UNETLoader", "diffusion_models"))
    close_comfyui_s_list(page)
    open_tab(page)
    card(page, big).locator("[data-action=download]").click()
    page.click("#comfystow-tab-downloads")
    row = page.locator("article[data-download]")
    page.wait_for_selector("[data-state=running] [data-bar]")
    page.click("[data-action=pause-all]")
    row.get_by_text("Paused").wait_for()
    assert list(server.models.rglob(f"{big}.part"))
    page.click("[data-action=resume-all]")
    page.wait_for_selector("[data-state=running]")
    row.locator("[data-action=cancel]").click()
    row.get_by_text("Cancelled").wait_for()
    assert not list(server.models.rglob(f"{big}*"))
    hub.clear_faults()
    row.locator("[data-action=retry]").click()
    page.locator("li[data-state=completed]", has_text="64mib").wait_for()
    assert (server.models / "diffusion_models" / big).stat().st_size == 64 << 20


def test_node_menu_leads_to_its_model_and_the_plan_is_there_before_the_click(
    comfy_on_frontend: ComfyServer, frontend: Frontend, page: Page
) -> None:
    server, name = comfy_on_frontend, "big_8mib.safetensors"
    open_workflow(page, server.url, lacking(name, "Comfy-Stow/big-models", "VAELoader", "vae"))
    close_comfyui_s_list(page)
    page.wait_for_function(f"(id) => ({_MENU})(id).includes('Download model…')", arg=1)
    page.evaluate(_PRESS, 1)
    page.wait_for_function("() => document.activeElement?.dataset.action === 'download'")
    page.wait_for_selector("text=free after")
    assert "8.4 MB" in card(page, name).inner_text()
    page.click("[data-action=plan]")
    page.wait_for_selector("text=1 file to fetch, 8.4 MB")
    shoot(page, f"plan-{frontend.name}")
    assert not list((server.models / "vae").glob("big_8mib*"))


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
