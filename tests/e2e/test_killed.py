"""A server that is killed in the middle of a download, seen from the page that stays open."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from e2e.panel_page import badge, card, close_comfyui_s_list, lacking, never_reloaded, open_tab, open_workflow
from support.browser import shoot
from support.comfyui import ComfyServer, hub_environment

if TYPE_CHECKING:
    from hub.server import Hub
    from playwright.sync_api import Page
    from support.setup.frontend import Frontend

pytestmark = [pytest.mark.browser, pytest.mark.comfyui, pytest.mark.timeout(240)]

BIG = "big_256mib.safetensors"
MIB = 1 << 20


def _pid_of_the_engine(server: ComfyServer) -> int:
    published = next(Path(server.env["COMFYSTOW_RUN_DIR"]).rglob("engine.json"))
    return int(json.loads(published.read_text(encoding="utf-8"))["pid"])


def _under_way(server: ComfyServer) -> dict[str, Any]:
    return dict(server.stow("GET", "/downloads").json()["downloads"][0])


def _wait(page: Page, reached: Callable[[], bool]) -> None:
    """Look every tenth of a second; the page lives on meanwhile."""
    for _ in range(600):
        if reached():
            return
        page.wait_for_timeout(100)
    raise AssertionError("not within a minute")


@pytest.mark.parametrize(
    "engine_too",
    [pytest.param(False, id="server", marks=pytest.mark.long), pytest.param(True, id="server-and-engine")],
)
def test_a_download_goes_on_where_it_was_after_a_kill(
    start_comfy: Callable[..., ComfyServer], frontend: Frontend, hub: Hub, page: Page, engine_too: bool
) -> None:
    hub.fault("rate", file=BIG, bytes_per_second=1_500_000)
    server = start_comfy(frontend=frontend.root, env=hub_environment(hub))
    open_workflow(page, server.url, lacking(BIG, "Comfy-Stow/big-models", "UNETLoader", "diffusion_models"))
    close_comfyui_s_list(page)
    open_tab(page)
    card(page, BIG).locator("[data-action=download]").click()
    page.wait_for_function("() => parseFloat(document.querySelector('[data-bar]')?.style.width) > 50")
    before = _under_way(server)
    engine = _pid_of_the_engine(server)
    hub.clear_faults()
    hub.fault("rate", file=BIG, bytes_per_second=20_000)  # too slow to come that far once more
    server.kill9()
    if engine_too:
        os.kill(engine, signal.SIGKILL)
    server.start()
    if engine_too:
        _wait(page, lambda: _under_way(server)["state"] == "running" and _under_way(server)["bytes_done"] > 0)
        assert _pid_of_the_engine(server) != engine
        # A kill may cost a mebibyte a connection, and there are 32 at most.
        assert _under_way(server)["bytes_done"] > before["bytes_done"] - 33 * MIB
    else:
        assert _under_way(server)["started_at"] == before["started_at"]
    hub.clear_faults()

    # The page is still the one that was opened: it finds its server by itself, and says that all is there.
    page.wait_for_selector("text=The one model it needs is here", timeout=60_000)
    badge(page, "")
    assert never_reloaded(page)
    assert next(server.models.rglob(BIG)).stat().st_size == 256 * MIB
    shoot(page, f"killed-{frontend.name}-{'both' if engine_too else 'server'}")
