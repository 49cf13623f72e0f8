"""The library beside plain tools: the first index of real-shaped headers, and a rescan of what is known.

`python -m comfystow.bench.library [first|rescan …] [--files N]`

`first` compares with reading and `json.loads`-ing the same headers, `rescan` with `find -printf` over the same tree.
Rounds alternate; the ratio of the medians is printed. The headers are those that the classifier is tested on, made by
the classes that make the weights.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from statistics import median

from ..core.library.index.index import LibraryIndex
from ..core.library.index.roots import RootPlan
from ..core.library.index.scan import Scanner

TRUTH = Path(__file__).resolve().parents[1] / "tests" / "headers" / "ground_truth"
#: What the system counts processor time in; less is told as nothing.
_TICK_SECONDS = 0.01
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "U8": 1, "F8_E4M3": 1}


def main(words: list[str] | None = None) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="comfystow bench library", description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", choices=(*CASES, []), help="all without a choice")
    parser.add_argument("--files", type=int, help="how many (10,000 first, 100,000 in the rescan)")
    parser.add_argument("--rounds", type=int, default=3, help="of each side (%(default)s)")
    parser.add_argument("--folder", type=Path, help="where the trees are made (a temporary folder)")
    arguments = parser.parse_args(words)
    base = Path(tempfile.mkdtemp(prefix="stow-bench-", dir=arguments.folder))
    try:
        for name in arguments.cases or CASES:
            CASES[name](base, arguments.files, arguments.rounds)
    finally:
        shutil.rmtree(base)
    return 0


def first(base: Path, files: int | None, rounds: int) -> None:
    """Index a tree that nobody has seen."""
    tree, count = base / "first", files or 10_000
    made = _write_models(tree, count)

    def ours() -> float:
        shutil.rmtree(base / "state", ignore_errors=True)
        return _scan(base / "state", tree, added=count)

    print(f"first index: {count} files, {made >> 20} MiB of headers")
    _compare("read and json.loads", lambda: _timed(lambda: _load_all(tree)), ours, rounds, target=2.0)


def rescan(base: Path, files: int | None, rounds: int) -> None:
    """Look again at a tree that has not changed."""
    tree, count = base / "rescan", files or 100_000
    for number in range(count):
        folder = tree / f"{number // 1000:03}"
        if number % 1000 == 0:
            folder.mkdir(parents=True)
        (folder / f"model number {number:06}.safetensors").write_bytes(b"x")
    _scan(base / "warm", tree, added=count)
    words = ["find", str(tree), "-printf", r"%i %s %T@\n"]

    def find() -> float:
        return _timed(lambda: subprocess.run(words, stdout=subprocess.DEVNULL, check=True))

    print(f"warm rescan: {count} files")
    _compare("find -printf", find, lambda: _scan(base / "warm", tree, added=0), rounds, target=3.0)


CASES: dict[str, Callable[[Path, int | None, int], None]] = {"first": first, "rescan": rescan}


def _compare(name: str, theirs: Callable[[], float], ours: Callable[[], float], rounds: int, *, target: float) -> None:
    rows = [(*_spent(theirs), *_spent(ours)) for _ in range(rounds)]
    plain, plain_cpu, library, library_cpu = (median(column) for column in zip(*rows, strict=True))
    print(f"  {name}: {plain:.2f} s; ours: {library:.2f} s; ratio {library / plain:.2f}, target ≤ {target:g}")
    ratio = library_cpu / max(plain_cpu, _TICK_SECONDS)
    print(f"  in processor time: {plain_cpu:.2f} s; ours: {library_cpu:.2f} s; ratio {ratio:.2f}")


def _spent(work: Callable[[], float]) -> tuple[float, float]:
    """Return seconds, and those of all cores together, of helpers too: beside other work only these say much."""
    before = os.times()
    seconds = work()
    return seconds, sum(now - then for now, then in zip(os.times()[:4], before[:4], strict=True))


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _scan(state: Path, tree: Path, *, added: int) -> float:
    index = LibraryIndex(state)
    try:
        scanner = Scanner(index, settle_seconds=0.0)
        plan = RootPlan(path=tree, folder_names=("checkpoints",))
        begun = time.perf_counter()
        report = scanner.scan([plan], lambda _done, _total: None)
        spent = time.perf_counter() - begun
        assert report.added == added, report
        return spent
    finally:
        index.close()


def _load_all(tree: Path) -> None:
    for folder, _, names in os.walk(tree):
        for name in names:
            with open(f"{folder}/{name}", "rb") as file:  # noqa: PTH123 - the plainest reader there is
                (length,) = struct.unpack("<Q", file.read(8))
                json.loads(file.read(length))


def _headers() -> Iterator[bytes]:
    """Yield the length of a header, that of its data, and its text."""
    sys.path.insert(0, str(TRUTH))
    truth = importlib.import_module("truth")
    for data in truth.stored().values():
        header = truth.header_of(data)
        entries: dict[str, object] = {"__metadata__": {"format": "pt", **header.metadata}}
        at = 0
        for name, shape in header.tensors.items():
            end = at + prod(shape) * _BYTES[header.dtype]
            entries[name] = {"dtype": header.dtype, "shape": shape, "data_offsets": [at, end]}
            at = end
        text = json.dumps(entries).encode()
        yield struct.pack("<QQ", len(text), at) + text


def _write_models(tree: Path, count: int) -> int:
    """Write sparse files of the length that their headers say, and return the bytes of all headers."""
    headers, total = list(_headers()), 0
    for number in range(count):
        head = headers[number % len(headers)]
        length, data = struct.unpack("<QQ", head[:16])
        folder = tree / f"{number // 500:03}"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{number:05}.safetensors").open("wb") as file:
            file.write(head[:8] + head[16:])
            file.truncate(8 + length + data)
        total += length
    return total


if __name__ == "__main__":
    raise SystemExit(main())
