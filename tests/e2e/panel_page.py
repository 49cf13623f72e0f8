"""What a person does in the panel on ComfyUI's own page."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright
from support.browser import _FLAGS, load_workflow, open_comfyui
from support.setup.machine import browser as installed_browser
from support.setup.workshop import CHECKOUT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

#: Three missing models: a VAE, a LoRA inside a subgraph, a gated LoRA (see its note).
WORKFLOW = CHECKOUT / "tests" / "support" / "demo" / "stow_demo.json"

_BADGE = "() => app.extensionManager.getSidebarTabs().find((tab) => tab.id === 'comfystow').iconBadge"


def workflow() -> dict[str, Any]:
    """Read the workflow."""
    return dict(json.loads(WORKFLOW.read_text(encoding="utf-8")))


def lacking(name: str, repo: str, node_type: str, folder: str) -> dict[str, Any]:
    """Make a workflow of one loader whose model is missing."""
    url = f"https://huggingface.co/{repo}/resolve/main/{name}"
    node = {
        "id": 1,
        "type": node_type,
        "pos": [400, 200],
        "size": [300, 82],
        "outputs": [],
        "properties": {"models": [{"name": name, "url": url, "directory": folder}]},
        "widgets_values": [name, "default"],
    }
    return {"version": 0.4, "last_node_id": 1, "last_link_id": 0, "nodes": [node], "links": []}


def open_workflow(page: Page, url: str, document: dict[str, Any]) -> None:
    """Load ComfyUI's page, mark it, so that a reload would show, and open a workflow."""
    open_comfyui(page, url)
    page.evaluate("() => { window.neverReloaded = true }")
    load_workflow(page, document)


def never_reloaded(page: Page) -> bool:
    """Tell whether it is still the page that was opened."""
    return bool(page.evaluate("() => window.neverReloaded === true"))


def badge(page: Page, text: str) -> None:
    """Wait until the tab's badge says so."""
    page.wait_for_function(f"(text) => ({_BADGE})() === text", arg=text)


def close_comfyui_s_list(page: Page) -> None:
    """Close the window with ComfyUI's own list, where this frontend has one."""
    window = page.locator(".p-dialog:has(.comfy-missing-models)")
    if window.count():
        page.keyboard.press("Escape")
        window.wait_for(state="detached")


def open_tab(page: Page) -> None:
    """Open the tab by its command, as its key does."""
    page.evaluate("() => app.extensionManager.command.execute('ComfyStow.Open')")
    page.wait_for_selector("section.comfystow")


def card(page: Page, name: str) -> Locator:
    """Give the card of a missing model."""
    return page.locator(f"[data-model='{name}']")


def own_address() -> str:
    """Give this machine's address in its network, or a name that is not loopback's where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only asks which address would be used
        except OSError:
            return "stow.test"
        address = str(probe.getsockname()[0])
    return "stow.test" if address.startswith(("127.", "0.")) else address


@contextmanager
def open_remote_browser(address: str) -> Iterator[Browser]:
    """Start a browser that reaches this machine by `address` too."""
    rules = f"MAP stow.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE {address}"
    flags = [flag for flag in _FLAGS if not flag.startswith("--host-resolver-rules")]
    executable = installed_browser()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=str(executable), headless=True, args=[*flags, f"--host-resolver-rules={rules}"]
        )
        try:
            yield browser
        finally:
            browser.close()
