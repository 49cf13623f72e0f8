"""The panel over time, on a stand-in for ComfyUI: pages that nobody sees, engines that come back, workflows that change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from e2e.fake_page import FakeComfy, candidate, download, model
from e2e.test_library_tab import file, library
from e2e.test_panel import _TOO_WIDE, open_panel, violations
from e2e.test_pod_tab import STATES as PODS
from e2e.test_system_tab import STATES as MACHINES
from support.browser import shoot

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

AWAY = {"status": 503, "code": "engine_unavailable", "message": "the engine does not answer", "hint": "wait a moment",
        "retryable": True}  # fmt: skip
#: Names that strangers gave: long, from right to left, with what cannot be seen or turns words around, like HTML.
ODD = [
    "a_name_that_somebody_could_not_stop_typing_v12_final_final_fp8_e4m3fn_scaled.safetensors",
    "نموذج-عربي-طويل-جدا.safetensors", "🦊✨日本語モデル名.safetensors", "<script>alert(1)</script>.safetensors",
    "a\nb\tc.safetensors", "photo\u202egnp.exe", "x", "sub\\dir/" + "é" * 200 + ".pt",
]  # fmt: skip

_TABS = {"library": "[data-file]", "system": "[data-gpu]", "pod": "[data-idle]", "missing": "article",
         "downloads": "[data-action=limits]"}  # fmt: skip
_TOGGLE = "app.extensionManager.command.execute('Workspace.ToggleSidebarTab.comfystow')"


def hide(page: Page, hidden: bool) -> None:
    """Let the page believe that it is in the background, or in sight again."""
    page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
            document.dispatchEvent(new Event('visibilitychange'));
        }""",
        hidden,
    )


@pytest.mark.parametrize("width", [280, 600])
def test_names_of_strangers_break_nothing(page: Page, fake: FakeComfy, axe: str, width: int) -> None:
    models = [model(name, "loras", candidate("hf://o/r/x")) for name in ODD]
    fake.set(
        models=models,
        downloads=[download(str(number), name, "loras", "running") for number, name in enumerate(ODD)],
        library=library([file(number, name, "loras", name) for number, name in enumerate(ODD)]),
    )
    open_panel(page, fake, width=width, height=1400)
    for tab, selector in (("missing", "article"), ("downloads", "[data-download]"), ("library", "[data-file='7']")):
        page.click(f"#comfystow-tab-{tab}")
        page.wait_for_selector(f"{selector} >> nth=0")
        assert violations(page, axe) == [], tab
        assert page.evaluate(_TOO_WIDE) == [], tab
        assert "\u202e" not in page.inner_text(".stow-main")
        shoot(page, f"odd-{tab}-{width}")
    heights = page.eval_on_selector_all("[data-file]", "rows => rows.map((row) => row.getBoundingClientRect().height)")
    assert set(heights) == {51}
    assert page.locator(".comfystow script").count() == 0


def test_five_hundred_openings_leave_nothing_behind(page: Page, fake: FakeComfy) -> None:
    fake.set(
        models=[model(f"{number}.safetensors", "vae") for number in range(20)],
        library=library([file(number, f"{number}.safetensors", "loras", "Flux") for number in range(200)]),
        system=MACHINES["busy"], pod=PODS["idle"],
    )  # fmt: skip
    open_panel(page, fake)
    page.locator("#comfystow-tab-pod").wait_for()
    session = page.context.new_cdp_session(page)

    def left(times: int) -> tuple[int, int]:
        """Open and close it so often on each of five tabs; count what is left when it stands on the last one."""
        for tab, selector in _TABS.items():
            page.click(f"#comfystow-tab-{tab}")
            page.locator(selector).first.wait_for(state="attached")  # a handle of an element would keep its tree
            page.evaluate(f"(times) => {{ for (; times > 0; times -= 1) {{ {_TOGGLE}; {_TOGGLE}; }} }}", times)
        return settled()

    def settled() -> tuple[int, int]:
        """Count until answers that were still on their way hold nothing any more."""
        session.send("HeapProfiler.collectGarbage")
        counted = session.send("Memory.getDOMCounters")
        page.wait_for_timeout(300)
        session.send("HeapProfiler.collectGarbage")
        again = session.send("Memory.getDOMCounters")
        return (again["nodes"], again["jsEventListeners"]) if again == counted else settled()

    first, last = left(2), left(100)
    assert last[0] <= first[0] + 50
    assert last[1] <= first[1] + 10


def test_a_page_that_nobody_sees_asks_for_nothing(page: Page, fake: FakeComfy) -> None:
    rows = [file(number, f"{number}.safetensors", "loras", "Flux") for number in range(9)]
    fake.set(library=library(rows, scanning={"done": 1, "total": 9}), system=MACHINES["busy"], pod=PODS["idle"])
    fake.set(errors={"GET /downloads": AWAY})
    open_panel(page, fake)
    page.wait_for_selector("#comfystow-tab-pod")
    for tab, selector in (("library", "[data-file]"), ("system", "[data-gpu]")):
        page.click(f"#comfystow-tab-{tab}")
        page.wait_for_selector(selector)
        hide(page, True)
        page.wait_for_timeout(300)  # what was on its way
        before = len(fake.requests())
        fake.event("comfystow.library", {"folders": ["loras"]})
        page.wait_for_timeout(2300)
        assert [request["path"] for request in fake.requests()[before:]] == [], tab
        hide(page, False)
        page.wait_for_timeout(300)
        assert len(fake.requests()) > before, tab


