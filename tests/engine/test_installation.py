"""What a command works on, and what a real ComfyUI says of its folders."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from comfystow.core.engine import installation
from comfystow.core.engine.installation import Installation, LayoutQuestion, bare_layout, find_installation
from comfystow.core.errors import EngineError, UsageError
from support.setup.workshop import ComfyInstall


@pytest.fixture
def comfyui(tmp_path: Path) -> Path:
    """Give a folder that looks like an installation."""
    root = tmp_path / "ComfyUI"
    for folder in ("comfy", "models/loras", "custom_nodes/pack"):
        (root / folder).mkdir(parents=True)
    (root / "folder_paths.py").touch()
    return root


def test_installation_is_found_from_any_folder_inside_it(comfyui: Path) -> None:
    for inside in (comfyui, comfyui / "models" / "loras", comfyui / "custom_nodes" / "pack"):
        found = find_installation(folder=inside)
        assert (found.comfyui, found.models_dir) == (comfyui, None)
        assert found.state_dir == comfyui / "user" / "__comfystow"


def test_bare_tree_keeps_its_state_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "models" / "vae").mkdir(parents=True)
    environment = {"XDG_STATE_HOME": str(tmp_path / "state")}
    found = find_installation(folder=tmp_path / "models" / "vae", environment=environment)
    assert found.models_dir == tmp_path / "models"
    assert found.state_dir.parent == tmp_path / "state" / "comfystow"
    assert find_installation(models_dir=tmp_path / "models", environment=environment) == found


def test_what_is_named_beats_what_is_found(comfyui: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    found = find_installation(models_dir=other, state_dir=tmp_path / "s", folder=comfyui)
    assert found == Installation(state_dir=tmp_path / "s", models_dir=other)


def test_names_that_lead_nowhere_are_refused(comfyui: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no ComfyUI"):
        find_installation(comfyui=tmp_path)
    with pytest.raises(UsageError, match="there is no folder"):
        find_installation(models_dir=tmp_path / "nothing")
    with pytest.raises(UsageError, match="exclude each other"):
        find_installation(comfyui=comfyui, models_dir=tmp_path)
    with pytest.raises(UsageError, match="no ComfyUI here"):
        find_installation(folder=tmp_path)


def test_bare_layout_has_standard_folders_and_what_else_lies_there(tmp_path: Path) -> None:
    for name in ("ultralytics", "custom_nodes", ".hidden", "unet"):
        (tmp_path / name).mkdir()
    layout = bare_layout(tmp_path)
    assert layout.destination("loras") == tmp_path / "loras"
    assert layout.destination("unet") == layout.destination("diffusion_models") == tmp_path / "diffusion_models"
    assert layout.destination("ultralytics") == tmp_path / "ultralytics"
    assert not {"custom_nodes", ".hidden", "unet", "clip"} & set(layout.folders)


# A real one


@pytest.fixture
def real(comfyui_home: ComfyInstall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the part of a real ComfyUI that knows its folders, in a place of its own."""
    root = tmp_path / "real"
    for name in ("folder_paths.py", "comfy/cli_args.py", "comfy/options.py", "utils/extra_config.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(comfyui_home.root / name, root / name)
    monkeypatch.setattr(installation, "interpreter_of", lambda _: str(comfyui_home.python))
    return root


def test_real_folder_paths_tell_all_folders_without_torch(real: Path) -> None:
    layout = LayoutQuestion(find_installation(comfyui=real)).answer()  # no torch and no nodes are there to import
    assert layout.base_path == real
    assert layout.folders["diffusion_models"].directories[:2] == (
        real / "models" / "unet",
        real / "models" / "diffusion_models",
    )
    assert layout.destination("diffusion_models") == real / "models" / "diffusion_models"
    assert ".safetensors" in layout.folders["loras"].suffixes
    assert real / "output" / "loras" in layout.folders["loras"].directories


def test_extra_model_paths_count(real: Path, tmp_path: Path) -> None:
    (real / "extra_model_paths.yaml").write_text(
        f"big:\n  base_path: {tmp_path / 'big'}\n  is_default: true\n  loras: loras\n  ipadapter: ip\n"
    )
    layout = LayoutQuestion(find_installation(comfyui=real)).answer()
    assert layout.destination("loras") == tmp_path / "big" / "loras"
    assert layout.folders["ipadapter"].directories == (tmp_path / "big" / "ip",)
    assert layout.folders["ipadapter"].suffixes == frozenset()  # such a folder lists every file


def test_broken_installation_is_told_with_its_own_words(real: Path) -> None:
    (real / "folder_paths.py").write_text("raise RuntimeError('half an update')")
    with pytest.raises(EngineError, match="half an update") as caught:
        LayoutQuestion(find_installation(comfyui=real)).answer()
    assert "--models-dir" in str(caught.value.hint)


def test_what_it_prints_is_not_the_answer(real: Path) -> None:
    with (real / "folder_paths.py").open("a") as file:
        file.write("\nprint('{\"folders\": 1}')\n")
    assert "loras" in LayoutQuestion(find_installation(comfyui=real)).answer().folders


def test_own_interpreter_of_the_installation_is_asked(comfyui: Path) -> None:
    python = comfyui / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho \'{"folders": {}, "base_path": "/asked"}\'\n')
    python.chmod(0o755)
    assert LayoutQuestion(find_installation(comfyui=comfyui)).answer().base_path == Path("/asked")
