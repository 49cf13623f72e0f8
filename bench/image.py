"""`comfystow bench image`: how long builds of the pod's image take, what the cache saves, and how large the image is.

A real BuildKit builds the image without torch (needs root, docker.io, mmdebstrap). What torch with CUDA adds is
computed: sizes as the registry states them, unpacked sizes out of the directory of each wheel (a few kilobytes by
ranges), times by the rate at which this machine installed the other requirements.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from .engine_process import CHECKOUT
from .wheels import Torch, torch_of

MB = 1e6
TARGETS = {"cold s": 300.0, "image GB": 8.0, "rebuild / cold": 0.10, "cache hits": 0.80, "code edit s": 5.0}
TAG = "comfystow-bench"


def main(argv: list[str] | None = None) -> int:
    """Build, compute, print; the exit code says whether every target was reached."""
    parser = argparse.ArgumentParser(prog="comfystow bench image", description=__doc__.splitlines()[0])
    parser.add_argument("--memory", action="store_true", help="keep the layers in memory where there is plenty")
    parser.add_argument("--dir", type=Path, default=Path("/tmp"), help="on the disk that holds the layers meanwhile")
    options = parser.parse_args(argv)
    sys.path.insert(0, str(CHECKOUT / "tests"))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="image-", dir=options.dir)))
        missed = _measure(folder, stack, in_memory=options.memory)
    return 1 if missed else 0


def _measure(folder: Path, stack: ExitStack, *, in_memory: bool) -> int:
    from support.docker_engine import DockerEngine, debian_base
    from support.git_origin import git_origin
    from support.image_build import Context
    from support.setup import pins
    from support.setup.workshop import Workshop

    workshop = Workshop()
    engine = DockerEngine(folder, in_memory=in_memory).start()
    stack.callback(engine.close)
    engine.import_base(debian_base(workshop.cache))
    origin = stack.enter_context(git_origin(workshop.for_tests().root, pins.COMFYUI_TAG, folder))
    context = Context(folder / "context")
    arguments = {"TORCH_SPEC": "none", "COMFYUI_REPOSITORY": origin}
    builds = {"cold": context.build(engine, TAG, arguments)}
    layers = _layers(engine)
    builds["nothing changed"] = context.build(engine, TAG, arguments)
    for what, file in (
        ("code edit", "core/errors/__init__.py"),
        ("edit of our requirements", "docker/requirements/pod.txt"),
        ("edit of ComfyUI's requirements", "docker/requirements/comfyui.txt"),
    ):
        with _edited(context.folder / file):
            builds[what] = context.build(engine, TAG, arguments)
    builds["every layer anew, downloads cached"] = context.build(engine, TAG, arguments, "--no-cache")
    load, _, _ = os.getloadavg()
    print(f"## Built here, without torch; {os.cpu_count()} cores, load average {load:.1f}\n")
    print("| build | s | steps run | steps cached | cache hits |\n|---|---|---|---|---|")
    for what, build in builds.items():
        hits = len(build.cached) / len(build.steps)
        print(f"| {what} | {build.seconds:.1f} | {len(build.run)} | {len(build.cached)} | {hits:.0%} |")
    _print_layers(layers)
    return _judge(builds, layers)


@contextmanager
def _edited(path: Path) -> Iterator[None]:
    before = path.read_text()
    path.write_text(f"{before}# edited\n")
    try:
        yield
    finally:
        path.write_text(before)


def _layers(engine: Any) -> list[tuple[float, str]]:
    """List bytes and instruction of each layer, the lowest first."""
    said = engine.docker("history", "--human=false", "--no-trunc", "--format", "{{.Size}}\t{{.CreatedBy}}", TAG).stdout
    rows = [line.partition("\t")[::2] for line in said.splitlines()]
    return [(float(size), text) for size, text in reversed(rows)]


#: A word of the instruction -> what the layer is.
_LAYERS = {
    "tini": "Debian: tini, Python, certificates",
    "${TORCH_SPEC}": "torch",
    "requirements/comfyui.txt": "ComfyUI's requirements",
    "COPY /opt/comfyui": "ComfyUI",
    "requirements/pod.txt": "our requirements",
    "COPY /opt/comfystow": "our code",
}


def _print_layers(layers: list[tuple[float, str]]) -> None:
    print("\n| layer | MB |\n|---|---|")
    named = dict.fromkeys(_LAYERS.values(), 0.0)
    rest = 0.0
    for size, text in layers:
        name = next((name for word, name in _LAYERS.items() if word in text), None)
        if name is None:
            rest += size
        else:
            named[name] += size
    print(f"| base image and small layers | {rest / MB:.0f} |")
    for name, size in named.items():
        print(f"| {name} | {size / MB:.1f} |")
    print(f"| all | {sum(size for size, _ in layers) / MB:.0f} |")


def _judge(builds: dict[str, Any], layers: list[tuple[float, str]]) -> int:
    cold, edit = builds["cold"], builds["code edit"]
    installed = sum(size for size, text in layers if "requirements/comfyui.txt" in text)
    seconds = sum(taken or 0 for step, taken in cold.steps.items() if "RUN" in step and "comfyui.txt" in step)
    rate = installed / seconds
    total = sum(size for size, _ in layers)
    exported = float(re.findall(r"exporting layers ([0-9.]+)s done", cold.output)[-1])
    print(
        f"\n## Computed, with CUDA, at the rates of the build above: {installed / MB:.0f} MB of requirements installed "
        f"in {seconds:.1f} s, {total / MB:.0f} MB of layers exported in {exported:.1f} s\n"
    )
    print("| torch | wheels, GB | unpacked and compiled, GB | image, GB | cold build, s |\n|---|---|---|---|---|")
    rows: list[tuple[Torch, float, float]] = []
    for torch in (torch_of("cu130"), torch_of("cu128")):
        more = torch.installed_bytes / rate + torch.installed_bytes / total * exported
        rows.append((torch, total + torch.installed_bytes, cold.seconds + more))
        print(
            f"| {torch.name} | {torch.download_bytes / 1e9:.2f} | {torch.installed_bytes / 1e9:.2f} "
            f"| {rows[-1][1] / 1e9:.2f} | {rows[-1][2]:.0f} |"
        )
    _, image, computed = rows[0]
    slow = rows[0][0].download_bytes * 8 / 500e6
    print(f"\nAt 500 Mbit/s the wheels of {rows[0][0].name} alone take {slow:.0f} s.\n")
    values = {
        "cold s": computed,
        "image GB": image / 1e9,
        "rebuild / cold": edit.seconds / cold.seconds,
        "cache hits": len(edit.cached) / len(edit.steps),
        "code edit s": edit.seconds,
    }
    missed = 0
    for name, value in values.items():
        reached = value >= TARGETS[name] if name == "cache hits" else value <= TARGETS[name]
        how = "computed" if name in {"cold s", "image GB"} else "measured"
        sign = "≥" if name == "cache hits" else "≤"
        word = "reached" if reached else "MISSED"
        print(f"- {name}: {value:.2f} ({how}), target {sign} {TARGETS[name]:g}: {word}")
        missed += not reached
    return missed


if __name__ == "__main__":
    sys.exit(main())
