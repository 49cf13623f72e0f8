"""One engine of a fleet: brings a file through the shared store, and tells on stdout where it came from.

Arguments: store URL, origin URL, size, SHA-256, destination, heartbeat seconds, lease time-out seconds, pause before the
origin is asked ("hang" hangs there for good).
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import os
import shutil
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location(
    "comfystow", CHECKOUT / "__init__.py", submodule_search_locations=[str(CHECKOUT)]
)
sys.modules["comfystow"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sys.modules["comfystow"])

from comfystow.core.config import load_settings  # noqa: E402
from comfystow.core.net.client import HttpClient, HttpLimits  # noqa: E402
from comfystow.core.net.egress import EgressGate  # noqa: E402
from comfystow.core.net.hosts import AllowList  # noqa: E402
from comfystow.core.records.source import Digest, ResolvedFile, UrlSource  # noqa: E402
from comfystow.core.sources.objects import open_bucket  # noqa: E402
from comfystow.core.sources.store import Served, SharedStore, StoreTimes, Turn  # noqa: E402
from comfystow.core.transfer.engine import TransferEngine  # noqa: E402
from comfystow.core.transfer.job import TransferJob, TransferLimits  # noqa: E402


async def fetch(turn: Turn, dest: Path, engine: TransferEngine) -> Path:
    if turn.local_path is not None:
        await asyncio.to_thread(shutil.copyfile, turn.local_path, dest)
        return dest
    # One connection: with several the first is cut off when the others begin, and what was on its way counts as sent.
    return (await engine.fetch(TransferJob(file=turn.file, dest=dest, owner=str(os.getpid()), connections=1))).path


async def main() -> None:
    store_url, origin, size, sha256, dest, heartbeat, timeout, pause = sys.argv[1:]
    settings = load_settings({}, allow_hosts=(origin.split("/")[2],), free_space_floor_bytes=0)
    gate = EgressGate(AllowList.build(settings))
    client = HttpClient(HttpLimits.of(settings), gate)
    engine = TransferEngine(TransferLimits.of(settings), client, gate)
    times = StoreTimes(heartbeat_seconds=float(heartbeat), lease_timeout_seconds=float(timeout), poll_seconds=0.1)
    store = SharedStore(open_bucket(store_url, os.environ, timeout_seconds=20), gate, times)
    file = ResolvedFile(
        source=UrlSource(url=origin),
        url=origin,
        filename=Path(dest).name,
        size_bytes=int(size),
        digest=Digest("sha256", sha256),
    )
    async with store.turn(file) as turn:
        if turn.served is Served.ORIGIN:
            print("FETCHING", flush=True)
            await asyncio.sleep(10_000 if pause == "hang" else float(pause))
        path = await fetch(turn, Path(dest), engine)
        await turn.keep(path)
    assert hashlib.sha256(Path(dest).read_bytes()).hexdigest() == sha256  # noqa: ASYNC240
    print(f"DONE {turn.served.value}", flush=True)
    engine.close()
    await client.close()


asyncio.run(main())
