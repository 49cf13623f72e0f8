"""The panel from another machine: the access secret is asked for once, and then everything works."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from comfystow.core.engine.secret import access_secret
from e2e.panel_page import (
    badge,
    card,
    close_comfyui_s_list,
    open_remote_browser,
    open_tab,
    open_workflow,
    own_address,
    workflow,
)
from support.browser import open_context, shoot
from support.comfyui import ComfyServer, hub_environment

if TYPE_CHECKING:
    from hub.server import Hub
    from support.setup.frontend import Frontend

pytestmark = [pytest.mark.browser, pytest.mark.comfyui, pytest.mark.timeout(240)]

VAE = "taesd.safetensors"


def test_a_page_from_another_machine_needs_the_secret_once(
    start_comfy: Callable[..., ComfyServer], frontend: Frontend, hub: Hub
) -> None:
    server = start_comfy(frontend=frontend.root, env=hub_environment(hub), listen="0.0.0.0")
    address = own_address()
    with open_remote_browser(address) as browser, open_context(browser) as context:
        page = context.new_page()
        open_workflow(page, f"http://{address}:{server.port}", workflow())
        close_comfyui_s_list(page)
        open_tab(page)
        lock = page.locator("[data-card=lock]")
        lock.wait_for()
        shoot(page, f"remote-{frontend.name}-1-locked")
        lock.locator("input").fill("not the secret")
        page.keyboard.press("Enter")
        lock.get_by_text("That is not it.").wait_for()
        assert not any(server.models.rglob(VAE))
        lock.locator("input").fill(access_secret(server.state_dir))
        page.keyboard.press("Enter")
        lock.wait_for(state="detached")
        card(page, VAE).locator("[data-action=download]").click()
        card(page, VAE).wait_for(state="detached")
        assert (server.models / "vae" / VAE).is_file()

        # It is kept in this browser, and in no other.
        open_workflow(page, f"http://{address}:{server.port}", workflow())
        badge(page, "2")
        assert page.locator("[data-card=lock]").count() == 0
        shoot(page, f"remote-{frontend.name}-2-unlocked")
