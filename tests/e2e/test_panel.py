"""The panel in a browser, on a stand-in for ComfyUI: how it looks to everybody, and how it behaves under the hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from e2e.fake_page import FakeComfy, candidate, download, every_state, fit_of, model, plan_of
from support.browser import shoot

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


#: What sticks out of its box, but for what is meant to be cut.
_TOO_WIDE = """() => [...document.querySelectorAll('.comfystow *')]
    .filter((e) => e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === 'visible')
    .map((e) => `${e.className}: ${e.textContent}`)"""


def open_panel(page: Page, fake: FakeComfy, *, width: int = 372, height: int = 1000, query: str = "") -> None:
    page.set_viewport_size({"width": width + 1, "height": height})
    page.goto(f"{fake.url}/?width={width}{query}")
    page.wait_for_selector("body[data-ready]")


def violations(page: Page, axe: str) -> list[str]:
    page.evaluate(f"() => {{ {axe} }}")
    found = page.evaluate("() => axe.run('.comfystow')")["violations"]
    return [f"{rule['id']}: {node['target']}" for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize("palette", ["dark", "light", "old"])
@pytest.mark.parametrize("width", [280, 600])
def test_everybody_can_read_and_work_every_state(
    page: Page, fake: FakeComfy, axe: str, palette: str, width: int
) -> None:
    models, downloads = every_state()
    fit = fit_of("too_large" if width == 280 else "fits")
    fake.set(models=models, downloads=downloads, plan=plan_of(models), fit=fit)
    open_panel(page, fake, width=width, height=2400, query=f"&palette={palette}")
    page.wait_for_selector("article")
    page.wait_for_selector("text=195 GB free after")
    shoot(page, f"missing-before-{palette}-{width}")
    for action in ("choose", "link", "token", "plan", "add"):
        page.locator(f"[data-action={action}]").first.click()
    page.wait_for_selector("textarea")
    assert violations(page, axe) == []
    shoot(page, f"missing-{palette}-{width}")
    page.click("#comfystow-tab-downloads")
    page.wait_for_selector("[data-download='1']")
    page.click("[data-action=add]")
    assert violations(page, axe) == []
    shoot(page, f"downloads-{palette}-{width}")
    assert page.evaluate(_TOO_WIDE) == []


def test_a_click_downloads_and_the_card_tells_how_far_it_is(page: Page, fake: FakeComfy) -> None:
    fake.set(models=[model("a.safetensors", "vae", candidate("hf://o/r/a.safetensors"))])
    open_panel(page, fake)
    page.click("[data-model='a.safetensors'] [data-action=download]")
    page.wait_for_selector("[data-model='a.safetensors'] >> text=Waiting")
    assert fake.asked("/downloads")[-1]["filename"] == "a.safetensors"
    half = download("d1", "a.safetensors", "vae", "running", bytes_done=82_000_000, rate_bytes_per_second=2e6)
    fake.event("comfystow.downloads", {"downloads": [half]})
    page.wait_for_selector("text=82 of 164 MB")
    assert page.evaluate("() => document.querySelector('[data-bar=d1]').style.width") == "50%"
    assert page.get_attribute("[role=progressbar]", "aria-valuenow") == "50"


def test_a_half_typed_token_outlives_every_redraw(page: Page, fake: FakeComfy) -> None:
    waiting = download("1", "gated.safetensors", "loras", "waiting", waiting_for="token")
    fake.set(models=[model("gated.safetensors", "loras", candidate("hf://o/r/gated.safetensors"))], downloads=[waiting])
    open_panel(page, fake)
    page.click("[data-action=token]")
    page.wait_for_selector("input[type=password]:focus")
    page.keyboard.type("hf_")
    other = download("2", "other.safetensors", "loras", "running")
    fake.event("comfystow.downloads", {"downloads": [other]})
    page.wait_for_selector("#comfystow-tab-downloads i >> text=2")
    page.keyboard.type("secret")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('input[type=password]') === null")
    assert fake.asked("/credentials/huggingface") == [{"token": "hf_secret"}]
    assert "hf_secret" not in page.content()


def test_a_stranger_s_names_are_text(page: Page, fake: FakeComfy) -> None:
    evil = "<img src=x onerror='window.owned=1'>.safetensors"
    fake.set(models=[model(evil, "vae", {**candidate("hf://o/r/a"), "reason": evil}, base_model=evil)])
    open_panel(page, fake)
    page.wait_for_selector("article")
    assert page.get_attribute("article h2", "title") == evil
    assert page.locator(".comfystow img").count() == 0
    assert page.evaluate("() => window.owned") is None


def test_closing_and_opening_the_tab_keeps_what_was_open(page: Page, fake: FakeComfy) -> None:
    fake.set(models=[model("a.safetensors", "controlnet")])
    open_panel(page, fake)
    page.click("[data-action=link]")
    page.click("#comfystow-tab-downloads")
    page.evaluate(
        "() => { for (const _ of [1, 2]) app.extensionManager.command.execute('Workspace.ToggleSidebarTab.comfystow') }"
    )
    assert page.locator("section.comfystow").count() == 1
    assert page.get_attribute("#comfystow-tab-downloads", "aria-selected") == "true"
    page.click("#comfystow-tab-missing")
    page.wait_for_selector("input[type=url]")


def test_a_panel_that_is_closed_does_nothing(page: Page, fake: FakeComfy) -> None:
    open_panel(page, fake)
    page.evaluate("() => app.extensionManager.command.execute('Workspace.ToggleSidebarTab.comfystow')")
    page.evaluate("() => { window.seen = 0; new MutationObserver((all) => window.seen += all.length)"
                  ".observe(document, {childList: true, subtree: true, attributes: true, characterData: true}) }")  # fmt: skip
    for done in range(20):
        running = download("1", "a.safetensors", "vae", "running", bytes_done=done * 1_000_000)
        fake.event("comfystow.downloads", {"downloads": [running]})
    page.wait_for_timeout(600)
    assert page.evaluate("() => window.seen") == 0


def test_opening_a_workflow_that_lacks_models_offers_the_tab_once(page: Page, fake: FakeComfy) -> None:
    fake.set(models=[model("a.safetensors", "vae"), model("b.safetensors", "vae")])
    open_panel(page, fake, query="&open=no")
    page.wait_for_selector(".stow-offer >> text=2 models of this workflow are missing")
    assert page.evaluate("() => app.extensionManager.getSidebarTabs()[0].iconBadge") == "2"
    page.click("[data-action=open-stow]")
    page.wait_for_selector("section.comfystow")
    assert page.locator(".stow-offer").count() == 0
    page.evaluate("() => { app.extensionManager.command.execute('Workspace.ToggleSidebarTab.comfystow');"
                  " app.open({...app.workflow, nodes: [{id: 3, type: 'x', widgets_values: ['c.safetensors']}]}) }")  # fmt: skip
    page.wait_for_timeout(1500)
    assert page.locator(".stow-offer").count() == 0


def test_models_at_the_root_of_a_workflow_are_asked_about_too(page: Page, fake: FakeComfy) -> None:
    open_panel(page, fake)
    root = [{"name": "a.safetensors", "url": "https://huggingface.co/o/r/resolve/main/a", "directory": "vae"}]
    page.evaluate("(models) => app.open({id: 'other', nodes: [], models})", root)
    page.wait_for_timeout(800)
    assert fake.asked("/workflow/missing")[-1]["workflow"]["models"] == root


@pytest.mark.parametrize(
    "markup",
    [
        "<div class='comfy-missing-models'></div>",
        "<div data-testid='missing-model-actions'></div>",
        "<div data-testid='error-group-missing-model'><p><i data-testid='missing-model-importable-rows'></i></p></div>",
    ],
)
def test_one_button_stands_beside_comfyui_s_own_list(page: Page, fake: FakeComfy, markup: str) -> None:
    fake.set(models=[model("a.safetensors", "vae", candidate("hf://o/r/a.safetensors"))])
    open_panel(page, fake, query="&open=no")
    add = "(markup) => { const box = document.body.appendChild(document.createElement('div')); box.innerHTML = markup }"
    page.evaluate(add, markup)
    page.wait_for_selector("[data-comfystow-beside]")
    page.evaluate("() => { for (let i = 0; i < 5; i += 1) document.body.append(document.createElement('p')) }")
    page.wait_for_timeout(200)
    assert page.locator("[data-comfystow-beside]").count() == 1
    page.click("[data-action=beside]")
    page.wait_for_selector("section.comfystow")
    page.wait_for_selector("[data-model='a.safetensors'] >> text=Waiting")
    assert len(fake.asked("/downloads")) == 2  # the list, and the one submission


def test_links_are_added_several_at_once(page: Page, fake: FakeComfy) -> None:
    open_panel(page, fake)
    page.click("[data-action=add]")
    page.fill("textarea", "https://huggingface.co/o/r/resolve/main/a.safetensors\nhttps://civitai.com/models/12\n")
    page.select_option("select", "loras")
    page.click("[data-action=add-links]")
    page.wait_for_selector("[data-download='d2']")
    bodies = [body for body in fake.asked("/downloads") if body]
    assert [body["folder_name"] for body in bodies] == ["loras", "loras"]
    assert page.locator("textarea").count() == 0


def test_the_keyboard_reaches_everything(page: Page, fake: FakeComfy) -> None:
    fake.set(models=[model("a.safetensors", "vae", candidate("hf://o/r/a.safetensors"))])
    open_panel(page, fake)
    page.wait_for_selector("article")
    page.focus("#comfystow-tab-missing")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("() => document.activeElement.id") == "comfystow-tab-downloads"
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("[data-action=plan]")
    for action in ("", "plan", "download-all"):
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.dataset.action ?? ''") == action
    page.keyboard.press("Enter")
    page.wait_for_selector("text=1 on the way")
