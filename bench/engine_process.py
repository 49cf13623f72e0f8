"""Our engine in a process of its own, as it is in use; orders come as lines of JSON, answers go out the same way."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import resource
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def name_the_checkout() -> None:
    """Make `import comfystow` this checkout."""
    spec = importlib.util.spec_from_file_location(
        "comfystow", CHECKOUT / "__init__.py", submodule_search_locations=[str(CHECKOUT)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["comfystow"] = module
    spec.loader.exec_module(module)


def forget_peak() -> None:
    """Let VmHWM count anew (proc_pid_clear_refs(5))."""
    Path("/proc/self/clear_refs").write_text("5")


def rss_bytes() -> int:
    """Return the present resident memory."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    return int(fields["VmRSS"].split()[0]) * 1024


def peak_bytes() -> int:
    """Return the highest resident memory since the last reset."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    return int(fields["VmHWM"].split()[0]) * 1024


def cpu_seconds() -> float:
    """Return user and system time so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _limits(kind):
    total = os.environ.get("BENCH_CONNECTIONS_TOTAL")
    return kind(free_space_floor_bytes=0, **({"connections_total": int(total)} if total else {}))


async def _no_digest(_hasher, _size_bytes: int) -> dict[str, str]:
    return {"sha256": "0" * 64}


class HashSwitch:
    """For comparisons with tools that prove nothing; the product has no such switch.

    While it is off, transfers neither read back nor hash what they wrote.
    """

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self._advance, self._finish = kind.advance, kind.finish

    def set(self, *, on: bool) -> None:
        self._kind.advance = self._advance if on else lambda *_: None
        self._kind.finish = self._finish if on else _no_digest


async def serve() -> None:
    from comfystow.core.config import Settings
    from comfystow.core.net.client import HttpClient, HttpLimits
    from comfystow.core.net.egress import EgressGate
    from comfystow.core.net.hosts import AllowList
    from comfystow.core.records.source import Digest, ResolvedFile, UrlSource
    from comfystow.core.transfer.engine import TransferEngine
    from comfystow.core.transfer.job import TransferJob, TransferLimits
    from comfystow.core.transfer.part.hashing import FrontierHasher

    gate = EgressGate(AllowList.build(Settings(allow_hosts=("127.0.0.1", "localhost", "10.231.0.2"))))
    client = HttpClient(HttpLimits(), gate)
    engine = TransferEngine(_limits(TransferLimits), client, gate)
    loop = asyncio.get_running_loop()
    hashing = HashSwitch(FrontierHasher)
    lanes: list[int] = []
    print(json.dumps({"ready": True}), flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        hashing.set(on=order["hash"])
        forget_peak()
        idle, cpu, began = rss_bytes(), cpu_seconds(), time.monotonic()
        lanes.clear()
        jobs = []
        for number, spec in enumerate(order["files"]):
            digest = Digest("sha256", spec["sha256"]) if spec.get("sha256") else None
            file = ResolvedFile(
                source=UrlSource(url=spec["url"]),
                url=spec["url"],
                filename="x",
                size_bytes=spec.get("size"),
                digest=digest,
            )
            jobs.append(
                TransferJob(
                    file=file, dest=Path(spec["dest"]), owner=f"bench-{os.getpid()}-{number}",
                    connections=order.get("connections"),
                )
            )  # fmt: skip
        gathered = asyncio.gather(
            *(engine.fetch(job, on_progress=lambda p: lanes.append(p.connections)) for job in jobs)
        )
        error = None
        try:
            results = await gathered
        except Exception as err:  # noqa: BLE001
            results, error = [], f"{type(err).__name__}: {err}"
        answer = {
            "wall": time.monotonic() - began,
            "cpu": cpu_seconds() - cpu,
            "memory": peak_bytes() - idle,
            "fetched": sum(result.bytes_fetched for result in results),
            "connections": lanes,
            "error": error,
        }
        print(json.dumps(answer), flush=True)
    engine.close()


if __name__ == "__main__":
    name_the_checkout()
    asyncio.run(serve())
