"""The set-up of tests and demo: it heals itself, and it finds the ComfyUI that a user means."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.setup import comfyui_tree
from support.setup.cache import Cache
from support.setup.comfyui_tree import find_comfyui
from support.setup.say import SetupError, run
from support.setup.workshop import CHECKOUT


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture(autouse=True)
def _no_comfyui_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMFYUI_PATH", raising=False)


def _comfyui(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("main.py", "nodes.py", "folder_paths.py"):
        (folder / name).touch()
    return folder


# The cache


def test_an_interrupted_entry_is_made_anew(cache: Cache) -> None:
    def interrupted(path: Path) -> None:
        (path / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.entry("thing", ["1"], "making", interrupted)
    made = cache.entry("thing", ["1"], "making", lambda path: (path / "whole").touch())
    assert sorted(path.name for path in made.iterdir()) == [".complete", "whole"]


def test_a_whole_entry_is_not_made_again(cache: Cache) -> None:
    first = cache.entry("thing", ["1"], "making", lambda path: (path / "whole").touch())
    assert cache.entry("thing", ["1"], "making", lambda path: pytest.fail("made twice")) == first


def test_what_it_is_made_from_tells_entries_apart(cache: Cache) -> None:
    made = {
        cache.entry("thing", made_from, "making", lambda path: None) for made_from in (["1"], ["2"], ["1", "2"], ["12"])
    }
    assert len(made) == 4


def test_the_cache_may_not_lie_in_the_checkout() -> None:
    with pytest.raises(SetupError, match="inside the checkout"):
        Cache(CHECKOUT / "cache")


def test_a_failing_program_is_shown_with_the_end_of_its_output(cache: Cache) -> None:
    with pytest.raises(SetupError, match="the reason"):
        run([sys.executable, "-c", "import sys; print('the reason'); sys.exit(3)"], log=cache.log("x"))


# Which ComfyUI


def test_the_named_one_comes_before_that_of_the_environment(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, other = _comfyui(tmp_path / "named"), _comfyui(tmp_path / "other")
    monkeypatch.setenv("COMFYUI_PATH", str(other))
    assert find_comfyui(cache, CHECKOUT, named) == named
    assert find_comfyui(cache, CHECKOUT) == other


def test_the_one_around_the_checkout_comes_next(cache: Cache, tmp_path: Path) -> None:
    around = _comfyui(tmp_path / "ComfyUI")
    assert find_comfyui(cache, around / "custom_nodes" / "comfystow") == around


def test_a_folder_without_comfyui_is_refused_by_name(cache: Cache, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"--comfyui names .*holds no ComfyUI"):
        find_comfyui(cache, CHECKOUT, tmp_path)


def test_without_a_git_host_it_comes_out_of_the_wheel(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comfyui_tree, "reachable", lambda url: False)
    found = find_comfyui(cache, tmp_path / "comfystow")
    assert (found / "main.py").is_file()
    assert (found / "custom_nodes").is_dir()
    assert not (found / "extra_model_paths.yaml").exists()
    assert '"0.3.75"' in (found / "comfyui_version.py").read_text(encoding="utf-8")
