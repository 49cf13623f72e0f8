"""`comfystow bench organise`: organise and dedupe of many files by links, beside `cp -al` of the same tree.

`python -m comfystow.bench.organise [--files N] [--rounds N] [--dir DIR]`

A plan opens every file, which `cp` does not: it is told apart. Carrying a plan out is measured from the request to the
answer of an engine of its own: links, journal, and both of its durable writes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from ..core.config import load_settings
from ..core.engine.installation import bare_layout
from ..core.engine.sync_client import SyncEngineClient
from ..core.records.json import to_json

_TARGET = 3.0
_OLD = 1_600_000_000
_MODULES = ("q", "k", "v", "out_0")


def main(argv: list[str] | None = None) -> int:
    """Measure, and print a line for each; the exit code says whether both ratios were reached."""
    parser = argparse.ArgumentParser(prog="comfystow bench organise", description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dir", type=Path, default=Path("/tmp/comfystow-links"), help="on the disk to measure")
    options = parser.parse_args(argv)
    shutil.rmtree(options.dir, ignore_errors=True)
    world = _World(options.dir, options.files)
    try:
        reached = [_organise(world, options.rounds), _dedupe(world, options.rounds)]
    finally:
        world.close()
    return 0 if all(reached) else 1


class _World:
    """A downloads folder, an empty models folder, and an engine for them."""

    def __init__(self, base: Path, files: int) -> None:
        self.base, self.downloads, self.models = base, base / "downloads", base / "models"
        self.downloads.mkdir(parents=True)
        for folder in ("loras", "vae", "checkpoints"):
            (self.models / folder).mkdir(parents=True)
        for number in range(files):
            _write_lora(self.downloads / f"{number:05}.safetensors", number)
        settings = load_settings({"COMFYSTOW_RUN_DIR": str(base / "r"), "COMFYSTOW_ENGINE_IDLE_SECONDS": "600"})
        os.environ |= {"COMFYSTOW_RUN_DIR": str(base / "r"), "COMFYSTOW_ENGINE_IDLE_SECONDS": "600"}
        self.client = SyncEngineClient(base / "state", settings)
        session = {"server_id": "bench", "layout": to_json(bare_layout(self.models)), "environment": {}}
        self.client.introduce(lambda: session)

    def change(self, path: str, body: dict[str, object]) -> dict[str, object]:
        """Ask for a plan or its carrying out, and wait for it."""
        answer = self.client.call("POST", path, body)
        while answer["state"] in {"planning", "applying"}:
            time.sleep(0.005)
            answer = self.client.call("GET", f"/library/changes/{answer['id']}")
        return answer

    def close(self) -> None:
        """End the engine, and remove everything."""
        pid = self.client.engine.info.pid
        self.client.stop(reason="the benchmark is over")
        self.client.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        shutil.rmtree(self.base, ignore_errors=True)


def _write_lora(path: Path, number: int) -> None:
    """Write a small LoRA with kohya's keys, unlike all others."""
    told = {"ss_base_model_version": "sd_v1-5", "ss_tag": "x" * (number % 97)}  # so that some have the same size
    header: dict[str, object] = {"__metadata__": told}
    at = 0
    for name in _MODULES:
        stem = f"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_{name}"
        for key, shape in (("lora_down", [1, 320]), ("lora_up", [320, 1])):
            header[f"{stem}.{key}.weight"] = {"dtype": "F16", "shape": shape, "data_offsets": [at, at + 640]}
            at += 640
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + struct.pack("<I", number) * (at // 4))
    os.utime(path, (_OLD, _OLD))


def _timed(work: Callable[[], object]) -> tuple[float, object]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def _copy_links(source: Path, target: Path) -> float:
    seconds, _ = _timed(lambda: subprocess.run(["cp", "-al", str(source), str(target)], check=True))
    shutil.rmtree(target)
    return seconds


def _organise(world: _World, rounds: int) -> bool:
    rows: dict[str, list[float]] = {"cp": [], "plan": [], "apply": [], "undo": []}
    for _ in range(rounds):
        rows["cp"].append(_copy_links(world.downloads, world.base / "cp"))
        seconds, plan = _timed(lambda: world.change("/library/organise", {"directory": str(world.downloads)}))
        rows["plan"].append(seconds)
        seconds, done = _timed(lambda: world.change("/library/organise", {"apply": plan["id"]}))  # noqa: B023
        rows["apply"].append(seconds)
        assert done["done"] == len(plan["actions"]) == len(list(world.downloads.iterdir())), done["done"]
        seconds, _done = _timed(lambda: world.change("/library/undo", {"id": plan["id"]}))  # noqa: B023
        rows["undo"].append(seconds)
    return _told("organise", rows)


def _dedupe(world: _World, rounds: int) -> bool:
    """Dedupe frees what `cp -al` does not (dear where a disk discards), so two plain ways of freeing the same are told.

    `rm` removes equal files; `loop` does what dedupe does and nothing else: a link under another name, renamed over.
    """
    rows: dict[str, list[float]] = {"cp": [], "rm": [], "loop": [], "plan": [], "apply": []}
    loras, other, spare, bare = (
        world.models / "loras", world.base / "webui", world.base / "rm", world.base / "loop",
    )  # fmt: skip
    subprocess.run(["cp", "-a", f"{world.downloads}/.", str(loras)], check=True)
    for _ in range(rounds):
        for folder in (other, spare, bare):
            subprocess.run(["cp", "-a", str(world.downloads), str(folder)], check=True)
        os.sync()
        rows["cp"].append(_copy_links(other, world.base / "cp"))
        rows["rm"].append(_timed(lambda: subprocess.run(["rm", "-r", str(spare)], check=True))[0])
        rows["loop"].append(_timed(lambda: _link_over(loras, bare))[0])
        shutil.rmtree(bare)
        body = {"directories": [str(other)], "hf_cache": False}
        seconds, plan = _timed(lambda: world.change("/library/dedupe", body))  # noqa: B023
        rows["plan"].append(seconds)
        seconds, done = _timed(lambda: world.change("/library/dedupe", {"apply": plan["id"]}))  # noqa: B023
        rows["apply"].append(seconds)
        assert done["done"] == len(list(other.iterdir())), done["done"]
        shutil.rmtree(other)
    reached = _told("dedupe", rows)
    both = median(a / (c + r) for a, c, r in zip(rows["apply"], rows["cp"], rows["rm"], strict=True))
    print(f"- dedupe, apply / (cp -al + rm -r of the same files): {both:.2f}")
    loop = median(a / o for a, o in zip(rows["apply"], rows["loop"], strict=True))
    print(f"- dedupe, apply / a bare loop of link and rename: {loop:.2f}")
    return reached


def _link_over(keepers: Path, copies: Path) -> None:
    """Let each copy become a link to its keeper, as safely as two calls can."""
    for name in os.listdir(copies):  # noqa: PTH208 - the plainest loop there is
        os.link(f"{keepers}/{name}", f"{copies}/{name}.spare")
        os.rename(f"{copies}/{name}.spare", f"{copies}/{name}")  # noqa: PTH104


def _told(name: str, rows: dict[str, list[float]]) -> bool:
    shown = ", ".join(
        f"{what} {median(values):.2f} s ({min(values):.2f}–{max(values):.2f})" for what, values in rows.items()
    )
    ratio = median(apply / copy for apply, copy in zip(rows["apply"], rows["cp"], strict=True))
    reached = ratio <= _TARGET
    print(f"{name}: {shown}")
    print(f"- {name}, apply / cp -al: {ratio:.2f}, target ≤ {_TARGET:.2f}: {'reached' if reached else 'MISSED'}")
    sys.stdout.flush()
    return reached


if __name__ == "__main__":
    sys.exit(main())
