"""The ComfyUI that all other tests stand on: it starts, restarts, and shows both frontends in a browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page
from support.ask import ask
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


def test_it_paints_a_picture_with_a_model_of_the_hub(comfy_server: ComfyServer, hub) -> None:
    model = ask("GET", f"{hub.hf_url}/Comfy-Stow/taesd-demo/resolve/main/taesd.safetensors").body
    (comfy_server.models / "vae" / "taesd.safetensors").write_bytes(model)
    done = comfy_server.run_prompt(
        {
            "1": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
            "2": {"class_type": "VAELoader", "inputs": {"vae_name": "taesd.safetensors"}},
            "3": {"class_type": "VAEDecode", "inputs": {"samples": ["1", 0], "vae": ["2", 0]}},
            "4": {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": "probe"}},
        }
    )
    assert done["status"]["status_str"] == "success", done
    picture = done["outputs"]["4"]["images"][0]["filename"]
    assert (comfy_server.base / "output" / picture).read_bytes().startswith(b"\x89PNG")


@pytest.mark.browser
def test_the_page_of_each_frontend_stands(comfy_on_frontend: ComfyServer, frontend: Frontend, page: Page) -> None:
    open_comfyui(page, comfy_on_frontend.url)
    assert page.evaluate("() => window.__COMFYUI_FRONTEND_VERSION__") == frontend.version
    shoot(page, f"comfyui-{frontend.version}")
