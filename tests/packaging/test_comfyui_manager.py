"""What ComfyUI-Manager does to a pack, step by step (its glob/manager_core.py, 3.41).

Install: `git clone` into custom_nodes, each line of requirements.txt by a pip of its own, then `install.py` with the pack
as working folder. Disable: the folder moves out of ComfyUI's sight. Update: `git pull`, requirements and `install.py`
again, and a restart.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.comfyui import ComfyServer, hub_environment
from support.setup.environments import stack_venv
from support.setup.workshop import ComfyInstall

pytestmark = [pytest.mark.comfyui, pytest.mark.timeout(400)]


@pytest.fixture
def python(comfyui_home: ComfyInstall, tmp_path: Path) -> Path:
    """Give an interpreter with ComfyUI's requirements, into which the pack's may be installed."""
    return stack_venv(tmp_path / "venv", comfyui_home.bare_python.parent.parent, tmp_path / "venv.log")


def _install_like_manager(run, python: Path, pack: Path) -> str:
    for line in (pack / "requirements.txt").read_text(encoding="utf-8").splitlines():
        requirement = line.partition("#")[0].strip()
        if requirement:
            run(python, "-m", "pip", "install", "--quiet", requirement)
    return run(python, "install.py", cwd=pack)


def test_install_disable_enable(
    upstream: Path, python: Path, start_comfy: Callable[..., ComfyServer], tmp_path: Path, run
) -> None:
    base = tmp_path / "comfyui"
    pack = base / "custom_nodes" / "comfystow"
    run("git", "clone", "--quiet", upstream, pack)
    assert "not installed" not in _install_like_manager(run, python, pack)
    server = start_comfy(base=base, pack=None, python=python)
    assert not server.import_times()["comfystow"].failed, server.log_tail()
    assert "pip install" not in server.log
    server.stop()

    hidden = pack.rename(pack.with_name("comfystow.disabled"))
    server.log_file.unlink()
    server.start()
    assert "comfystow" not in server.import_times()
    assert server.stow("GET", "/downloads").status == 404
    server.stop()

    hidden.rename(pack)
    server.log_file.unlink()
    server.start()
    assert not server.import_times()["comfystow"].failed, server.log_tail()
    assert server.stow("GET", "/downloads").status == 200
    assert run("git", "status", "--porcelain", cwd=pack) == ""


def test_an_update_while_an_engine_downloads_loses_nothing(
    upstream: Path, python: Path, hub, start_comfy: Callable[..., ComfyServer], tmp_path: Path, run
) -> None:
    base = tmp_path / "comfyui"
    pack = base / "custom_nodes" / "comfystow"
    run("git", "clone", "--quiet", upstream, pack)
    _install_like_manager(run, python, pack)
    server = start_comfy(base=base, pack=None, python=python, env=hub_environment(hub))
    slow = hub.fault("rate", bytes_per_second=100_000)
    url = f"{hub.hf_url}/Comfy-Stow/taesd-demo/resolve/main/taesd.safetensors"
    submitted = server.stow("POST", "/downloads", {"source": url, "folder_name": "vae"})
    assert submitted.status == 202, submitted.body
    download = submitted.json()
    _wait_for(server, download["id"], lambda one: one["bytes_done"] > 0)

    version = upstream / "__init__.py"
    version.write_text(
        version.read_text(encoding="utf-8").replace('__version__ = "', '__version__ = "9.'), encoding="utf-8"
    )
    run("git", "commit", "--quiet", "--all", "--message", "A newer version", cwd=upstream)
    run("git", "pull", "--quiet", cwd=pack)
    _install_like_manager(run, python, pack)
    server.restart()

    hub.clear_faults(slow)
    done = _wait_for(server, download["id"], lambda one: one["state"] in {"completed", "failed"})
    assert done["state"] == "completed", done
    assert (server.models / "vae" / "taesd.safetensors").stat().st_size == done["bytes_total"]
    assert run("git", "status", "--porcelain", cwd=pack) == ""


def _wait_for(server: ComfyServer, download_id: str, reached: Callable[[dict], bool]) -> dict:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        rows = server.stow("GET", "/downloads").json()["downloads"]
        if row := next((row for row in rows if row["id"] == download_id and reached(row)), None):
            return row
        time.sleep(0.1)
    raise AssertionError(f"not reached within 60 s:\n{server.log_tail()}")
