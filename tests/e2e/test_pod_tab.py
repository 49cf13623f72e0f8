"""The Pod tab in a browser: there on a pod only, readable in every state, one click to keep the machine."""

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


def idle(state: str = "watching", **more: object) -> dict[str, Any]:
    unknown = dict.fromkeys(
        ("idle_seconds", "quiet_seconds", "unknown_seconds", "stops_in_seconds", "reason", "result")
    )
    return {
        "mode": "stop", "state": state, **unknown, "timeout_seconds": 1800.0, "grace_seconds": 300.0, "why": "all idle",
        "signals": [], "keep_alive_seconds": 0.0, "problems": [], **more,
    }  # fmt: skip


def machine(**more: object) -> dict[str, Any]:
    return {
        "provider": "runpod", "id": "7h9k2m4n6p", "status": "RUNNING", "gpu": "1 × NVIDIA GeForce RTX 4090",
        "region": "US-KS-2", "locked": False, "survives": "termination", "note": None, "cost_per_hour": 0.69,
        "cost_so_far": 2.41, "saved_this_month": 18.2, "can_stop": True, **more,
    }  # fmt: skip


def service(name: str, title: str, state: str, **more: object) -> dict[str, Any]:
    known = {"reason": None, "port": None, "url": None, "startup_seconds": None, "restarts": 0}
    return {"name": name, "title": title, "state": state, **known, **more}


SERVICES = [
    service("comfyui", "ComfyUI", "ready", port=8188, url="https://x-8188.proxy.runpod.net", startup_seconds=14.0),
    service("jupyter", "JupyterLab", "ready", port=8888, url="https://x-8888.proxy.runpod.net", startup_seconds=3.0),
    service("files", "Files (copyparty)", "backoff", reason="it ended with exit 1", restarts=2),
    service("ssh", "SSH", "off", reason="no key was given (PUBLIC_KEY)"),
    service("extra", "A service with quite a long name of its own", "crash_loop", reason="exit 137", restarts=9),
]
BOOT = [
    {"state": "ok", "what": "Volume", "detail": "/workspace, 212 GB free, MooseFS", "seconds": None},
    {"state": "ok", "what": "Models", "detail": "12: 10 here, 2 fetched, all whole", "seconds": 188.0},
    {"state": "warn", "what": "tcmalloc", "detail": "asked for, not installed: left out", "seconds": None},
    {"state": "off", "what": "SSH", "detail": "no key was given", "seconds": None},
]


def pod(idle_view: dict[str, Any] | None, machine_view: dict[str, Any] | None = None, **more: object) -> dict[str, Any]:
    known = {"present": True, "started_at": time.time() - 7300, "services": SERVICES, "boot": BOOT}
    return {**known, "idle": idle_view, "machine": machine_view if machine_view is not None else machine(), **more}


_BUSY = [{"name": "comfyui", "activity": "active", "words": "1 prompt running, 3 waiting"}]
_DOUBT = [{"name": "jupyter", "activity": "unknown", "words": "its server answers HTTP 403"}]
_FAILED = {"done": False, "words": "RunPod did not stop the pod (tried API v2, GraphQL): HTTP 403", "hint": "unlock it"}
STATES = {
    "idle": pod(idle(idle_seconds=1260.0, stops_in_seconds=520.0)),
    "grace": pod(idle("grace", idle_seconds=1860.0, stops_in_seconds=240.0)),
    "busy": pod(idle(signals=_BUSY)),
    "unknown": pod(idle(signals=_DOUBT, unknown_seconds=900.0), machine(survives=None, cost_so_far=None)),
    "failed": pod(idle("failed", idle_seconds=4000.0, result=_FAILED), machine(note="RunPod did not tell: HTTP 500")),
    "kept": pod(idle(keep_alive_seconds=3480.0)),
    "notify": pod(idle(mode="notify", idle_seconds=4000.0), machine(saved_this_month=0.0)),
    "lifetime": pod(idle("grace", reason="lifetime", stops_in_seconds=100.0)),
    "off": pod(idle("off", mode="off"), machine(provider="vast", survives="stop")),
    "alone": pod(idle("starting"), services=[], boot=[], present=False),
}


