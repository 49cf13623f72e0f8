"""The Pod tab in a real ComfyUI on a rented machine, on both frontends: a real countdown, one click against it, one stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from e2e.panel_page import open_tab
from e2e.test_panel import _TOO_WIDE, violations
from support.browser import open_comfyui, shoot
from support.engines import wait_for
from support.providers import KEY, POD, FakeProviders, serve_providers

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from support.comfyui import ComfyServer
    from support.setup.frontend import Frontend

pytestmark = [pytest.mark.long, pytest.mark.browser, pytest.mark.comfyui, pytest.mark.timeout(300)]

#: A second is a minute of the policy's clock.
POLICY = {
    "COMFYSTOW_IDLE_MODE": "stop", "COMFYSTOW_IDLE_TIMEOUT_SECONDS": "1200", "COMFYSTOW_IDLE_GRACE_SECONDS": "600",
    "COMFYSTOW_IDLE_CHECK_SECONDS": "60", "COMFYSTOW_IDLE_CLOCK_RATE": "60", "COMFYSTOW_IDLE_IGNORE": "ssh,jupyter",
}  # fmt: skip


@pytest.fixture
def api() -> Iterator[FakeProviders]:
    with serve_providers() as fake:
        yield fake


def test_countdown_keep_alive_and_stop(
    start_comfy: Callable[..., ComfyServer], frontend: Frontend, api: FakeProviders, page: Page, axe: str
) -> None:
    rented = {"RUNPOD_POD_ID": POD, "RUNPOD_API_KEY": KEY, "COMFYSTOW_RUNPOD_API_URL": api.url}
    server = start_comfy(frontend=frontend.root, env={**POLICY, **rented})
    open_comfyui(page, server.url)
    open_tab(page)
    page.wait_for_selector("#comfystow-tab-pod")
    page.click("#comfystow-tab-pod")
    page.wait_for_selector("[data-idle] >> text=Stops in")
    assert "RunPod · 1 × RTX 4090 · $0.44 / h" in page.inner_text("[data-idle]")
    for palette in ("dark", "light"):
        page.evaluate("(id) => app.extensionManager.setting.set('Comfy.ColorPalette', id)", palette)
        for width in (280, 600):
            page.evaluate(
                "(width) => { document.querySelector('.comfystow').parentElement.style.width = `${width}px` }", width
            )
            page.wait_for_timeout(300)
            assert violations(page, axe) == []
            assert page.evaluate(_TOO_WIDE) == []
            shoot(page, f"pod-in-comfyui-{frontend.version}-{palette}-{width}")
    page.click("[data-action=keep-alive]")
    page.wait_for_selector("[data-idle] >> text=Kept alive for")
    assert api.stops == 0
    page.click("[data-action=let-go]")
    page.wait_for_selector("[data-idle=grace]", timeout=60_000)
    page.wait_for_selector("[data-idle=stopped]", timeout=60_000)
    wait_for(lambda: api.stops == 1)
    page.wait_for_timeout(2000)
    assert api.calls() == [f"POST /v2/pods/{POD}/action"]
