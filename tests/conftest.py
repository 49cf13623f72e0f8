"""What all tests share: the checkout as package `comfystow`, a hub, a ComfyUI, a browser."""

from __future__ import annotations

import importlib.util
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

TESTS = Path(__file__).resolve().parent
CHECKOUT = TESTS.parent

sys.path.insert(0, str(TESTS))  # `support` and `hub`
# A shell that starts the tests in the background lets them ignore Ctrl-C, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def _name_the_checkout() -> None:
    """Make `import comfystow` the checkout, whatever its folder is called and whatever is installed."""
    spec = importlib.util.spec_from_file_location(
        "comfystow", CHECKOUT / "__init__.py", submodule_search_locations=[str(CHECKOUT)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["comfystow"] = module
    spec.loader.exec_module(module)


_name_the_checkout()

from hub.server import Hub  # noqa: E402
from support.comfyui import ComfyServer, hub_environment  # noqa: E402
from support.setup.frontend import Frontend  # noqa: E402
from support.setup.workshop import ComfyInstall, Workshop  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--long`."""
    parser.addoption("--long", action="store_true", help="run the tests that are too slow for the merge gate too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long tests out unless they are asked for; they count as deselected, not as skipped."""
    if config.getoption("--long"):
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("long")]


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests out of the user's tokens and state."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "CIVITAI_TOKEN", "CIVITAI_API_KEY", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path_factory.getbasetemp() / "home"
    monkeypatch.setenv("HF_HOME", str(home / "huggingface"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))


# Parts of a machine


@pytest.fixture(scope="session")
def workshop() -> Workshop:
    """Give the set-up: what it makes is made once and kept in the cache."""
    return Workshop()


@pytest.fixture(scope="session")
def comfyui_home(workshop: Workshop) -> ComfyInstall:
    """Give a ComfyUI (`root`), its interpreter with our requirements (`python`) and without (`bare_python`)."""
    return workshop.for_tests()


@pytest.fixture(scope="session", params=["1.32.9", "newest"])
def frontend(request: pytest.FixtureRequest, workshop: Workshop) -> Frontend:
    """Give the pages: ComfyUI 0.3.75's own, and the newest; a test that asks for it runs on both."""
    return workshop.frontend(request.param)


@pytest.fixture(scope="session")
def running_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Give the hub that the whole run shares."""
    with Hub(tmp_path_factory.mktemp("hub-state")) as hub:
        yield hub


@pytest.fixture
def hub(running_hub: Hub) -> Hub:
    """Give the hub with a fresh catalogue and no faults."""
    running_hub.reset()
    return running_hub


# ComfyUI


@pytest.fixture
def start_comfy(
    comfyui_home: ComfyInstall, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., ComfyServer]]:
    """Start servers as a test wants them: `start_comfy(env=…, pack_name=…)`; all end with the test."""
    with ExitStack() as stack:

        def start(*, base: Path | None = None, run: bool = True, **options: Any) -> ComfyServer:
            server = ComfyServer(comfyui_home, base or tmp_path_factory.mktemp("comfyui"), **options)
            stack.callback(server.close)
            return server.start() if run else server

        yield start


@pytest.fixture(scope="module")
def comfy_server(
    comfyui_home: ComfyInstall, workshop: Workshop, running_hub: Hub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ComfyServer]:
    """Give a server with the extension, pointed at the hub; the tests of one file share it."""
    base, pages = tmp_path_factory.mktemp("comfyui"), workshop.frontend("1.32.9")
    with ComfyServer(comfyui_home, base, frontend=pages.root, env=hub_environment(running_hub)) as server:
        yield server


@pytest.fixture(scope="module")
def comfy_on_frontend(
    comfyui_home: ComfyInstall, frontend: Frontend, running_hub: Hub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ComfyServer]:
    """Give a server as `comfy_server`, once with each frontend."""
    base = tmp_path_factory.mktemp("comfyui")
    with ComfyServer(comfyui_home, base, frontend=frontend.root, env=hub_environment(running_hub)) as server:
        yield server


# Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give Chromium. While it is open no test of the same file may be a coroutine: its driver holds the loop."""
    from support.browser import open_browser

    with open_browser() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Give a page of a fresh profile."""
    from support.browser import open_context

    with open_context(browser) as context:
        yield context.new_page()
