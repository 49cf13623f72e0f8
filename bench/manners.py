"""What a download costs beside its time: bytes fetched twice, memory, small files, and harm to a busy neighbour.

`python -m comfystow.bench.manners [resume|memory|small|adaptive|harm …]`
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from ..core.transfer.part.journal import decode
from .cases import MIB, World
from .tools import OurEngine, aria2, fresh, run_command


def resume(world: World) -> None:
    """Kill the engine at half, and see what is fetched again."""
    size, connections = 1 << 30, 8
    world.make("resume.bin", size)
    with world.server("--rate", str(20 * MIB)) as base:
        items = world.items(base, ["resume.bin"])
        folder = fresh(world.out)
        victim = OurEngine()
        thread = threading.Thread(target=_ignore, args=(lambda: victim.fetch(items, folder, connections=connections),))
        thread.start()
        time.sleep(size / (20 * MIB) / connections / 2)
        os.kill(victim.pid, signal.SIGKILL)
        thread.join()
        record = decode((folder / "resume.bin.part.json").read_bytes())[0]
        there = sum(stop - start for start, stop in record.done)
        run = world.engine.fetch(items, folder, connections=connections)
        ideal = run.fetched / (20 * MIB) / connections
        print(
            f"resume after kill -9: {there / MIB:.0f} MiB noted as there, {run.fetched / MIB:.0f} of {size / MIB:.0f} "
            f"MiB fetched, {run.wall:.2f} s (these at full rate: {ideal:.2f} s), whole {run.ok}"
        )


def memory(world: World) -> None:
    """Two files at once over 32 connections."""
    for name in ("one.bin", "two.bin"):
        world.make(name, 512 * MIB, seed=len(name))
    with world.server() as base:
        items = world.items(base, ["one.bin", "two.bin"])
        engine = OurEngine()
        run = engine.fetch(items, fresh(world.out), connections=16)
        engine.close()
        print(f"memory above idle, 2 files, 32 connections: {run.memory / MIB:.0f} MiB, target ≤ 64")


def small(world: World) -> None:
    """One file of 1 KiB, warm engine against curl."""
    world.make("tiny.bin", 1024)
    with world.server() as base:
        items = world.items(base, ["tiny.bin"])
        ours, curls = [], []
        for _ in range(15):
            ours.append(world.engine.fetch(items, fresh(world.out), connections=None).wall)
            curls.append(run_command(["curl", "-s", "-o", str(fresh(world.out) / "tiny.bin"), items[0].url]).wall)
        ratio = median(ours) / median(curls)
        print(
            f"1 KiB: ours {1000 * median(ours):.1f} ms, curl {1000 * median(curls):.1f} ms, {ratio:.2f}, target ≤ 1.30"
        )


def adaptive(world: World) -> None:
    """Where more connections help, where they are refused, and where one of them crawls."""
    world.make("adaptive.bin", 512 * MIB)
    rate = 8 * MIB
    for title, arguments, connections in (
        ("gains up to 16", ("--rate", str(rate), "--gains-up-to", "16"), None),
        ("429 above 4", ("--rate", str(2 * rate), "--refuse-above", "4"), None),
        ("one of eight crawls", ("--rate", str(2 * rate), "--slow-every", "3"), 8),
    ):
        with world.server(*arguments) as base:
            run = world.engine.fetch(world.items(base, ["adaptive.bin"]), fresh(world.out), connections=connections)
            late = sorted(run.connections[len(run.connections) // 2 :])
            print(
                f"{title}: {late[len(late) // 2] if late else 0} connections (median of the later half, most "
                f"{max(run.connections)}), {run.wall:.2f} s, whole {run.ok}"
            )
            if connections:
                print(f"  ideal with eight {512 * MIB / (2 * rate) / 8:.2f} s, tail target ≤ 1 s")


def harm(world: World) -> None:
    """A busy asyncio server and a busy Python loop beside a download of 8 x 20 MiB/s."""
    world.make("harm.bin", 640 * MIB)
    with world.server("--rate", str(20 * MIB)) as base:
        items = world.items(base, ["harm.bin"])
        runs: dict[str, Callable[[Path], object]] = {
            "nothing": lambda _: time.sleep(4),
            "ours": lambda folder: world.engine.fetch(items, folder, connections=8),
            "aria2c": lambda folder: aria2(items, folder, connections=8),
        }
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in runs}
        for _ in range(7):
            for name, run in runs.items():
                found[name].append(_beside(run, fresh(world.out)))
    print("| beside | GET p50 ms | GET p99 ms | loops/s (median, range) |\n|---|---|---|---|")
    for name, rows in found.items():
        loops = [row[2] for row in rows]
        print(
            f"| {name} | {median(row[0] for row in rows):.1f} | {median(row[1] for row in rows):.1f} "
            f"| {median(loops):.0f} ({min(loops):.0f}–{max(loops):.0f}) |"
        )


_NEIGHBOUR = """
import asyncio, os, sys, threading, time
loops = 0
def busy():
    global loops
    while True:
        sum(range(2000)); loops += 1
async def handle(reader, writer):
    while await reader.readline():
        writer.write(b'x\\n')
async def main():
    server = await asyncio.start_server(handle, '127.0.0.1', 0)
    threading.Thread(target=busy, daemon=True).start()
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    print('ready', flush=True)
    waits, began = [], time.monotonic()
    line = asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    while not line.done():
        at = time.monotonic(); writer.write(b'?\\n'); await reader.readline()
        waits.append(time.monotonic() - at); await asyncio.sleep(0.01)
    waits.sort()
    print(1000*waits[len(waits)//2], 1000*waits[len(waits)*99//100], loops/(time.monotonic()-began), flush=True)
    os._exit(0)  # the server's own end has nothing to tell
asyncio.run(main())
"""


def _beside(run: Callable[[Path], object], folder: Path) -> tuple[float, float, float]:
    neighbour = subprocess.Popen(
        [sys.executable, "-c", _NEIGHBOUR], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    neighbour.stdout.readline()
    run(folder)
    out, _ = neighbour.communicate("stop\n", timeout=30)
    p50, p99, loops = map(float, out.split())
    return p50, p99, loops


def _ignore(call: Callable[[], object]) -> None:
    with contextlib.suppress(ValueError, OSError):
        call()


PARTS = {"resume": resume, "memory": memory, "small": small, "adaptive": adaptive, "harm": harm}


def main(argv: list[str] | None = None) -> int:
    """Run the parts and print what they found."""
    parser = argparse.ArgumentParser(prog="comfystow bench manners", description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], default=list(PARTS))
    parser.add_argument("--dir", type=Path, default=Path("/tmp/comfystow-bench"))
    options = parser.parse_args(argv)
    engine = OurEngine()
    with World(options.dir, engine, size=1 << 30) as world:
        for name in options.part:
            PARTS[name](world)
            sys.stdout.flush()
    engine.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
