"""What a viewer costs: CPU seconds an hour in ComfyUI's process and in the engine's, and the speed of a busy loop.

`python -m comfystow.bench.monitor [--rounds N] [--seconds N]`. Starts a real ComfyUI from the test suite's set-up, and
alternates rounds without a viewer and with one at 1 Hz. What a busy Python loop in ComfyUI's process would lose is the
share of a core that the viewer takes from that process.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
_TARGET = 0.005
_LEASE_SECONDS = 5


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; 1 when the sampler takes more than its budget of one core."""
    parser = argparse.ArgumentParser(prog="comfystow bench monitor", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="pairs of rounds (%(default)s)")
    parser.add_argument("--seconds", type=int, default=20, help="length of a round (%(default)s)")
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        server = _server(stack)
        _view(server)
        engine = _engine_pid(server)
        taken: dict[str, dict[str, list[float]]] = {}
        for _ in range(options.rounds):
            for name, act in (("without", _rest), ("with", _view)):
                time.sleep(_LEASE_SECONDS + 1 if name == "without" else 0)  # until the last viewer's lease is over
                for process, share in _shares({"ComfyUI": server.pid, "engine": engine}, act, server, options.seconds):
                    taken.setdefault(process, {}).setdefault(name, []).append(share)
    worst = 0.0
    for process, rows in taken.items():
        alone, viewed = median(rows["without"]), median(rows["with"])
        worst = max(worst, viewed - alone)
        print(
            f"{process}: {alone * 3600:.2f} CPU s an hour without a viewer, {viewed * 3600:.2f} with one at 1 Hz "
            f"({viewed - alone:+.2%} of a core, target ≤ {_TARGET:.1%})"
        )
    print(f"a busy loop in ComfyUI's process loses {_loss(taken['ComfyUI']):.2%}")
    return 0 if worst <= _TARGET else 1


def _loss(rows: dict[str, list[float]]) -> float:
    return max(0.0, median(rows["with"]) - median(rows["without"]))


def _server(stack: ExitStack) -> Any:
    sys.path.insert(0, str(CHECKOUT / "tests"))
    from support.comfyui import ComfyServer  # type: ignore[import-not-found]
    from support.setup.workshop import Workshop  # type: ignore[import-not-found]

    base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="comfystow-bench-")))
    return stack.enter_context(ComfyServer(Workshop().for_tests(), base))


def _engine_pid(server: Any) -> int:
    from support.engines import living_engines  # type: ignore[import-not-found]

    found: list[int] = living_engines(server.state_dir)
    return found[0]


def _rest(_: Any) -> None:
    time.sleep(1)


def _view(server: Any) -> None:
    began = time.monotonic()
    server.stow("POST", "/system/lease", {"seconds": _LEASE_SECONDS, "interval_seconds": 1})
    time.sleep(max(0.0, began + 1 - time.monotonic()))


def _shares(
    processes: dict[str, int], act: Callable[[Any], None], server: Any, seconds: int
) -> list[tuple[str, float]]:
    before = {name: _cpu_seconds(pid) for name, pid in processes.items()}
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        act(server)
    spent = time.monotonic() - began
    return [(name, (_cpu_seconds(pid) - before[name]) / spent) for name, pid in processes.items()]


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    raise SystemExit(main())
