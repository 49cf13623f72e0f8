"""The System tab in a browser: readable in every state, one line a GPU where there are many, quiet when nobody looks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from e2e.fake_page import FakeComfy
from e2e.test_panel import _TOO_WIDE, open_panel, violations
from support.browser import shoot

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

GB = 10**9
NOW = time.time()  # of samples and history alike, however long the tests before took


def gpu(index: int, **more: object) -> dict[str, Any]:
    known = {
        "uuid": f"GPU-{index}", "index": index, "name": "NVIDIA GeForce RTX 4090", "parent_uuid": None, "visible": True,
        "utilization_ratio": 0.94, "memory_used_bytes": int(19.8 * GB), "memory_total_bytes": 24 * GB,
        "temperature_celsius": 71.0, "power_watts": 318.4, "throttle_reasons": [], "xid_errors": 0, "last_xid": None,
    }  # fmt: skip
    return {**known, **more}


def system(*gpus: dict[str, Any], note: str | None = None, **more: object) -> dict[str, Any]:
    sample = {
        "taken_at": NOW, "gpus": list(gpus) or None, "gpu_note": note,
        "host": {
            "cores": 8, "cpu_utilization_ratio": 0.31, "memory_used_bytes": int(38.4 * GB), "memory_limit_bytes": 62 * GB,
            "oom_kills": 0,
        },
        "disks": [{"path": "/workspace/a/rather/long/mount", "total_bytes": 200 * GB, "free_bytes": 14 * GB}],
        "network": {"received_bytes_per_second": 148e6, "sent_bytes_per_second": 1e3},
    }  # fmt: skip
    models = [
        {"name": "Flux", "vram_bytes": int(17.2 * GB), "ram_bytes": 0},
        {"name": "FluxClipModel_", "vram_bytes": 0, "ram_bytes": int(4.9 * GB)},
    ]
    torch = {"torch_allocated_bytes": int(17.3 * GB), "torch_reserved_bytes": int(18.9 * GB)}
    alert = {
        "name": "DiskLow",
        "severity": "warning",
        "summary": "/workspace has 7% free",
        "action": "grow the volume",
        "labels": {"path": "/workspace"},
    }
    return {
        "sampling": True, "age_seconds": 0.5, "sample": sample,
        "disk_full_in_seconds": {"/workspace/a/rather/long/mount": 95.0},
        "hosts": [{"server_id": "s", "state": {"loaded_models": models, **torch}}],
        "cost_per_hour": 0.69, "cost_so_far": 2.41, "alerts": [alert], **more,
    }  # fmt: skip


def history() -> dict[str, Any]:
    times = [NOW - 600 + 5 * step for step in range(120)]
    busy = [0.9 if step // 12 % 2 else 0.15 for step in range(120)]
    return {"times": times, "cpu_utilization_ratio": busy, "gpus": {"GPU-0": {"utilization_ratio": busy}}}


STATES = {
    "busy": system(
        gpu(0, throttle_reasons=["power limit"]), gpu(1, utilization_ratio=0.0, memory_used_bytes=4 * 10**8)
    ),
    "eight": system(*(gpu(index) for index in range(8))),
    "broken": system(gpu(0, xid_errors=1, last_xid=79, utilization_ratio=None, memory_used_bytes=None, visible=False)),
    "none": system(note="no NVIDIA driver library here", hosts=[], alerts=[]),
}


def open_system(page: Page, fake: FakeComfy, **options: Any) -> None:
    open_panel(page, fake, **options)
    page.click("#comfystow-tab-system")
    page.wait_for_selector("[role=meter]")


@pytest.mark.parametrize(("palette", "width"), [("dark", 280), ("light", 600), ("old", 280)])
def test_everybody_can_read_every_state(page: Page, fake: FakeComfy, axe: str, palette: str, width: int) -> None:
    for name, state in STATES.items():
        fake.set(system=state, history=history())
        open_system(page, fake, width=width, query=f"&palette={palette}")
        assert violations(page, axe) == [], name
        assert page.evaluate(_TOO_WIDE) == [], name
        shoot(page, f"system-{name}-{palette}-{width}")


def test_many_gpus_take_a_line_each_until_they_are_opened(page: Page, fake: FakeComfy) -> None:
    fake.set(system=STATES["eight"])
    open_system(page, fake)
    assert page.locator("[data-gpu]").count() == 8
    assert page.locator("[data-gpu] canvas").count() == 0
    heights = page.eval_on_selector_all("[data-gpu]", "cards => cards.map((card) => card.offsetHeight)")
    assert max(heights) < 50
    page.click("[data-gpu='GPU-3'] [data-action=fold]")
    page.wait_for_selector("[data-gpu='GPU-3'] canvas")
    assert page.locator("[data-gpu] canvas").count() == 1


def test_two_gpus_are_open_and_can_be_folded(page: Page, fake: FakeComfy) -> None:
    fake.set(system=STATES["busy"])
    open_system(page, fake)
    assert page.locator("[data-gpu] canvas").count() == 2
    page.click("[data-gpu='GPU-1'] [data-action=fold]")
    page.wait_for_function("() => document.querySelectorAll('[data-gpu] canvas').length === 1")
    assert "idle" in page.inner_text("[data-gpu='GPU-1']")


def test_curve_is_drawn_and_nothing_is_animated(page: Page, fake: FakeComfy) -> None:
    fake.set(system=STATES["busy"], history=history())
    open_system(page, fake)
    drawn = """() => {
        const canvas = document.querySelector("[data-spark='GPU-0']");
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return data.some((value) => value > 0);
    }"""
    page.wait_for_function(drawn)
    assert page.evaluate("() => document.getAnimations().length") == 0


def test_text_changes_at_most_once_a_second_and_never_while_nobody_looks(page: Page, fake: FakeComfy) -> None:
    fake.set(system=STATES["busy"])
    open_system(page, fake)
    page.evaluate("""() => {
        window.texts = 0;
        new MutationObserver((seen) => { window.texts += seen.length > 0 ? 1 : 0; })
            .observe(document.querySelector('.comfystow'), { subtree: true, childList: true, characterData: true });
    }""")
    for busy in (0.1, 0.2, 0.3):
        fake.set(system=system(gpu(0, utilization_ratio=busy), gpu(1)))
        page.wait_for_timeout(1000)
    assert page.evaluate("() => window.texts") <= 4
    page.click("#comfystow-tab-downloads")
    page.wait_for_timeout(300)
    asked = len(fake.asked("/system/lease"))
    page.wait_for_timeout(2600)
    assert len(fake.asked("/system/lease")) == asked


def test_models_are_unloaded_by_one_click(page: Page, fake: FakeComfy) -> None:
    fake.set(system=STATES["busy"])
    open_system(page, fake)
    assert "17.2 GB in VRAM" in page.inner_text(".stow-loaded")
    page.click("[data-action=free]")
    page.wait_for_function("() => document.body.innerText.includes('between two prompts')")
    assert fake.asked("/system/free") == [{}]


def test_trouble_is_said_and_what_was_known_stays(page: Page, fake: FakeComfy) -> None:
    fake.set(system=STATES["busy"])
    open_system(page, fake)
    refused = {"status": 503, "code": "engine_unavailable", "message": "the engine does not answer"}
    fake.set(errors={"POST /system/lease": refused})
    page.wait_for_function("() => document.body.innerText.includes('The engine does not answer.')")
    assert page.locator("[data-gpu]").count() == 2


def test_alert_is_told_on_the_page_wherever_somebody_is(page: Page, fake: FakeComfy) -> None:
    open_panel(page, fake)
    alert = {"name": "DownloadFailed", "severity": "warning", "summary": "a download failed: stalled", "action": "look"}
    for resolved_at in (None, 1.0):
        fake.event("comfystow.notice", {"kind": "alert", "alert": {**alert, "labels": {}, "resolved_at": resolved_at}})
    fake.event("comfystow.notice", {"kind": "lost"})
    page.wait_for_function("() => app.toasts.length === 2")
    began, ended = page.evaluate("() => app.toasts")
    assert (began["severity"], began["summary"], began["detail"]) == ("warn", alert["summary"], "look")
    assert ended["severity"] == "success"
    assert ended["summary"] == "Over: a download failed: stalled"


def test_what_fills_a_disk_is_asked_for_by_a_click(page: Page, fake: FakeComfy) -> None:
    path = "/workspace/a/rather/long/mount"
    roots = [
        {"id": 1, "name": "checkpoints", "files": 9, "bytes": 120 * GB},
        {"id": 2, "name": "loras", "files": 1, "bytes": GB},
    ]
    volume = {"path": path, "folders": ["checkpoints", "loras"], "total_bytes": 200 * GB, "free_bytes": 14 * GB,
              "models_bytes": 121 * GB}  # fmt: skip
    fake.set(system=STATES["busy"], history=history(), usage={"roots": roots, "volumes": [volume]})
    open_system(page, fake)
    page.wait_for_selector("text=Torch holds 18.9 GB, 17.3 GB of it in use")
    assert fake.asked("/library/usage") == []
    page.click("[data-action=fills]")
    rows = page.locator(".stow-fills li")
    rows.first.get_by_text("checkpoints, 9 files").wait_for()
    assert [row.replace("\n", " ") for row in rows.all_inner_texts()] == [
        "checkpoints, 9 files 120 GB", "loras, 1 file 1.0 GB", "Everything else 65.0 GB",
    ]  # fmt: skip
    shoot(page, "system-fills")
