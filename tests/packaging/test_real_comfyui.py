"""The ComfyUI that all other tests stand on: it starts, restarts, and shows both frontends in a browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page
from support.browser import open_comfyui, shoot
from support.comfyui import ComfyServer
from support.setup.frontend import Frontend

pytestmark = [pytest.mark.comfyui, pytest.mark.timeout(240)]


def test_a_killed_server_comes_back_on_the_same_port_with_its_own_folders(comfy_server: ComfyServer) -> None:
    before = comfy_server.url
    stats = comfy_server.request("GET", "/system_stats").json()
    assert stats["system"]["comfyui_version"]
    comfy_server.kill9()
    assert comfy_server.pid is None
    comfy_server.start()
    assert comfy_server.url == before
    assert comfy_server.request("GET", "/models/vae").json() == []


@pytest.mark.browser
def test_the_page_of_each_frontend_stands(comfy_on_frontend: ComfyServer, frontend: Frontend, page: Page) -> None:
    open_comfyui(page, comfy_on_frontend.url)
    assert page.evaluate("() => window.__COMFYUI_FRONTEND_VERSION__") == frontend.version
    shoot(page, f"comfyui-{frontend.version}")
