"""The run directory: private, short enough for a socket, and the same for every caller."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

import pytest
from comfystow.core.engine.attach import living
from comfystow.core.engine.rundir import MAX_SOCKET_PATH_BYTES, private_folder, run_dirs
from comfystow.core.errors import ConfigError, EngineError
from support.engines import comfystow


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Give a folder of another user."""
    if os.getuid() != 0:
        return Path("/usr")
    path = tmp_path / "foreign"
    path.mkdir(mode=0o700)
    os.chown(path, 65534, 65534)
    return path


def test_two_spellings_of_a_state_folder_have_one_run_dir(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "state")
    assert run_dirs(tmp_path / "state", "/r") == run_dirs(tmp_path / "link", "/r")
    assert run_dirs(tmp_path / "state", "/r") != run_dirs(tmp_path / "other", "/r")


def test_runtime_dir_comes_first_and_the_one_without_it_is_looked_at_too(tmp_path: Path) -> None:
    first, second = run_dirs(tmp_path, None, {"XDG_RUNTIME_DIR": str(tmp_path)})
    assert first.path.parent == tmp_path / "comfystow"
    assert second.path.parent == Path(f"/tmp/comfystow-{os.getuid()}")


def test_runtime_dir_of_another_user_is_not_used(tmp_path: Path, foreign: Path) -> None:
    (only,) = run_dirs(tmp_path, None, {"XDG_RUNTIME_DIR": str(foreign)})
    assert only.path.parent == Path(f"/tmp/comfystow-{os.getuid()}")


def test_long_runtime_dir_gives_way_to_tmp(tmp_path: Path) -> None:
    long = tmp_path / ("x" * MAX_SOCKET_PATH_BYTES)
    long.mkdir()
    (only,) = run_dirs(tmp_path, None, {"XDG_RUNTIME_DIR": str(long)})
    assert only.path.parent == Path(f"/tmp/comfystow-{os.getuid()}")


def test_state_folder_with_a_long_name_has_a_short_socket(tmp_path: Path) -> None:
    for run_dir in run_dirs(tmp_path / ("x" * 200) / ("ü" * 100), None):
        assert len(os.fsencode(run_dir.socket)) <= MAX_SOCKET_PATH_BYTES


def test_setting_that_is_too_long_is_refused() -> None:
    with pytest.raises(ConfigError, match="too long for a socket"):
        run_dirs(Path("/state"), "/" + "x" * MAX_SOCKET_PATH_BYTES)


def test_folder_of_another_user_is_refused(foreign: Path) -> None:
    with pytest.raises(EngineError, match="belongs to user"):
        private_folder(foreign)


def test_folder_open_to_others_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(EngineError, match="open to others"):
        private_folder(tmp_path)


def test_link_is_refused_even_to_our_own_folder(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "own")
    with pytest.raises(EngineError, match="no folder"):
        private_folder(tmp_path / "link")


@pytest.mark.parametrize("where", ["base", "key"])
def test_engine_that_another_user_could_have_planted_is_not_asked(where: str, tmp_path: Path) -> None:
    place = run_dirs(tmp_path / "state", str(tmp_path / "run"))[0].create()
    with socket.socket(socket.AF_UNIX) as planted:
        planted.bind(str(place.socket))
        planted.listen()
        planted.setblocking(False)
        data = {"pid": 1, "started_at": 1.0, "protocol_version": 1, "version": "1", "socket": str(place.socket)}
        place.info.write_text(json.dumps(data))
        (place.path.parent if where == "base" else place.path).chmod(0o777)
        assert not place.ours
        assert living(place, time.monotonic() + 5) is None
        with pytest.raises(BlockingIOError):  # nobody came
            planted.accept()


def test_command_says_that_the_run_dir_is_somebody_elses(tmp_path: Path, foreign: Path) -> None:
    done = comfystow("downloads", "--state-dir", tmp_path / "state", env={"COMFYSTOW_RUN_DIR": str(foreign)})
    assert done.returncode == 1
    assert "belongs to user" in done.stderr
    assert "COMFYSTOW_RUN_DIR" in done.stderr
    assert not (tmp_path / "state").exists()
