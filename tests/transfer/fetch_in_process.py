"""Fetches one file in a process of its own, so that a test can kill it. Argument: JSON."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent


def main() -> None:
    sys.path.insert(0, str(TESTS))
    checkout = TESTS.parent
    spec = importlib.util.spec_from_file_location(
        "comfystow", checkout / "__init__.py", submodule_search_locations=[str(checkout)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["comfystow"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    from support.transfers import job, open_engine, resolved

    wanted = json.loads(sys.argv[1])
    facts = {}
    if "size" in wanted:
        facts["size_bytes"] = wanted["size"]
    file = resolved(wanted["url"], sha256=wanted.get("sha256"), **facts)
    with open_engine() as engine:
        print("ready", flush=True)
        work = job(file, Path(wanted["dest"]), connections=wanted.get("connections"))
        asyncio.run(engine.fetch(work))


if __name__ == "__main__":
    main()
