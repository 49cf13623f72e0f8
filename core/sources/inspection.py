"""What the header of a model file tells, here or at its source; what kind of model it is, a classifier adds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path

from ..errors import HeaderError, NotAModelError, NotFoundError
from ..headers.gguf import parse_gguf
from ..headers.model_header import ModelHeader
from ..headers.safetensors import parse_safetensors
from ..headers.sniff import Content, sniff
from ..net.client import HttpClient
from ..net.credentials import Credentials
from ..records.download import ErrorInfo
from ..records.source import ResolvedFile
from .remote_header import read_remote_header

_SNIFF_BYTES = 4096
_MOST_METADATA = 200
_MOST_TEXT = 2000
_MOST_EXAMPLES = 8

#: safetensors' and ggml's names of types that people call otherwise (safetensors `dtype.rs`, ggml `ggml.h`).
_PRECISIONS = {
    "F64": "fp64",
    "F32": "fp32",
    "F16": "fp16",
    "BF16": "bf16",
    "F8_E4M3": "fp8_e4m3fn",
    "F8_E5M2": "fp8_e5m2",
    "I8": "int8",
    "U8": "uint8",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """One file. `kind`, `folder`, `base_model` and `confidence` are None until something has told them."""

    ref: str
    path: str | None = None
    kind: str | None = None
    folder: str | None = None
    base_model: str | None = None
    precision: str | None = None
    parameters: int | None = None
    size_bytes: int | None = None
    vram_bytes: int | None = None
    confidence: str | None = None
    evidence: tuple[str, ...] = ()
    format: str | None = None
    tensors: int | None = None
    precisions: dict[str, int] = field(default_factory=dict)
    """How many parameters each type holds."""
    metadata: dict[str, object] = field(default_factory=dict)
    error: ErrorInfo | None = None


#: Says more about an inspection from its header: kind, base model, folder, confidence, and the evidence for them.
Classify = Callable[[ModelHeader, Inspection], Inspection]


def inspect_header(ref: str, header: ModelHeader, size_bytes: int, classify: Classify | None = None) -> Inspection:
    """Tell what a header tells (pure)."""
    counts: Counter[str] = Counter()
    for tensor in header.tensors.values():
        counts[tensor.dtype] += prod(tensor.shape)
    ends = [tensor.stop for tensor in header.tensors.values()]
    stored = [tensor.stop - tensor.start for tensor in header.tensors.values() if tensor.stop is not None]
    main = counts.most_common(1)[0][0] if counts else None
    found = Inspection(
        ref=ref,
        precision=_PRECISIONS.get(main, main.lower()) if main is not None else None,
        parameters=sum(counts.values()),
        size_bytes=size_bytes,
        vram_bytes=sum(stored) if None not in ends else None,
        format=header.format,
        tensors=len(header.tensors),
        precisions=dict(counts.most_common()),
        metadata=_shown(header.metadata),
        evidence=_evidence(header, counts, size_bytes),
    )
    return classify(header, found) if classify is not None else found


async def inspect_remote(
    client: HttpClient, ref: str, file: ResolvedFile, credentials: Credentials | None, classify: Classify | None = None
) -> Inspection:
    """Inspect a file at its source by small ranged requests. Raises: StowError."""
    header = await read_remote_header(client, file, credentials)
    size = file.size_bytes if file.size_bytes is not None else header.expected_size_bytes
    found = inspect_header(ref, header, size or 0, classify)
    told = tuple(
        f"its source says {what} {value}"
        for what, value in (("it belongs in", file.folder_hint), ("its base model is", file.base_model_hint))
        if value is not None
    )
    folder = found.folder if found.folder is not None else file.folder_hint
    return replace(found, folder=folder, evidence=found.evidence + told)


def inspect_file(path: Path, ref: str | None = None, classify: Classify | None = None) -> Inspection:
    """Inspect a file of this machine; it is read up to the end of its header. Raises: NotFoundError, HeaderError."""
    name = ref if ref is not None else str(path)
    try:
        with path.open("rb") as stream:
            size = path.stat().st_size

            def read(offset: int, count: int) -> bytes:
                stream.seek(offset)
                return stream.read(count)

            header = parse_header(read(0, _SNIFF_BYTES), read, size, path.name)
    except OSError as err:
        raise NotFoundError(f"cannot read `{path}`: {err.strerror or err}", hint="check the path") from err
    return replace(inspect_header(name, header, size, classify), path=str(path.absolute()))


def parse_header(first: bytes, read: Callable[[int, int], bytes], size_bytes: int, name: str) -> ModelHeader:
    """Parse by what the first bytes are. Raises: NotAModelError, HeaderError."""
    content = sniff(first)
    if content.is_refusal:
        raise NotAModelError(f"`{name}` is {content.value} instead of a model", hint="download it again")
    if content is Content.SAFETENSORS:
        return parse_safetensors(read, size_bytes)
    if content is Content.GGUF:
        return parse_gguf(read, size_bytes)
    raise HeaderError(
        f"`{name}` is neither safetensors nor GGUF", hint="only these can be looked into without loading them"
    )


def _evidence(header: ModelHeader, counts: Counter[str], size_bytes: int) -> tuple[str, ...]:
    held = ", ".join(f"{count:,} {dtype}" for dtype, count in counts.most_common(_MOST_EXAMPLES))
    lines = [f"{header.format}: {len(header.tensors)} tensors, {sum(counts.values()):,} parameters ({held or 'none'})"]
    whole = header.fits(size_bytes)
    if whole is not None:
        stated = f"{header.expected_size_bytes:,}"
        is_or_not = "is" if whole else "is not"
        lines.append(f"the header accounts for {stated} bytes, the file {is_or_not} that long ({size_bytes:,})")
    prefixes = Counter(name.partition(".")[0] for name in header.tensors)
    if prefixes:
        shown = ", ".join(f"{name[:60]} ({count})" for name, count in prefixes.most_common(_MOST_EXAMPLES))
        lines.append(f"tensor names begin with {shown}")
    return tuple(lines)


def _shown(metadata: Mapping[str, object]) -> dict[str, object]:
    """Keep what people can read: no token lists, no endless texts."""
    return {
        key[:_MOST_TEXT]: value[:_MOST_TEXT] if isinstance(value, str) else value
        for key, value in list(metadata.items())[:_MOST_METADATA]
        if isinstance(value, str | int | float | bool)
    }
