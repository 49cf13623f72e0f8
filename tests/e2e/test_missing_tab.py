"""The sub-tab Missing before the click: plan, obstacles, fit, finds on the hubs, a smaller file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from e2e.fake_page import FakeComfy, candidate, fit_of, model, plan_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

LARGE = model("flux1-dev-fp8.safetensors", "checkpoints", candidate("hf://Comfy-Org/flux1-dev/x"))
GATED = model("gated.safetensors", "loras", candidate("civitai://618692@691639"))
LICENSED = model("licensed.safetensors", "loras", candidate("hf://BFL/gated/x"))
LINKED = model("ae.safetensors", "vae", candidate("hf://o/r/ae.safetensors"))


def open_panel(page: Page, fake: FakeComfy) -> None:
    page.set_viewport_size({"width": 401, "height": 1400})
    page.goto(f"{fake.url}/?width=400")
    page.wait_for_selector("body[data-ready]")
    page.wait_for_selector("article")


def test_what_stands_in_the_way_is_said_before_the_click(page: Page, fake: FakeComfy) -> None:
    models = [LARGE, GATED, LICENSED, LINKED]
    fake.set(models=models, plan=plan_of(models), fit=fit_of("fits"))
    open_panel(page, fake)
    page.wait_for_selector("text=17.2 GB to fetch")
    page.wait_for_selector("text=195 GB free after")
    page.wait_for_selector("text=Fits: needs 17.3 GB of 24.0 GB of VRAM.")
    gated = page.locator("[data-model='gated.safetensors']")
    assert gated.locator("[data-action=token]").count() == 1
    assert gated.locator("[data-action=download]").count() == 0
    assert "licence accepted" in page.locator("[data-model='licensed.safetensors']").inner_text()
    assert "nothing is fetched" in page.locator("[data-model='ae.safetensors']").inner_text()
    assert page.locator("[data-model='ae.safetensors'] [data-action=download]").count() == 1
    page.click("[data-action=plan]")
    page.wait_for_selector("text=1 file to fetch, 17.2 GB")
    assert len(fake.asked("/downloads")) == 1  # the list alone: nothing was begun


def test_a_token_is_set_before_the_click_and_the_plan_is_made_anew(page: Page, fake: FakeComfy) -> None:
    models = [LARGE, GATED]
    fake.set(models=models, plan=plan_of(models))
    open_panel(page, fake)
    page.click("[data-model='gated.safetensors'] [data-action=token]")
    page.wait_for_selector("input[type=password]:focus")
    fake.set(plan=None)
    page.keyboard.type("secret")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-model='gated.safetensors'] [data-action=download]")
    assert fake.asked("/credentials/civitai") == [{"token": "secret"}]


def test_no_room_is_said_in_the_head(page: Page, fake: FakeComfy) -> None:
    plan = plan_of([LARGE])
    plan["volumes"][0] |= {"free_bytes": 5_000_000_000, "free_after_bytes": -12_000_000_000, "fits": False}
    fake.set(models=[LARGE], plan=plan | {"fits": False})
    open_panel(page, fake)
    page.wait_for_selector("text=only 5.0 GB free")


def test_hubs_are_asked_by_a_click_and_a_find_can_be_taken(page: Page, fake: FakeComfy) -> None:
    find = candidate("civitai://1@2?file=3", "likely", 228_000_000)
    fake.set(
        models=[model("nobody-knows.safetensors", "loras")], candidates=[{**find, "licence": "mit", "gated": True}]
    )
    open_panel(page, fake)
    assert fake.asked("/workflow/candidates") == []
    page.click("[data-action=find]")
    page.wait_for_selector("text=228 MB · mit · asks for a login or a licence")
    page.click(".stow-choices [data-action=download]")
    page.wait_for_selector("text=Waiting")
    assert fake.asked("/downloads")[-1]["source"] == "civitai://1@2?file=3"


def test_hubs_that_know_nothing_leave_the_link_to_be_given(page: Page, fake: FakeComfy) -> None:
    fake.set(models=[model("nobody-knows.safetensors", "loras")])
    open_panel(page, fake)
    page.click("[data-action=find]")
    page.wait_for_selector("text=Neither Hugging Face nor Civitai has a file of this name")
    assert page.locator("[data-action=find]").count() == 0
    assert page.locator("[data-action=link]").count() == 1


def test_a_smaller_file_is_offered_where_the_gpu_is_too_small(page: Page, fake: FakeComfy) -> None:
    fake.set(models=[LARGE], fit=fit_of("too_large"))
    open_panel(page, fake)
    page.wait_for_selector("text=Too large for 12.0 GB of VRAM")
    assert page.locator("[data-action=smaller]").count() == 1  # a GGUF needs another loader, and has no button
    page.click("[data-action=smaller]")
    page.wait_for_timeout(200)
    assert fake.asked("/downloads")[-1]["filename"] == "flux1-dev-nf4.safetensors"


def test_sources_are_offered_when_all_models_are_here(page: Page, fake: FakeComfy) -> None:
    here = model("a.safetensors", "vae", state="present")
    source = {
        "name": "a.safetensors",
        "url": "https://x",
        "directory": "vae",
        "hash": None,
        "nodes": ["1"],
        "adds": "address",
    }
    fake.set(models=[here], sources=[source])
    page.set_viewport_size({"width": 401, "height": 800})
    page.goto(f"{fake.url}/?width=400")
    page.wait_for_selector("text=Save sources into this workflow")
    page.wait_for_selector("text=1 of its models comes from")
