"""Headers that are true because real classes made them, and the compact form in which they are kept.

A line of `headers.jsonl.gz` is one header: what it is, what made it, and its tensors by runs: `["blocks.{}.w", [4, 4],
"0-39"]` stands for forty of them, and several numbers stand for the product of their runs.
"""

from __future__ import annotations

import gzip
import itertools
import json
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

STORED = Path(__file__).with_name("headers.jsonl.gz")
_NUMBER = re.compile(r"(?<=[._])\d+(?=[._]|$)")
Shape = tuple[int, ...]
_BYTES = {"F32": 4, "F16": 2, "BF16": 2}


@dataclass(frozen=True, kw_only=True)
class Header:
    """One header and what is known of it. `base_model` None: others share it, and no header can tell."""

    name: str
    kind: str
    base_model: str | None
    made_by: str
    tensors: Mapping[str, Shape]
    dtype: str = "BF16"
    metadata: Mapping[str, str] = field(default_factory=dict)


def pack(tensors: Mapping[str, Shape]) -> list[list[Any]]:
    """Write tensors as runs."""
    groups: dict[tuple[str, Shape], list[tuple[int, ...]]] = {}
    for name, shape in sorted(tensors.items()):  # some tables of theirs are sets, in another order each time
        numbers = tuple(int(one) for one in _NUMBER.findall(name))
        groups.setdefault((_NUMBER.sub("{}", name), tuple(shape)), []).append(numbers)
    return [
        [template, list(shape), *runs] for (template, shape), numbers in groups.items() for runs in _boxes(set(numbers))
    ]


def unpack(groups: Iterable[list[Any]]) -> Iterator[tuple[str, Shape]]:
    """Read them back."""
    for template, shape, *runs in groups:
        for numbers in itertools.product(*(_run(run) for run in runs)):
            yield template.format(*numbers), tuple(shape)


def _boxes(numbers: set[tuple[int, ...]]) -> Iterator[list[str]]:
    """Cover the tuples by products of runs: those that go on alike after their first number share one."""
    if not next(iter(numbers)):
        yield []
        return
    after: dict[int, set[tuple[int, ...]]] = {}
    for first, *rest in numbers:
        after.setdefault(first, set()).add(tuple(rest))
    alike: dict[frozenset[tuple[int, ...]], list[int]] = {}
    for first, rests in sorted(after.items()):
        alike.setdefault(frozenset(rests), []).append(first)
    for rests, firsts in alike.items():
        for box in _boxes(set(rests)):
            yield [_written(firsts), *box]


def _written(numbers: list[int]) -> str:
    parts = []
    for _, run in itertools.groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        listed = [number for _, number in run]
        parts.append(f"{listed[0]}-{listed[-1]}" if len(listed) > 1 else str(listed[0]))
    return ",".join(parts)


def _run(text: str) -> list[int]:
    numbers: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers.extend(range(int(first), int(last or first) + 1))
    return numbers


def line_of(header: Header) -> str:
    """Write one line."""
    data = {"name": header.name, "kind": header.kind, "base_model": header.base_model, "made_by": header.made_by}
    if header.dtype != "BF16":
        data["dtype"] = header.dtype
    if header.metadata:
        data |= {"metadata": dict(header.metadata)}
    return json.dumps(data | {"tensors": pack(header.tensors)}, separators=(",", ":"))


def keep(headers: Iterable[Header], path: Path = STORED) -> None:
    """Write the file: the same headers, the same bytes."""
    lines = sorted(line_of(header) for header in headers)
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0))


def stored(path: Path = STORED) -> dict[str, dict[str, Any]]:
    """Read the lines that are kept, by name; `header_of` makes a header of one."""
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    return {data["name"]: data for data in map(json.loads, lines)}


def header_of(data: dict[str, Any]) -> Header:
    """Make the header of a line."""
    return Header(**data | {"tensors": dict(unpack(data["tensors"]))})


def written(header: Header) -> bytes:
    """Write what a file begins with; its data is not needed."""
    entries: dict[str, object] = {"__metadata__": {"format": "pt", **header.metadata}}
    at = 0
    for name, shape in header.tensors.items():
        end = at + prod(shape) * _BYTES[header.dtype]
        entries[name] = {"dtype": header.dtype, "shape": shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text
