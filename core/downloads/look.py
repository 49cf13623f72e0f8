"""A look into a file at its source, before its first byte is fetched: its header knows better than its page."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ..errors import FolderUnknownError, HeaderError, NotAModelError, StowError
from ..headers.names import guess_folder
from ..net.credentials import Credentials
from ..paths import MODEL_SUFFIXES, PICKLE_SUFFIXES
from ..records.download import DownloadRequest
from ..records.model import canonical_folder
from ..records.source import ResolvedFile
from ..sources.inspection import Inspection, inspect_file, inspect_remote
from .network import Network

_log = logging.getLogger("comfystow.downloads")


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A file with the folder that it belongs in, what was seen of it, and what a person should know."""

    file: ResolvedFile
    seen: Inspection | None = None
    warnings: tuple[str, ...] = ()


async def look_inside(
    request: DownloadRequest, file: ResolvedFile, network: Network, credentials: Credentials | None
) -> Looked:
    """Read the header of a file and let it say the folder, unless the caller has.

    A header that cannot be read leaves the word to the source, then to the name.

    Raises: FolderUnknownError: only a person can choose; NotAModelError; the error of the source when nothing else
    says where the file belongs.
    """
    named = request.filename or file.filename
    failure: StowError | None = None
    seen: Inspection | None = None
    if PurePosixPath(named.lower()).suffix in MODEL_SUFFIXES:
        try:
            seen = await _seen(file, network, credentials)
        except NotAModelError:
            raise
        except StowError as err:
            _log.info("cannot look into `%s`: %s", named, err.message)
            failure = err
    return decide(request, file, seen, failure)


async def _seen(file: ResolvedFile, network: Network, credentials: Credentials | None) -> Inspection:
    address = urlsplit(file.url)
    if address.scheme == "file":
        return await asyncio.to_thread(inspect_file, Path(url2pathname(address.path)))
    # What its source says of the folder is weighed by `decide`, apart from what the header says.
    return await inspect_remote(network.client, file.filename, replace(file, folder_hint=None), credentials)


def decide(
    request: DownloadRequest, file: ResolvedFile, seen: Inspection | None, failure: StowError | None = None
) -> Looked:
    """Weigh the caller's word, the header, the source's word and the name, in this order (pure).

    Where nothing says the folder it stays open, and the placement asks for it.

    Raises: FolderUnknownError: the header fits several; and the failure of the look where nothing else says the folder.
    """
    header = seen.folder if seen is not None else None
    if seen is not None and seen.base_model is not None:
        file = replace(file, base_model_hint=seen.base_model)
    if request.folder_name is not None:
        asked = canonical_folder(request.folder_name)
        return Looked(file=file, seen=seen, warnings=_contradiction(seen, header, asked, "was asked for"))
    if header is not None:
        hint = canonical_folder(file.folder_hint) if file.folder_hint is not None else header
        warnings = _contradiction(seen, header, hint, "is what its source says; it goes where its header says")
        return Looked(file=replace(file, folder_hint=header), seen=seen, warnings=warnings)
    if file.folder_hint is not None:
        return Looked(file=file, seen=seen)
    if seen is not None:
        if seen.alternatives:
            raise _only_a_person_knows(file, seen)
        return Looked(file=file, seen=seen)
    return _by_name(file, request.filename or file.filename, failure)


def _contradiction(seen: Inspection | None, header: str | None, other: str, why: str) -> tuple[str, ...]:
    if seen is None or header is None or header == other:
        return ()
    kind = (seen.kind or "").replace("_", " ")
    return (f"its header says that it is a {kind}, which belongs in `{header}`; `{other}` {why}",)


def _only_a_person_knows(file: ResolvedFile, seen: Inspection) -> StowError:
    return FolderUnknownError(
        f"nothing says in which folder `{file.filename}` belongs: {seen.evidence[0]}",
        hint=f"choose one of {', '.join(seen.alternatives)}",
    )


def _by_name(file: ResolvedFile, name: str, failure: StowError | None) -> Looked:
    """Let the name decide where no header can: of a pickle, or of a format that has none."""
    readable = PurePosixPath(name.lower()).suffix in MODEL_SUFFIXES
    if failure is not None and readable and not isinstance(failure, HeaderError):
        raise failure
    guess = guess_folder(name) if not readable and PurePosixPath(name.lower()).suffix in PICKLE_SUFFIXES else None
    if guess is not None:
        warning = f"only its name says that it belongs in `{guess.folder}`: {guess.reason}"
        return Looked(file=replace(file, folder_hint=guess.folder), warnings=(warning,))
    if isinstance(failure, HeaderError):
        raise failure
    return Looked(file=file)
