"""The System tab in a real ComfyUI, on both frontends: what it shows is what the engine measures here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from e2e.panel_page import open_tab
from support.browser import open_comfyui, shoot

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from support.comfyui import ComfyServer
    from support.setup.frontend import Frontend

pytestmark = [pytest.mark.long, pytest.mark.browser, pytest.mark.comfyui, pytest.mark.timeout(240)]


def test_machine_is_shown_while_the_tab_is_open_and_sampled_no_longer(
    comfy_on_frontend: ComfyServer, frontend: Frontend, page: Page
) -> None:
    server = comfy_on_frontend
    open_comfyui(page, server.url)
    open_tab(page)
    page.click("#comfystow-tab-system")
    page.wait_for_selector("[role=meter][aria-label=Memory]")
    view = server.stow("GET", "/system").json()
    assert view["sampling"] is True
    cores = view["sample"]["host"]["cores"]
    page.wait_for_function("(cores) => document.body.innerText.includes(`of ${cores} cores`)", arg=cores)
    assert [disk["path"] for disk in view["sample"]["disks"]]
    shoot(page, f"system-in-comfyui-{frontend.version}")
    page.click("#comfystow-tab-missing")
    for _ in range(150):
        if not server.stow("GET", "/system").json()["sampling"]:
            break
        page.wait_for_timeout(200)
    assert server.stow("GET", "/system").json()["sampling"] is False
    assert server.stow("POST", "/system/free", {}).status == 200
