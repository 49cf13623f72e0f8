"""How weights are stored: precision, how many parameters they are, and the bytes that they take."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod

from .model_header import ModelHeader, Tensor
from .part import Subject

# The formats' names of types -> what people call them (safetensors `dtype.rs`, ggml `ggml.h`).
_NAMES = {
    "F64": "fp64",
    "F32": "fp32",
    "F16": "fp16",
    "BF16": "bf16",
    "F8_E4M3": "fp8_e4m3fn",
    "F8_E5M2": "fp8_e5m2",
    "F8_E4M3FNUZ": "fp8_e4m3fnuz",
    "F8_E5M2FNUZ": "fp8_e5m2fnuz",
    "I8": "int8",
    "U8": "uint8",
    "F4": "fp4",
}
# llama.cpp's `general.file_type` of files that mix quantisations, which are named after the main one (`llama.h`).
_FILE_TYPES = {10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S",
               17: "Q5_K_M", 18: "Q6_K"}  # fmt: skip
# Tensors that only serve to unpack others: bitsandbytes, ComfyUI's scaled and mixed formats, nunchaku, GPTQ.
_SCALES = (".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map", ".scale_weight", ".scale_input",
           ".weight_scale", ".weight_scale_2", ".input_scale", ".comfy_quant", ".SCB", ".weight_format", ".wscales",
           ".wzeros", ".scales", ".qzeros", ".g_idx", ".smooth_factor", ".smooth_factor_orig", ".wtscale", ".wcscales",
           "scaled_fp8")  # fmt: skip
_STATE = ".quant_state.bitsandbytes__"


@dataclass(frozen=True, slots=True)
class Stored:
    """What the weights are. `vram_bytes` is what all tensors take as stored, None where a type's size is not known."""

    precision: str | None
    parameters: int
    vram_bytes: int | None
    counts: dict[str, int]
    """Parameters by the format's own names of types, most first."""


def measure(subject: Subject) -> Stored:
    """Count parameters and name the precision."""
    header = subject.header
    packing = _packing(subject) if header.format == "safetensors" else None
    counts: Counter[str] = Counter()
    if packing is None:
        for tensor, number in Counter(header.tensors.values()).items():
            counts[tensor.dtype] += number * prod(tensor.shape)
    else:
        _count_packed(header, packing, counts)
    stored = _stored_bytes(header)
    main = counts.most_common(1)[0][0] if counts else None
    precision = _precision(subject, main) if main is not None else None
    return Stored(precision, sum(counts.values()), stored, dict(counts.most_common()))


def _count_packed(header: ModelHeader, packing: _Packing, counts: Counter[str]) -> None:
    for name, tensor in header.tensors.items():
        if name.endswith(_SCALES) or _STATE in name:
            continue
        dtype, count = tensor.dtype, prod(tensor.shape)
        if packing.holds(name, tensor, header):
            dtype, count = packing.name, count * packing.factor(tensor)
        counts[dtype] += count


def _stored_bytes(header: ModelHeader) -> int | None:
    """Add up what the tensors take; safetensors leave no holes, so there the end says it."""
    if header.format == "safetensors" and header.expected_size_bytes is not None:
        return header.expected_size_bytes - header.data_start
    sizes = [tensor.size_bytes for tensor in header.tensors.values() if tensor.size_bytes is not None]
    return sum(sizes) if len(sizes) == len(header.tensors) else None


@dataclass(frozen=True, slots=True)
class _Packing:
    """Weights that hold several parameters in one element."""

    name: str
    ending: str
    dtypes: frozenset[str]
    beside: str | None
    """Ending of the tensor that says that a weight is packed."""

    def holds(self, name: str, tensor: Tensor, header: ModelHeader) -> bool:
        if not name.endswith(self.ending) or tensor.dtype not in self.dtypes:
            return False
        return self.beside is None or name.removesuffix(self.ending) + self.beside in header.tensors

    def factor(self, tensor: Tensor) -> int:
        return 8 if tensor.dtype == "I32" else 2


_BYTES = frozenset({"U8", "I8"})


def _packing(subject: Subject) -> _Packing | None:
    if subject.mentions(".bitsandbytes__nf4"):
        return _Packing("nf4", ".weight", _BYTES, ".weight.absmax")
    if subject.mentions(".bitsandbytes__fp4"):
        return _Packing("fp4", ".weight", _BYTES, ".weight.absmax")
    if subject.mentions(".weight_scale_2"):
        return _Packing("nvfp4", ".weight", _BYTES, ".weight_scale_2")
    if subject.mentions(".qweight"):
        tensors = subject.tensors
        float4 = any(tensor.dtype == "F8_E4M3" for name, tensor in tensors.items() if name.endswith(".wscales"))
        return _Packing("svdq-fp4" if float4 else "int4", ".qweight", _BYTES | {"I32"}, None)
    return _Packing("", "\0", frozenset(), None) if _has_scales(subject) else None


def _has_scales(subject: Subject) -> bool:
    return any(map(subject.mentions, (".scale_weight", ".weight_scale", "scaled_fp8", ".comfy_quant", ".SCB")))


def _precision(subject: Subject, main: str) -> str:
    if subject.header.format == "gguf":
        told = _FILE_TYPES.get(_file_type(subject.header))
        if told is not None and told.startswith(main):
            return told
        return _NAMES.get(main, main)
    name = _NAMES.get(main, main.lower())
    if name.startswith("fp8") and _has_scales(subject):
        return f"{name} scaled"
    return name


def _file_type(header: ModelHeader) -> int:
    value = header.metadata.get("general.file_type")
    return value if type(value) is int else -1
