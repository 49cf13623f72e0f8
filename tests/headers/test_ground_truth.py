"""What real architectures are taken for: every header here was made by the class that makes the weights."""

from __future__ import annotations

import json
import struct
import sys
from math import prod
from pathlib import Path

import pytest
from comfystow.core.headers.kinds import FOLDERS, Kind
from comfystow.core.sources.inspection import inspect_file

sys.path.insert(0, str(Path(__file__).parent / "ground_truth"))

from truth import Header, stored

HEADERS = {header.name: header for header in stored()}
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "U8": 1, "F8_E4M3": 1}


def write(header: Header, path: Path) -> None:
    """Write a safetensors file whose data is a hole."""
    entries: dict[str, object] = {"__metadata__": {"format": "pt", **header.metadata}}
    at = 0
    for name, shape in header.tensors.items():
        end = at + prod(shape) * BYTES[header.dtype]
        entries[name] = {"dtype": header.dtype, "shape": shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(entries).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + at)


@pytest.mark.parametrize("name", HEADERS)
def test_a_real_architecture_is_known(name: str, tmp_path: Path) -> None:
    header, path = HEADERS[name], tmp_path / "model.safetensors"
    write(header, path)
    found = inspect_file(path)
    assert (found.kind, found.base_model) == (header.kind, header.base_model), found.evidence
    assert found.folder == FOLDERS[Kind(header.kind)]
    assert found.evidence
    assert found.parameters == sum(prod(shape) for shape in header.tensors.values())
