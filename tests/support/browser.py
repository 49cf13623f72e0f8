"""A headless Chromium, steered by Playwright, that reaches this machine and nothing else."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from .setup.machine import browser as installed_browser

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    # Pages ask for news, fonts and statistics of other hosts: here they get no answer, at once.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]
_TIMEOUT_MILLISECONDS = 30_000


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start Chromium with an empty profile."""
    executable = installed_browser()
    if executable is None:
        raise RuntimeError("no Chromium on this machine; `python install.py test` installs one where it may")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(executable), headless=True, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_context(browser: Browser, *, width: int = 1600, height: int = 1000) -> Iterator[BrowserContext]:
    """Open a fresh profile."""
    context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
    context.set_default_timeout(_TIMEOUT_MILLISECONDS)
    try:
        yield context
    finally:
        context.close()


def open_comfyui(page: Page, url: str, query: str = "") -> None:
    """Load ComfyUI's page, past the first visit's windows, and wait until its app stands."""
    page.goto(f"{url}/{query}")
    page.wait_for_function("() => window.app?.graph && window.app?.extensionManager?.sidebarTab")


def load_workflow(page: Page, workflow: object) -> None:
    """Open a workflow in the page, as dropping its file does."""
    page.evaluate("(workflow) => window.app.loadGraphData(workflow)", workflow)


def shoot(page: Page, name: str) -> Path | None:
    """Save a picture of the page as COMFYSTOW_SHOTS/name.png; without that variable do nothing."""
    folder = os.environ.get("COMFYSTOW_SHOTS")
    if not folder:
        return None
    path = Path(folder) / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path)
    return path
