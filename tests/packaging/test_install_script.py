"""`python install.py` as ComfyUI-Manager runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from support.setup.workshop import CHECKOUT


def _report(*flags: str, env: dict[str, str] | None = None, script: Path = CHECKOUT / "install.py"):
    return subprocess.run(
        [sys.executable, *flags, str(script)],
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
        check=False,
    )


def test_it_reports_what_is_there() -> None:
    done = _report()
    assert done.returncode == 0, done.stderr
    assert "aiohttp" in done.stdout
    assert "Everything is there" in done.stdout


def test_it_names_what_is_off_and_the_command_that_switches_it_on() -> None:
    done = _report("-S")  # without site-packages nothing is installed
    assert done.returncode == 0, done.stderr
    assert "nvidia-ml-py is not installed: statistics of NVIDIA GPUs will be off" in done.stdout
    assert "pip install -r" in done.stdout


def test_it_looks_for_what_the_requirements_name() -> None:
    names = re.findall(r"^[A-Za-z0-9_-]+", (CHECKOUT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    shown = _report("-S").stdout
    assert [name for name in names if name.lower() not in shown.lower()] == []


def test_it_writes_nothing_even_into_its_own_folder(upstream: Path, run) -> None:
    before = {path: path.stat().st_mtime_ns for path in upstream.rglob("*")}
    assert _report(script=upstream / "install.py").returncode == 0
    assert {path: path.stat().st_mtime_ns for path in upstream.rglob("*")} == before


def test_it_does_not_fail_on_a_console_that_cannot_show_the_folder_s_name(tmp_path: Path) -> None:
    folder = tmp_path / "модели"
    folder.mkdir()
    script = folder / "install.py"
    script.write_bytes((CHECKOUT / "install.py").read_bytes())
    done = _report(env={"PYTHONIOENCODING": "ascii"}, script=script)
    assert done.returncode == 0, done.stderr


def test_a_copy_without_tests_says_where_demo_and_tests_are(tmp_path: Path) -> None:
    script = tmp_path / "install.py"
    script.write_bytes((CHECKOUT / "install.py").read_bytes())
    done = subprocess.run([sys.executable, str(script), "demo"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "clone the repository" in done.stderr
