"""The Library tab in a browser: found by what a file is, smooth with ten thousand rows, plans before changes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from e2e.fake_page import FakeComfy, download
from e2e.test_panel import _TOO_WIDE, open_panel, violations
from support.browser import shoot

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

GB = 10**9


def file(number: int, name: str, folder: str, base: str | None, **more: object) -> dict[str, Any]:
    known = {
        "id": number, "name": name, "relative_path": name, "folder": folder, "belongs_in": folder, "root": 1,
        "kind": folder, "base_model": base, "precision": "fp8_e4m3fn", "parameters": 11_900_000_000,
        "size_bytes": int(17.2 * GB), "vram_bytes": int(17.2 * GB), "sha256": "ab" * 32, "source": "hf://o/r@main/x",
        "verified": "digest", "damaged": None, "available": True, "added_at": 1.0, "last_used_at": None, "links": 1,
    }  # fmt: skip
    return {**known, **more}


def files() -> list[dict[str, Any]]:
    now = time.time()
    return [
        file(1, "flux1-dev-fp8.safetensors", "checkpoints", "Flux", last_used_at=now - 3600),
        file(2, "portrait-detail-v2-with-a-rather-long-name-of-its-own.safetensors", "loras", "Flux", source=None),
        file(3, "pixelwave-flux.safetensors", "diffusion_models", "Flux", damaged="cut off: 6.1 of 11.9 GB"),
        file(4, "ae.safetensors", "vae", "Flux", links=2, last_used_at=now - 9 * 86400, size_bytes=335_000_000),
        file(5, "sdxl.safetensors", "checkpoints", "SDXL", base_model="SDXL"),
        file(6, "wan.safetensors", "diffusion_models", "Wan"),
        file(7, "mystery.safetensors", "loras", None, precision=None, parameters=None, vram_bytes=None, sha256=None),
    ]


def plan(actions: int = 9) -> dict[str, Any]:
    rows = [
        {"number": number, "action": "replace", "from": f"/models/loras/copy-{number}.safetensors",
         "to": f"/models/loras/a/{number}.sft",
         "method": "hard", "bytes": GB, "reason": "the same content", "conflict": None, "evidence": None, "note": None}
        for number in range(actions)
    ]  # fmt: skip
    left = {"action": "leave", "from": "/downloads/x.safetensors", "to": None, "method": None, "bytes": GB,
            "reason": "", "conflict": "another file has this name; choose one", "evidence": None, "note": None}  # fmt: skip
    return {
        "id": "p1", "kind": "dedupe", "title": "Link 9 files that are held twice", "state": "planned",
        "actions": [*rows, left], "bytes": 0, "saved_bytes": 38 * GB, "conflicts": 1, "total": actions, "done": 0,
        "skipped": 0, "failed": 0, "created_at": time.time(), "ended_at": None, "undone_by": None,
        "problems": [{"path": "/downloads/locked", "reason": "cannot be read"}],
    }  # fmt: skip


def library(rows: list[dict[str, Any]], **totals: object) -> dict[str, Any]:
    roots = [
        {"id": number, "name": name, "folders": [name], "available": True}
        for number, name in ((1, "loras"), (2, "vae"))
    ]
    return {"files": rows, "totals": totals, "roots": roots, "plan": plan(), "changes": []}


def open_library(page: Page, fake: FakeComfy, **options: Any) -> None:
    open_panel(page, fake, **options)
    page.click("#comfystow-tab-library")
    page.wait_for_selector(".stow-search")


@pytest.mark.parametrize(("palette", "width"), [("dark", 280), ("light", 600), ("old", 372)])
def test_everybody_can_read_every_state(page: Page, fake: FakeComfy, axe: str, palette: str, width: int) -> None:
    fake.set(library=library(files(), duplicates_bytes=38 * GB))
    open_library(page, fake, width=width, query=f"&palette={palette}")
    page.click("[data-file='1'] .stow-row")
    page.wait_for_selector(".stow-detail")
    page.click("[data-action=organise]")
    assert violations(page, axe) == []
    assert page.evaluate(_TOO_WIDE) == []
    shoot(page, f"library-{palette}-{width}")
    page.click("[data-action=organise]")
    page.click("[data-action=dedupe]")
    page.wait_for_selector(".stow-actions")
    assert violations(page, axe) == []
    assert page.evaluate(_TOO_WIDE) == []
    shoot(page, f"library-plan-{palette}-{width}")


def test_ten_thousand_rows_scroll_without_a_long_task(page: Page, fake: FakeComfy) -> None:
    fake.set(
        library=library([file(number, f"model-{number:05}.safetensors", "loras", "Flux") for number in range(10_000)])
    )
    open_library(page, fake)
    page.wait_for_selector("[data-file='0']")
    assert page.locator(".stow-rows > li").count() < 80
    longest = page.evaluate(
        """async () => {
            const main = document.querySelector('.stow-main');
            let longest = 0;
            new PerformanceObserver((list) => list.getEntries().forEach((e) => longest = Math.max(longest, e.duration)))
                .observe({ entryTypes: ['longtask'] });
            for (let step = 1; step <= 200; step += 1) {
                main.scrollTop = step * 2500;
                await new Promise((done) => requestAnimationFrame(done));
            }
            return longest;
        }"""
    )
    print(f"longest task while scrolling: {longest:.0f} ms (0: none above 50 ms)")
    page.wait_for_selector("[data-file='9800']")
    page.evaluate("() => { const main = document.querySelector('.stow-main'); main.scrollTop = main.scrollHeight }")
    page.wait_for_selector("[data-file='9999']")
    assert page.locator(".stow-rows > li").count() < 80
    assert page.get_attribute("[data-file='9999']", "aria-posinset") == "10000"


def test_words_and_chips_find_files(page: Page, fake: FakeComfy) -> None:
    fake.set(library=library(files()))
    open_library(page, fake)
    page.wait_for_selector("[data-file='6']")
    page.fill("input[type=search]", "detail portrait")
    page.wait_for_selector("[data-file='1']", state="detached")
    assert page.locator("[data-file]").count() == 1
    page.fill("input[type=search]", "nothing like it")
    page.click("[data-action=show-all]")
    page.wait_for_selector("[data-file='6']")
    assert page.input_value("input[type=search]") == ""
    page.click("text=Flux >> nth=0")
    page.wait_for_selector("[data-file='5']", state="detached")
    assert page.get_attribute(".stow-choice >> nth=0", "aria-pressed") == "true"
    page.click("[data-action=show-damaged]")
    page.wait_for_selector("[data-file='1']", state="detached")
    assert "Cut off" in page.inner_text("[data-file='3']")


def test_a_plan_is_shown_before_anything_changes_and_can_be_taken_back(page: Page, fake: FakeComfy) -> None:
    fake.set(library=library(files(), duplicates_bytes=38 * GB))
    open_library(page, fake)
    page.click("[data-action=dedupe]")
    page.wait_for_selector(".stow-actions >> text=copy-3")
    assert fake.asked("/library/dedupe") == [{"apply": False}]
    assert "Another file has this name; choose one." in page.inner_text(".stow-actions")
    page.click("[data-action=apply]")
    page.wait_for_selector("[data-action=undo]")
    assert fake.asked("/library/dedupe")[-1] == {"apply": "p1"}
    assert page.locator("[data-tidy]").count() == 0
    page.click("[data-action=undo]")
    page.wait_for_selector("[data-action=undo]", state="detached")
    assert fake.asked("/library/undo") == [{"id": "p1"}]


def test_a_folder_is_organised_by_a_plan(page: Page, fake: FakeComfy) -> None:
    fake.set(library=library(files()))
    open_library(page, fake)
    page.click("[data-action=organise]")
    page.wait_for_selector("#stow-organise:focus")
    page.keyboard.type("/workspace/downloads")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-action=apply]")
    assert fake.asked("/library/organise") == [{"directory": "/workspace/downloads", "apply": False}]
    page.click("[data-action=forget]")
    page.wait_for_selector(".stow-actions", state="detached")


def test_a_file_that_came_by_hand_shows_by_itself(page: Page, fake: FakeComfy) -> None:
    fake.set(library=library(files()))
    open_library(page, fake)
    page.wait_for_selector("[data-file='6']")
    fake.set(library=library([*files(), file(8, "new.safetensors", "vae", "Flux")]))
    fake.event("comfystow.library", {"folders": ["vae"]})
    page.wait_for_selector("[data-file='8']")


def test_trouble_is_said(page: Page, fake: FakeComfy) -> None:
    refused = {"status": 503, "code": "engine_unavailable", "message": "the engine does not answer"}
    fake.set(errors={"GET /library": refused})
    open_panel(page, fake)
    page.click("#comfystow-tab-library")
    page.wait_for_selector("text=The engine does not answer.")
    fake.set(errors={}, library=library(files()))
    page.click("[data-action=read-again]")
    page.wait_for_selector("[data-file='1']")


def test_a_damaged_file_is_fetched_again_from_its_source(page: Page, fake: FakeComfy) -> None:
    fake.set(library=library(files()))
    open_library(page, fake)
    page.click("[data-file='3'] .stow-row")
    page.click("[data-file='3'] [data-action=repair]")
    page.wait_for_selector("[data-download='d1']")
    assert fake.asked("/library/delete") == [{"apply": False, "ids": [3]}, {"apply": "p1"}]
    assert fake.asked("/downloads")[-1]["source"] == "hf://o/r@main/x"


def test_origins_are_looked_for_on_request_and_the_work_can_be_stopped(page: Page, fake: FakeComfy) -> None:
    fake.set(library=library(files()))
    open_library(page, fake)
    page.click("text=Unknown origin")
    reading = {"purpose": "hash", "files_done": 3, "files_total": 12, "bytes_done": 4 * GB, "bytes_total": 22 * GB}
    work = {"verify": {"running": False}, "identify": {"running": True, "report": None}}
    fake.set(library={**library(files()), "work": {**work, "reading": {**reading, "held": False}}})
    page.click("[data-action=identify]")
    page.wait_for_selector("text=Reading 3 of 12 files, 4.0 of 22.0 GB.")
    fake.set(library=library(files()))
    page.click("[data-action=stop-work]")
    page.wait_for_selector("[data-action=stop-work]", state="detached")
    assert fake.asked("/library/cancel") == [{}]


def test_a_plan_that_takes_long_tells_how_far_it_is_and_can_be_stopped(page: Page, fake: FakeComfy) -> None:
    long = {"done": 1200, "total": 30_000, "stopped": False}
    fake.set(library={**library(files(), duplicates_bytes=38 * GB), "job": long})
    open_library(page, fake)
    page.click("[data-action=dedupe]")
    page.wait_for_selector("text=Looked at 1,200 of 30,000 files; nothing is changed by it")
    page.dblclick("[data-action=stop]")
    page.wait_for_selector("[data-action=dedupe]")
    assert fake.asked("/library/changes/p1/cancel") == [{}]
    assert page.locator("[role=alert]").count() == 0


def test_a_choice_that_only_a_person_can_make_is_made_in_the_plan(page: Page, fake: FakeComfy, axe: str) -> None:
    left = {"action": "leave", "method": None, "bytes": GB, "reason": "", "evidence": None, "note": None}
    rows = [
        {**left, "from": "/downloads/odd.safetensors", "to": None, "conflict": "nothing tells what it is: choose a folder"},
        {**left, "from": "/downloads/ae.safetensors", "to": "/models/vae/ae.safetensors",
         "conflict": "another content is there; `ae-1.safetensors` is free"},
    ]  # fmt: skip
    known = {**plan(2), "kind": "organise", "title": "Organise downloads"}
    known["actions"] = [*known["actions"][:2], *rows]
    fake.set(library={**library(files()), "plan": known})
    open_library(page, fake)
    page.click("[data-action=organise]")
    page.wait_for_selector("#stow-organise:focus")
    page.keyboard.type("/downloads")
    page.keyboard.press("Enter")
    page.wait_for_selector(".stow-actions select")
    assert "odd.safetensors" in page.inner_text(".stow-actions li >> nth=0")
    assert violations(page, axe) == []
    shoot(page, "library-choice")
    page.select_option(".stow-actions select", "vae")
    page.wait_for_selector("[data-action=keep-both]")
    page.click("[data-action=keep-both]")
    page.wait_for_selector("[data-action=apply]")
    asked = fake.asked("/library/organise")
    assert [body.get("choose") for body in asked] == [None, {"odd.safetensors": "vae"}, {"odd.safetensors": "vae"}]
    assert (asked[-1]["directory"], asked[-1]["clash"]) == ("/downloads", "rename")


def test_want_of_space_leads_to_a_plan_that_frees_some(page: Page, fake: FakeComfy) -> None:
    error = {"code": "not_enough_space", "message": "the disk is full", "hint": None, "retryable": False}
    shelf = {**library(files()), "trash": 12 * GB}
    fake.set(library=shelf, downloads=[download("1", "a.safetensors", "vae", "failed", error=error)])
    open_panel(page, fake)
    page.click("#comfystow-tab-downloads")
    page.click("[data-download='1'] [data-action=room]")
    page.wait_for_selector("#stow-prune:focus")
    page.keyboard.type("80.5")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-action=apply]")
    assert fake.asked("/library/prune") == [{"to_bytes": 80_500_000_000, "apply": False}]
    assert "free once the trash is emptied" in page.inner_text("[data-change]")
    page.click("[data-action=apply]")
    page.wait_for_selector("[data-action=undo]")
    page.click("[data-change] [data-action=empty-trash]")
    page.wait_for_selector("text=Delete for good")
    page.click("[data-action=forget]")
    page.click("[data-action=prune]")
    page.wait_for_selector("text=The trash holds 12.0 GB.")
    page.click("form [data-action=empty-trash]")
    page.wait_for_selector("text=Delete for good")
    page.click("[data-action=apply]")
    page.wait_for_selector("text=Delete for good", state="detached")
    assert fake.asked("/library/trash/empty") == [{"apply": False}, {"apply": False}, {"apply": "p1"}]
