"""ComfyUI loads the tree by its path, under any folder name, among other packs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest
from support.comfyui import ComfyServer
from support.probe import write_probe
from support.setup.workshop import ComfyInstall

pytestmark = [pytest.mark.comfyui, pytest.mark.timeout(240)]


@pytest.mark.parametrize("name", ["comfystow", "Comfy-Stow v1.2"])
def test_any_folder_name_loads_beside_foreign_modules(
    name: str, start_comfy: Callable[..., ComfyServer], tmp_path: Path
) -> None:
    variables = write_probe(tmp_path / "custom_nodes", watched=name)
    server = start_comfy(base=tmp_path, pack_name=name, copy=True, env=variables)

    imported = server.import_times()[name]
    assert not imported.failed, server.log_tail()
    scripts = [unquote(path) for path in server.request("GET", "/extensions").json()]
    assert [path for path in scripts if f"/{name}/" in path] == [f"/extensions/{name}/comfystow.js"]
    nodes = server.request("GET", "/object_info").json()
    assert [node for node in nodes.values() if node["category"].startswith("ComfyStow")]
    assert server.stow("GET", "/downloads").status == 200

    probe = server.request("GET", "/stow_probe").json()
    assert probe["kept"] == ["core", "utils", "nodes"]
    assert probe["watched"], "the probe did not see the import"
    assert probe["acts"] == []


def test_a_plain_clone_loads_and_says_in_one_line_what_is_off(
    upstream: Path, start_comfy: Callable[..., ComfyServer], comfyui_home: ComfyInstall, tmp_path: Path, run
) -> None:
    base = tmp_path / "comfyui"
    run("git", "clone", "--quiet", upstream, base / "custom_nodes" / "comfystow")
    server = start_comfy(base=base, pack=None, python=comfyui_home.bare_python)

    assert not server.import_times()["comfystow"].failed, server.log_tail()
    assert server.stow("GET", "/downloads").status == 200
    told = [line for line in server.log.splitlines() if "pip install" in line and "requirements.txt" in line]
    assert len(told) == 1, server.log_tail()
    assert "nvidia-ml-py" in told[0]
    assert "prometheus_client" in told[0]
    # Used and restarted, the clone is still what was cloned.
    server.restart()
    assert run("git", "status", "--porcelain", cwd=base / "custom_nodes" / "comfystow") == ""


def test_with_everything_installed_nothing_is_said_to_be_off(start_comfy: Callable[..., ComfyServer]) -> None:
    server = start_comfy()
    imported = server.import_times()["comfystow"]
    print(f"import time of the extension as ComfyUI prints it: {imported.seconds} s")
    assert not imported.failed, server.log_tail()
    assert "pip install" not in server.log
