"""Proof of a finished part: digest, else header against length, else length alone (and what it is not: a web page)."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from ...errors import (
    ChecksumMismatchError,
    HeaderError,
    HeaderMismatchError,
    IntegrityError,
    NotAModelError,
    SizeMismatchError,
)
from ...headers.gguf import parse_gguf
from ...headers.model_header import Read
from ...headers.pickles import refuse_danger
from ...headers.safetensors import parse_safetensors
from ...headers.sniff import Content, sniff
from ...records.download import Verified
from ...records.source import ResolvedFile
from .hashing import WHOLE_FILE_ALGORITHMS, digest_matches

_PAGE_SUFFIXES = frozenset({".html", ".htm", ".xhtml", ".xml", ".svg"})


def check_first_bytes(dest: Path, first_bytes: bytes) -> None:
    """Refuse what servers send instead of a file. Raises: NotAModelError."""
    content = sniff(first_bytes)
    if not content.is_refusal or dest.suffix.lower() in _PAGE_SUFFIXES:
        return
    what = {Content.HTML: "a web page", Content.XML: "an XML message"}.get(content, "a Git LFS pointer")
    hint = (
        "ask for the file itself: /resolve/ instead of /raw/"
        if content is Content.LFS_POINTER
        else "check the link; it may need a token or a login"
    )
    raise NotAModelError(f"what comes for `{dest.name}` is {what}, not the file", hint=hint)


def read_from(file: BinaryIO) -> Read:
    """Return a function that reads an open file at offsets."""

    def read(offset: int, size: int) -> bytes:
        file.seek(offset)
        return file.read(size)

    return read


def prove(
    file: ResolvedFile, dest: Path, *, size_bytes: int, digests: dict[str, str], read: Read, end_untold: bool = False
) -> Verified:
    """Say how far a finished file is proven. A pickle is scanned too, whatever its digest.

    Raises: ChecksumMismatchError, HeaderMismatchError, SizeMismatchError, IntegrityError: it is not what it should be;
    DangerousPickleError: it would run what no model needs.
    """
    verified = _proven(file, dest, size_bytes=size_bytes, digests=digests, read=read, end_untold=end_untold)
    refuse_danger(dest.name, read, size_bytes)
    return verified


def _proven(
    file: ResolvedFile, dest: Path, *, size_bytes: int, digests: dict[str, str], read: Read, end_untold: bool
) -> Verified:
    if file.size_bytes is not None and file.size_bytes != size_bytes:
        raise SizeMismatchError(f"`{dest.name}` has {size_bytes} bytes, and {file.size_bytes} were promised")
    if file.digest is not None:
        agrees = digest_matches(file.digest.algorithm, file.digest.hex, digests)
        if agrees is False:
            kind = "sha256" if file.digest.algorithm == "autov2" else file.digest.algorithm
            raise ChecksumMismatchError(
                f"could not verify `{dest.name}`: expected {file.digest}, got {kind}:{digests[kind]}",
                hint="the bytes are put aside as .part.bad; the source may have replaced the file",
            )
        if agrees and file.digest.algorithm in WHOLE_FILE_ALGORITHMS:
            return Verified.DIGEST
    if _header_fits(dest, read, size_bytes):
        return Verified.HEADER
    if end_untold and file.size_bytes is None:
        raise IntegrityError(
            f"`{dest.name}` cannot be proven: its server told neither a length nor a digest",
            hint="give the SHA-256 of the file",
        )
    return Verified.SIZE


def _header_fits(dest: Path, read: Read, size_bytes: int) -> bool:
    """Compare a model's header with the length; False where there is none. Raises: HeaderMismatchError."""
    suffix = dest.suffix.lower()
    try:
        if suffix in {".safetensors", ".sft"}:
            header = parse_safetensors(read, size_bytes)
        elif suffix == ".gguf":
            header = parse_gguf(read, size_bytes)
        else:
            return False
    except HeaderError as err:
        raise HeaderMismatchError(f"`{dest.name}` is damaged: {err.message}", hint=err.hint) from err
    fits = header.fits(size_bytes)
    if fits is False:
        raise HeaderMismatchError(
            f"`{dest.name}` has {size_bytes} bytes, and its header describes {header.expected_size_bytes}",
            hint="it may be cut off at its source; compare the size shown there",
        )
    return fits is True