def open_pod(page: Page, fake: FakeComfy, **options: Any) -> None:
    open_panel(page, fake, **options)
    page.click("#comfystow-tab-pod")
    page.wait_for_selector("[data-idle]")


@pytest.mark.parametrize(("palette", "width"), [("dark", 280), ("light", 600), ("old", 280)])
def test_everybody_can_read_every_state(page: Page, fake: FakeComfy, axe: str, palette: str, width: int) -> None:
    findings = [
        {"check": "volume", "state": "ok", "what": "it can be written", "what_to_do": None},
        {"check": "token", "state": "warn", "what": "HF_TOKEN has no access to gated repositories",
         "what_to_do": "make one with that right"},
        {"check": "driver", "state": "bad", "what": "the driver is too old for CUDA 13", "what_to_do": "rent another"},
    ]  # fmt: skip
    for name, state in STATES.items():
        if palette != "dark" and name not in {"idle", "unknown", "failed"}:
            continue
        fake.set(pod=state, findings=findings)
        open_pod(page, fake, width=width, query=f"&palette={palette}")
        page.click("[data-action=doctor]")
        page.wait_for_selector("text=1 check good")
        assert violations(page, axe) == [], name
        assert page.evaluate(_TOO_WIDE) == [], name
        shoot(page, f"pod-{name}-{palette}-{width}")


def test_tab_is_there_on_a_pod_only(page: Page, fake: FakeComfy) -> None:
    open_panel(page, fake)
    assert page.locator("#comfystow-tab-pod").count() == 0
    fake.set(pod=STATES["busy"])
    fake.event("comfystow.notice", {"kind": "pod"})
    page.wait_for_selector("#comfystow-tab-pod")
    page.click("#comfystow-tab-pod")
    page.wait_for_selector("text=In use")
    page.keyboard.press("ArrowRight")  # round to the first one
    assert page.get_attribute("#comfystow-tab-missing", "aria-selected") == "true"


def test_one_click_keeps_it_alive(page: Page, fake: FakeComfy) -> None:
    fake.set(pod=pod(idle("grace", idle_seconds=1860.0, stops_in_seconds=240.0)))
    open_pod(page, fake)
    assert page.inner_text("[data-idle] h2").startswith("Idle for 31 min. Stops in ")
    page.click("[data-action=keep-alive]")
    page.wait_for_selector("text=Kept alive for 1 h")
    assert fake.asked("/idle/keep-alive") == [{"seconds": 3600}]
    page.click("[data-action=let-go]")
    page.wait_for_selector("[data-action=keep-alive]")
    assert fake.asked("/idle/keep-alive")[-1] == {"seconds": 0}


def test_countdown_moves_once_a_second_between_answers(page: Page, fake: FakeComfy) -> None:
    fake.set(pod=pod(idle(idle_seconds=1260.0, stops_in_seconds=520.0)))
    open_pod(page, fake)
    seen = set()
    for _ in range(20):
        seen.add(page.inner_text("[data-idle] h2"))
        page.wait_for_timeout(150)
    assert {"Idle for 21 min. Stops in 8:40", "Idle for 21 min. Stops in 8:39"} & seen
    assert 2 <= len(seen) <= 5


def test_services_are_started_and_opened(page: Page, fake: FakeComfy) -> None:
    fake.set(pod=STATES["busy"])
    open_pod(page, fake)
    assert page.inner_text("#comfystow-tab-pod i") == "2"
    assert page.get_attribute("[data-service=jupyter] a", "href") == "https://x-8888.proxy.runpod.net"
    assert page.locator("[data-service=comfyui] a").count() == 0
    page.click("[data-service=extra] [data-action=start]")
    page.wait_for_timeout(100)
    assert fake.asked("/pod/services/extra/start") == [{}]


def test_strangers_words_are_text_and_their_links_are_web_addresses(page: Page, fake: FakeComfy) -> None:
    evil = "<img src=x onerror='window.owned=1'>"
    rows = [service("jupyter", evil, "ready", url="javascript:alert(1)"), service("b", "b", "unhealthy", reason=evil)]
    fake.set(pod=pod(idle(signals=[{"name": "x", "activity": "active", "words": evil}]), services=rows))
    open_pod(page, fake)
    assert page.locator(".comfystow img").count() == 0
    assert page.locator("[data-service=jupyter] a").count() == 0
