"""An engine as its own process, with a stand-in for what pod and idle policy report to it.

Run as `python engine_in_a_pod.py CHECKOUT STATE_DIR`.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from itertools import count
from pathlib import Path

CHECKOUT, STATE_DIR = map(Path, sys.argv[1:3])
REPORT_SECONDS = 1.0


def load_package() -> None:
    spec = importlib.util.spec_from_file_location(
        "comfystow", CHECKOUT / "__init__.py", submodule_search_locations=[str(CHECKOUT)]
    )
    sys.modules["comfystow"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


load_package()

from comfystow.core.config import load_settings  # noqa: E402
from comfystow.core.engine import service  # noqa: E402
from comfystow.core.metrics.reading import Reading  # noqa: E402

open_runtime = service.open_runtime


async def report(runtime) -> None:
    for round_number in count():
        one = ("comfyui",)
        runtime.watch.report(
            "pod",
            [
                Reading("service_up", 1, one),
                Reading("service_restarts", 0, one),
                Reading("service_response_seconds", 0.1, one),
                Reading("service_startup_seconds", 14, one),
                Reading("idle_seconds", round_number),
                Reading("idle_stop_failures", 0),
                Reading("machine_cost_per_hour", 0.69),
            ],
        )
        await asyncio.sleep(REPORT_SECONDS)


async def open_and_report(*arguments):
    runtime = await open_runtime(*arguments)
    tasks.append(asyncio.create_task(report(runtime)))
    return runtime


tasks: list[asyncio.Task] = []
service.open_runtime = open_and_report
sys.exit(service.run_engine(STATE_DIR, load_settings(), "0.0.0"))
