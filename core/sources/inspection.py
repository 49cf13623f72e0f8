"""What the header of a model file tells, here or at its source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import HeaderError, NotAModelError, NotFoundError
from ..headers.classification import Confidence
from ..headers.classify import classify
from ..headers.gguf import parse_gguf
from ..headers.model_header import ModelHeader, Read
from ..headers.names import guess_folder
from ..headers.part import Subject
from ..headers.pickles import describe_pickle, is_pickle
from ..headers.precision import Stored, measure
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """One file; what its header does not tell is None."""

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
    base_model_version: str | None = None
    detail: str | None = None
    alternatives: tuple[str, ...] = ()
    """Folders between which only a person can choose."""
    trigger_words: tuple[str, ...] = ()
    training: dict[str, str] = field(default_factory=dict)
    rejected: tuple[str, ...] = ()
    """What else it could have been, and why it is not."""


def inspect_header(ref: str, header: ModelHeader, size_bytes: int) -> Inspection:
    """Tell what a header tells (pure). Raises: HeaderError: it is of a known kind, and damaged."""
    found = classify(header)
    stored = measure(Subject(header))
    return Inspection(
        ref=ref,
        kind=found.kind.value if found.kind is not None else None,  # a lock's YAML takes plain texts alone
        folder=found.folder,
        base_model=found.base_model,
        base_model_version=found.base_model_version,
        detail=found.detail,
        precision=found.precision,
        parameters=found.parameters,
        size_bytes=size_bytes,
        vram_bytes=found.vram_bytes,
        confidence=found.confidence,
        evidence=found.evidence + _evidence(header, stored, size_bytes),
        rejected=found.rejected,
        alternatives=found.alternatives,
        trigger_words=found.trigger_words,
        training=found.training,
        format=header.format,
        tensors=len(header.tensors),
        precisions=stored.counts,
        metadata=_shown(header.metadata),
    )


async def inspect_remote(
    client: HttpClient, ref: str, file: ResolvedFile, credentials: Credentials | None
) -> Inspection:
    """Inspect a file at its source by small ranged requests. Raises: StowError."""
    header = await read_remote_header(client, file, credentials)
    size = file.size_bytes if file.size_bytes is not None else header.expected_size_bytes
    found = inspect_header(ref, header, size or 0)
    told = tuple(
        f"its source says {what} {value}"
        for what, value in (("it belongs in", file.folder_hint), ("its base model is", file.base_model_hint))
        if value is not None
    )
    folder = found.folder if found.folder is not None else file.folder_hint
    return replace(found, folder=folder, evidence=found.evidence + told)


def inspect_file(path: Path, ref: str | None = None) -> Inspection:
    """Inspect a file of this machine; it is read up to the end of its header, and a pickle is scanned.

    Raises: NotFoundError, HeaderError, NotAModelError, DangerousPickleError.
    """
    name = ref if ref is not None else str(path)
    try:
        with path.open("rb") as stream:
            size = path.stat().st_size

            def read(offset: int, count: int) -> bytes:
                stream.seek(offset)
                return stream.read(count)

            first = read(0, _SNIFF_BYTES)
            if is_pickle(path.name, first):
                return _inspect_pickle(name, path, read, size)
            header = parse_header(first, read, size, path.name)
    except OSError as err:
        raise NotFoundError(f"cannot read `{path}`: {err.strerror or err}", hint="check the path") from err
    return replace(inspect_header(name, header, size), path=str(path.absolute()))


def _inspect_pickle(ref: str, path: Path, read: Read, size_bytes: int) -> Inspection:
    """Say what a pickle imports; what it is, only its name tells. Raises: DangerousPickleError."""
    scan = describe_pickle(path.name, read, size_bytes)
    guess = guess_folder(path.name)
    named = (guess.reason,) if guess is not None else ("a pickle has no header, and its name says nothing",)
    return Inspection(
        ref=ref,
        path=str(path.absolute()),
        folder=guess.folder if guess is not None else None,
        size_bytes=size_bytes,
        confidence=Confidence.GUESS if guess is not None else None,
        evidence=scan.told() + named,
        format="pickle",
    )


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


def _evidence(header: ModelHeader, stored: Stored, size_bytes: int) -> tuple[str, ...]:
    held = ", ".join(f"{count:,} {dtype}" for dtype, count in list(stored.counts.items())[:_MOST_EXAMPLES])
    lines = [f"{header.format}: {len(header.tensors)} tensors, {stored.parameters:,} parameters ({held or 'none'})"]
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
