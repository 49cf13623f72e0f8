"""`comfystow bench headers`: parse and classify real-shaped headers, beside `json.loads` of the same bytes.

The headers are those of the ground truth (`tests/headers/ground_truth`), written as files whose data is a hole, so that
opening and reading them counts too. Rounds alternate; printed are medians of CPU time, and ratios to the general
parser.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from math import prod
from pathlib import Path
from statistics import mean, median

from ..core.headers.classify import classify
from ..core.headers.model_header import ModelHeader
from ..core.headers.safetensors import parse_safetensors

_TRUTH = Path(__file__).resolve().parents[1] / "tests" / "headers" / "ground_truth"
_TARGET_MILLISECONDS = 3.0
_TARGET_MEMORY = 10.0


def main(words: list[str]) -> int:
    """Run the suite; 0 where the targets are reached."""
    parser = argparse.ArgumentParser(prog="comfystow bench headers", description=__doc__)
    parser.add_argument("--tensors", type=int, default=650, help="take headers around this many tensors (default 650)")
    parser.add_argument("--files", type=int, default=60, help="how many files (default 60)")
    parser.add_argument("--rounds", type=int, default=7, help="alternating rounds (default 7)")
    arguments = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="comfystow-bench-") as folder:
        files = _write(Path(folder), arguments.files, arguments.tensors)
        return _compare(files, arguments.rounds)


def _write(folder: Path, files: int, tensors: int) -> list[Path]:
    """Write the headers nearest to the wanted number of tensors, so that their average is near it."""
    sys.path.insert(0, str(_TRUTH))
    from truth import header_of, stored, written

    headers = [header_of(line) for line in stored().values()]
    headers.sort(key=lambda header: abs(len(header.tensors) - tensors))
    paths = []
    for header in headers[:files]:
        data = written(header)
        path = folder / f"{header.name}.safetensors"
        with path.open("wb") as file:
            file.write(data)
            file.truncate(len(data) + 4 * sum(prod(shape) for shape in header.tensors.values()))
        paths.append(path)
    return paths


def _header(path: Path) -> ModelHeader:
    size = path.stat().st_size
    with path.open("rb") as file:

        def read(offset: int, count: int) -> bytes:
            file.seek(offset)
            return file.read(count)

        return parse_safetensors(read, size)


def _json(path: Path) -> object:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length))


def _compare(files: list[Path], rounds: int) -> int:
    rows: dict[str, tuple[Callable[[Path], object], list[float]]] = {
        "json.loads": (_json, []),
        "parse": (_header, []),
        "parse and classify": (lambda path: classify(_header(path)), []),
    }
    for _ in range(rounds):
        for act, times in rows.values():
            begun = time.process_time()
            for path in files:
                act(path)
            times.append((time.process_time() - begun) / len(files) * 1000)
    sizes = [struct.unpack("<Q", path.open("rb").read(8))[0] for path in files]
    tensors = mean(len(_header(path).tensors) for path in files)
    print(f"{len(files)} headers, {tensors:.0f} tensors and {mean(sizes) / 1000:.0f} kB on average")
    base = median(rows["json.loads"][1])
    for name, (_, times) in rows.items():
        print(f"  {name:<19} {median(times):6.2f} ms of CPU a file   {median(times) / base:5.2f} × json.loads")
    memory = max(_peak(path) / size for path, size in zip(files, sizes, strict=True))
    print(f"  memory              {memory:6.2f} × header size at most")
    reached = median(rows["parse and classify"][1]) <= _TARGET_MILLISECONDS and memory <= _TARGET_MEMORY
    print(f"target: parse and classify ≤ {_TARGET_MILLISECONDS} ms, memory ≤ {_TARGET_MEMORY:.0f} × header size: "
          f"{'reached' if reached else 'MISSED'}")  # fmt: skip
    return 0 if reached else 1


def _peak(path: Path) -> int:
    tracemalloc.start()
    try:
        classify(_header(path))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
