"""`comfystow bench pod`: from a pod's start to a ComfyUI that answers, beside plain `main.py`, and with models missing.

Alternating rounds; each starts a ComfyUI anew on the same folders. A round ends when `GET /prompt` answers. Where it
may, it runs in a control group of its own with the largest share of the processor, as a container on a machine that
does little else; the hub, which is another machine in truth, stays outside. Needs the set-up of the tests
(`python install.py test` makes it).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

_TESTS = Path(__file__).resolve().parents[1] / "tests"
_CGROUP = Path("/sys/fs/cgroup")
_TARGET = 1.15
_SECONDS = 180.0


def main(words: list[str]) -> int:
    """Measure, and print medians and ratios."""
    parser = argparse.ArgumentParser(prog="comfystow bench pod", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="of each kind (%(default)s)")
    parser.add_argument("--missing-gib", type=int, default=20, help="models still missing, paced (%(default)s)")
    parser.add_argument("--services", default="comfyui,jupyter,files", help="what the pod starts (%(default)s)")
    arguments = parser.parse_args(words)
    sys.path.insert(0, str(_TESTS))
    from hub.server import Hub
    from support.setup.workshop import Workshop

    install = Workshop().for_tests()
    base = Path(tempfile.mkdtemp(prefix="pod-bench-"))
    times: dict[str, list[float]] = {}
    group = None
    try:
        with Hub(base / "hub") as hub:
            group = _alone()
            if group is None:
                print("no control group of its own: other programs of this machine count too")
            kinds = _kinds(install, base, hub, arguments)
            for name, measure in kinds.items():
                measure()  # once for caches of files and bytecode
                times[name] = []
            for _ in range(arguments.rounds):
                for name, measure in kinds.items():
                    times[name].append(measure())
    finally:
        _leave(group)
        shutil.rmtree(base, ignore_errors=True)
    return _report(times)


def _alone() -> Path | None:
    """Go into a control group with the largest share there is; None where none can be made (cgroups(7))."""
    for root, share, most in ((Path("/sys/fs/cgroup/cpu"), "cpu.shares", 262144), (_CGROUP, "cpu.weight", 10000)):
        group = root / "comfystow-bench"
        try:
            group.mkdir(exist_ok=True)
            (group / share).write_text(str(most))
            (group / "cgroup.procs").write_text(str(os.getpid()))
        except OSError:
            continue
        return group
    return None


def _leave(group: Path | None) -> None:
    """Take the group away again."""
    if group is not None:
        with contextlib.suppress(OSError):
            (group.parent / "cgroup.procs").write_text(str(os.getpid()))
            group.rmdir()


def _report(times: dict[str, list[float]]) -> int:
    plain = statistics.median(times["plain main.py"])
    for name, seconds in times.items():
        middle = statistics.median(seconds)
        spread = f"{min(seconds):.2f}–{max(seconds):.2f}"
        print(f"{name:<34}{middle:7.2f} s  ({spread})  {middle / plain:5.2f} × plain (target ≤ {_TARGET})")
    return 0


def _kinds(install: object, base: Path, hub: object, arguments: argparse.Namespace) -> dict[str, Callable[[], float]]:
    from support.comfyui import ComfyServer, hub_environment
    from support.pods import RunningPod

    def plain() -> float:
        server = ComfyServer(install, base / "plain")
        try:
            began = time.monotonic()
            server.launch()
            return _answers(server.port, began)
        finally:
            server.close()

    def pod(volume: Path, missing_gib: int, services: str) -> float:
        volume.mkdir(exist_ok=True)
        lines = [
            f"  - {{source: 'hf://bench/models/m{number}.safetensors', folder: vae}}\n" for number in range(missing_gib)
        ]
        for number in range(missing_gib):
            hub.add_file("bench/models", f"m{number}.safetensors", size_bytes=1 << 30)
        (volume / "models.yaml").write_text("version: 1\nmodels:\n" + "".join(lines))
        environment = {"COMFYSTOW_SERVICES": services, "COMFYSTOW_LIMIT_RATE_BYTES_PER_SECOND": "20M"}
        running = RunningPod(install, volume, {**hub_environment(hub), **environment})
        try:
            began = time.monotonic()
            running.launch()
            return _answers(running.ports["comfyui"], began)
        finally:
            running.close()
            shutil.rmtree(volume / "models", ignore_errors=True)

    missing = arguments.missing_gib
    return {
        "plain main.py": plain,
        "pod up, ComfyUI alone": lambda: pod(base / "whole", 0, "comfyui"),
        "pod up, all services": lambda: pod(base / "whole", 0, arguments.services),
        f"pod up, all, {missing} GiB missing": lambda: pod(base / "missing", missing, arguments.services),
    }


def _answers(port: int, began: float) -> float:
    """Wait until ComfyUI answers; seconds since `began`."""
    while time.monotonic() - began < _SECONDS:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/prompt", timeout=5):
                return time.monotonic() - began
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    raise SystemExit(f"ComfyUI did not answer within {_SECONDS:g} s")