def test_an_engine_that_is_away_takes_nothing_from_the_page_and_comes_back(page: Page, fake: FakeComfy) -> None:
    fake.set(
        models=[model("a.safetensors", "vae", candidate("hf://o/r/a.safetensors"))],
        library=library([file(1, "b.safetensors", "loras", "Flux")]),
    )
    open_panel(page, fake)
    page.wait_for_selector("article")
    away = dict.fromkeys(("POST /workflow/missing", "GET /downloads", "GET /library", "POST /downloads"), AWAY)
    fake.set(errors=away)
    fake.event("comfystow.notice", {"kind": "lost"})
    page.get_by_role("alert").get_by_text("The engine does not answer. Wait a moment.").wait_for()
    page.click("[data-model='a.safetensors'] [data-action=download]")
    page.wait_for_selector("[data-model='a.safetensors'] [role=alert]")
    page.click("#comfystow-tab-library")
    page.wait_for_selector("text=The engine does not answer. Wait a moment.")
    fake.set(errors={})
    page.wait_for_selector("[data-file='1']")
    page.click("#comfystow-tab-missing")
    page.wait_for_selector("[data-action=recheck]", state="detached")
    page.click("[data-model='a.safetensors'] [data-action=download]")
    page.wait_for_selector("[data-model='a.safetensors'] >> text=Waiting")


def test_another_workflow_never_shows_the_models_of_the_last_one(page: Page, fake: FakeComfy) -> None:
    fake.set(models=[model("a.safetensors", "vae", candidate("hf://o/r/a.safetensors"))])
    open_panel(page, fake)
    page.wait_for_selector("[data-model='a.safetensors']")
    late = {"POST /workflow/missing": 1200, "POST /plan": 1200}
    fake.set(models=[model("b.safetensors", "vae", candidate("hf://o/r/b.safetensors"))], delays=late)
    page.evaluate("() => app.open({id: 'other', nodes: [{id: 1, type: 'x', widgets_values: ['b.safetensors']}]})")
    page.wait_for_selector("text=Looking at the open workflow")
    assert page.locator("[data-model]").count() == 0
    page.wait_for_selector("[data-model='b.safetensors']")
    fake.set(models=[model("c.safetensors", "vae", candidate("hf://o/r/c.safetensors"))], delays={})
    page.evaluate("() => app.open({id: 'third', nodes: [{id: 1, type: 'x', widgets_values: ['c.safetensors']}]})")
    page.wait_for_selector("[data-model='c.safetensors']")
    page.wait_for_timeout(1300)  # the plan of the one before comes now
    assert page.locator("[data-model]").count() == 1
    assert fake.asked("/plan")[-1]["downloads"][0]["filename"] == "c.safetensors"


def test_two_pages_of_one_server_say_the_same(page: Page, fake: FakeComfy) -> None:
    running = download("1", "a.safetensors", "vae", "running", bytes_done=82_000_000)
    fake.set(downloads=[running, download("2", "b.safetensors", "vae", "queued", position=2.0)])
    other = page.context.new_page()
    for one in (page, other):
        open_panel(one, fake)
        one.click("#comfystow-tab-downloads")
        one.wait_for_selector("[data-download='1'][data-state=running]")
    page.click("[data-download='1'] [data-action=pause]")
    page.wait_for_selector("[data-download='1'][data-state=paused]")
    fake.event("comfystow.downloads", {"downloads": [{**running, "state": "paused"}]})
    other.wait_for_selector("[data-download='1'][data-state=paused]")
    other.close()


def test_the_secret_is_given_once_and_everything_is_read_then(page: Page, fake: FakeComfy, axe: str) -> None:
    fake.set(secret="right", models=[model("a.safetensors", "vae")], pod=PODS["idle"], system=MACHINES["busy"])
    open_panel(page, fake)
    page.wait_for_selector("[data-card=lock] input:focus")
    page.click("#comfystow-tab-system")  # it asks again and again
    assert violations(page, axe) == []
    shoot(page, "lock")
    for secret, then in (("wrong", "text=That is not it"), ("right", "#comfystow-tab-pod")):
        page.fill("[data-card=lock] input", secret)
        page.keyboard.press("Enter")
        page.wait_for_selector(then)
    page.wait_for_selector("[data-gpu]")
    page.click("#comfystow-tab-missing")
    page.wait_for_selector("[data-model='a.safetensors']")
    assert page.locator("[data-card=lock]").count() == 0


def test_limits_are_kept_and_what_the_environment_holds_is_not_changed(page: Page, fake: FakeComfy, axe: str) -> None:
    names = ("limit_rate_bytes_per_second", "parallel_downloads", "free_space_floor_bytes", "pause_while_generating")
    known: list[dict[str, Any]] = [
        {"name": name, "value": value, "default": value, "doc": "", "set_by": None}
        for name, value in zip(names, (None, 3, 2e9, False), strict=True)
    ]
    known[2]["set_by"] = "COMFYSTOW_FREE_SPACE_FLOOR_BYTES"
    fake.set(settings=known)
    open_panel(page, fake)
    page.click("#comfystow-tab-downloads")
    page.click("[data-action=limits]")
    page.wait_for_selector("#stow-limit_rate_bytes_per_second:focus")
    page.keyboard.type("2.5")
    page.check("input[type=checkbox]")
    assert page.is_disabled("#stow-free_space_floor_bytes")
    assert violations(page, axe) == []
    assert page.evaluate(_TOO_WIDE) == []
    shoot(page, "limits")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=At most 2.5 MB/s…")
    assert fake.asked("/settings")[-1] == {
        "settings": {"limit_rate_bytes_per_second": 2_500_000, "pause_while_generating": True}
    }
    page.click("[data-action=limits]")
    page.fill("#stow-limit_rate_bytes_per_second", "")
    fake.set(
        errors={"PUT /settings": {"code": "config", "message": "the file cannot be written", "hint": "free some space"}}
    )
    page.click("[data-action=limits-save]")
    page.wait_for_selector("text=The file cannot be written. Free some space.")
