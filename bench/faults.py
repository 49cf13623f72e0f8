"""`comfystow bench faults`: what each tool makes of a server that lies, drops, stalls and changes.

Uses the hub of the test suite (`tests/hub`). A cell is `right`, `absent` (an error, and nothing under the final name),
`WRONG` (other bytes under the final name, reported as success) or `hangs` (ended from outside after the time-out).
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .engine_process import CHECKOUT
from .tools import Item, OurEngine, fresh

SIZE = 24_000_000
RATE = {"kind": "rate", "bytes_per_second": 6_000_000}
DROPS = {"kind": "drop", "after_bytes": 2_500_000, "times": 12}
FAULTS: dict[str, list[dict[str, Any]]] = {
    "drops": [DROPS],
    "503 with Retry-After": [{"kind": "status", "status": 503, "retry_after": 1, "times": 3}],
    "one connection crawls": [
        {"kind": "slow_loris", "chunk_bytes": 100, "interval_seconds": 0.1, "times": 1, "skip": 1}
    ],
    "every third stalls": [{"kind": "stall", "after_bytes": 500_000, "every": 3, "times": 3}],
    "wrong Content-Range": [{"kind": "content_range", "every": 3, "min_offset": 1}],
    "Range ignored": [{"kind": "ignore_range"}],
    "Range ignored now and then, drops": [{"kind": "ignore_range", "every": 2}, DROPS],
    "206 with bytes from elsewhere": [{"kind": "wrong_body", "shift": 100_000, "min_offset": 1, "every": 2}, DROPS],
    "content and ETag change, drops": [{"kind": "change", "after_requests": 3}, DROPS],
}


def main(argv: list[str] | None = None) -> int:
    """Print the table; the exit code says whether a cell of ours is neither right nor absent."""
    parser = argparse.ArgumentParser(prog="comfystow bench faults", description=__doc__.splitlines()[0])
    parser.add_argument("--timeout", type=float, default=40.0)
    parser.add_argument("--fault", action="append", choices=list(FAULTS))
    options = parser.parse_args(argv)
    sys.path.insert(0, str(CHECKOUT / "tests"))
    from hub.server import Hub

    bad = 0
    with tempfile.TemporaryDirectory() as folder, Hub(Path(folder) / "hub") as hub:
        engine = OurEngine()
        tools = _tools(engine, options.timeout)
        print(f"| fault | {' | '.join(tools)} |\n|{'---|' * (len(tools) + 1)}")
        for fault in options.fault or FAULTS:
            cells = [_cell(hub, FAULTS[fault], run, Path(folder) / "out") for run in tools.values()]
            bad += sum(cell.startswith(("WRONG", "hangs")) for cell in cells[:2])
            print(f"| {fault} | {' | '.join(cells)} |", flush=True)
        engine.close()
    return 1 if bad else 0


def _cell(hub: Any, rules: list[dict[str, Any]], run: Callable[[Item, Path], bool | None], out: Path) -> str:
    hub.reset()
    row = hub.add_direct("fault.bin", size_bytes=SIZE)
    folder = fresh(out)
    for rule in (RATE, *rules):
        hub.fault(**rule, file="fault.bin")
    item = Item(row["url"], "fault.bin", SIZE, row["sha256"])
    began = time.monotonic()
    success = run(item, folder)
    seconds = time.monotonic() - began
    path = folder / "fault.bin"
    if success is None:
        return "hangs"
    if not success or not path.exists():
        return f"absent {seconds:.0f} s"
    changed = any(rule["kind"] == "change" for rule in rules)
    right = {row["sha256"]} | ({_changed(hub, item, out.with_name("changed"))} if changed else set())
    return f"{'right' if _sha256(path) in right else 'WRONG'} {seconds:.0f} s"


def _changed(hub: Any, item: Item, folder: Path) -> str:
    """Return the digest of the file as it is after the change."""
    hub.clear_faults()
    hub.fault("change", file="fault.bin")
    path = fresh(folder) / "x"
    subprocess.run(["curl", "-s", "-o", str(path), item.url], check=True)
    return _sha256(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tools(engine: OurEngine, timeout: float) -> dict[str, Callable[[Item, Path], bool | None]]:
    def command(*words: str) -> Callable[[Item, Path], bool | None]:
        def run(item: Item, folder: Path) -> bool | None:
            filled = [word.format(url=item.url, dir=folder, out=folder / item.name, sha=item.sha256) for word in words]
            try:
                done = subprocess.run(filled, timeout=timeout, capture_output=True, check=False)
            except subprocess.TimeoutExpired:
                return None
            return done.returncode == 0

        return run

    def ours(*, verify: bool) -> Callable[[Item, Path], bool | None]:
        return lambda item, folder: engine.fetch([item], folder, connections=8, verify=verify).ok

    aria = ("aria2c", "-q", "--no-conf", "-x8", "-s8", "-k1M", "-d", "{dir}", "-o", "fault.bin")
    return {
        "ours": ours(verify=True),
        "ours, no digest": ours(verify=False),
        "aria2c": command(*aria, "{url}"),
        "aria2c --checksum": command(*aria, "--checksum=sha-256={sha}", "{url}"),
        "curl --retry -C -": command(
            "curl",
            "-sf",
            "--retry",
            "20",
            "--retry-all-errors",
            "--retry-delay",
            "1",
            "-C",
            "-",
            "-o",
            "{out}",
            "{url}",
        ),
    }


if __name__ == "__main__":
    sys.exit(main())
