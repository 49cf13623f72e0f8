"""One engine of a fleet: brings a file through the shared store, and tells on stdout where it came from.

Arguments: store URL, origin URL, SHA-256, part, heartbeat seconds, lease time-out seconds, pause after the origin's
first byte ("hang" hangs there for good).
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import os
import sys
import time
import urllib.request
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location(
    "comfystow", CHECKOUT / "__init__.py", submodule_search_locations=[str(CHECKOUT)]
)
sys.modules["comfystow"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sys.modules["comfystow"])

from comfystow.core.records.source import Digest  # noqa: E402
from comfystow.core.sources.objects import open_bucket  # noqa: E402
from comfystow.core.sources.store import SharedStore, StoreTimes  # noqa: E402


async def main() -> None:
    store_url, origin, sha256, part, heartbeat, timeout, pause = sys.argv[1:]
    times = StoreTimes(heartbeat_seconds=float(heartbeat), lease_timeout_seconds=float(timeout), poll_seconds=0.1)
    store = SharedStore(open_bucket(store_url, os.environ, timeout_seconds=20), times)

    def fetch() -> None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(origin) as reply, open(part, "wb") as file:
            file.write(reply.read(1))
            print("FETCHING", flush=True)
            time.sleep(10_000 if pause == "hang" else float(pause))
            file.write(reply.read())

    served = await store.fetch_through(Digest("sha256", sha256), Path(part), lambda: asyncio.to_thread(fetch))
    assert hashlib.sha256(Path(part).read_bytes()).hexdigest() == sha256  # noqa: ASYNC240
    print(f"DONE {served.value}", flush=True)


asyncio.run(main())
