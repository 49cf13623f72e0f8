"""What real architectures are taken for: every header here was made by the class that makes the weights."""

from __future__ import annotations

import sys
from math import prod
from pathlib import Path

import pytest
from comfystow.core.headers.classify import classify
from comfystow.core.headers.kinds import FOLDERS, Kind
from comfystow.core.headers.model_header import ModelHeader
from comfystow.core.headers.safetensors import parse_safetensors
from comfystow.core.sources.inspection import inspect_file

sys.path.insert(0, str(Path(__file__).parent / "ground_truth"))

from truth import Header, header_of, stored, written

HEADERS = stored()
KNOWN = [name for name, data in HEADERS.items() if data["kind"]]
STRANGERS = [name for name, data in HEADERS.items() if not data["kind"]]

# Chroma is Flux without the layers that modulate: a LoRA of attention alone fits both, and the answer is "likely Flux".
UNDECIDABLE = {name for name in KNOWN if "-chroma-" in name and name.endswith("attention")}


def parsed(header: Header) -> ModelHeader:
    data = written(header)
    return parse_safetensors(lambda offset, size: data[offset : offset + size], 1 << 50)


@pytest.mark.parametrize("name", KNOWN)
def test_a_real_architecture_is_known(name: str) -> None:
    header = header_of(HEADERS[name])
    found = classify(parsed(header))
    assert found.kind == header.kind, found.evidence
    assert found.folder == FOLDERS[Kind(header.kind)]
    assert found.evidence
    assert found.parameters == sum(prod(shape) for shape in header.tensors.values())
    if name not in UNDECIDABLE:
        assert found.base_model == header.base_model, found.evidence
    else:
        assert (found.base_model, found.confidence) == ("Flux", "likely")


def test_nearly_every_base_model_is_known() -> None:
    assert len(KNOWN) > 400
    assert len(UNDECIDABLE) < 0.05 * len(KNOWN)


@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_is_taken_for_nothing_else(name: str) -> None:
    found = classify(parsed(header_of(HEADERS[name])))
    assert found.base_model is None, found.evidence
    assert found.folder is None, found.evidence
    assert found.rejected


def test_a_file_larger_than_memory_is_read(tmp_path: Path) -> None:
    """The library's own reader maps the whole file, which fails where memory is smaller."""
    header, path = header_of(HEADERS["flux2-dev"]), tmp_path / "flux2.safetensors"
    with path.open("wb") as file:
        file.write(written(header))
        file.truncate(file.tell() + 2 * sum(prod(shape) for shape in header.tensors.values()))
    assert path.stat().st_size > 60 << 30
    found = inspect_file(path)
    assert (found.kind, found.base_model, found.folder) == ("diffusion_model", "Flux 2", "diffusion_models")
    assert found.vram_bytes == 2 * (found.parameters or 0)
