"""The library's long works, and questions that take a look at the disk."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ...errors import UsageError
from ...library.usage import usage_json
from ...library.view import file_json, printable, report_json
from ...net.secrets import scrub
from ...provision.keeping.orphan_parts import OrphanPart, find_orphan_parts
from ...provision.keeping.parts import work_json
from ...records.library import LibraryFilter
from ..bodies import IdentifyRequest, ScanRequest, VerifyRequest
from .call import Call, Handler

_MOST_IDS = 10_000


async def work(call: Call) -> object:
    """Say what goes on; the problems of the last scan are told in full."""
    librarian = call.runtime.librarian
    shown = work_json(librarian)
    if librarian.library.last_scan is not None:
        shown["last_scan"] = report_json(librarian.library.last_scan, with_paths=call.local)
    if librarian.scanning.report is not None:
        shown["scan"]["report"] = report_json(librarian.scanning.report, with_paths=call.local)
    return shown


async def scan(call: Call) -> object:
    """Scan, and say what was found."""
    wanted: ScanRequest = call.body
    if not wanted.wait:
        call.runtime.librarian.scan()
        return await work(call)
    return report_json(await call.runtime.library.scan(), with_paths=call.local)


async def verify(call: Call) -> object:
    """Begin to prove the library."""
    wanted: VerifyRequest = call.body
    ids = _checked(wanted.ids)
    call.runtime.librarian.verify(headers_only=wanted.headers_only, everything=wanted.all, ids=ids)
    return await work(call)


def _checked(ids: tuple[int, ...] | None) -> tuple[int, ...] | None:
    if ids is not None and not 1 <= len(ids) <= _MOST_IDS:
        raise UsageError(f"{len(ids)} files cannot be chosen", hint=f"1 to {_MOST_IDS}")
    if ids is not None and not all(0 < number < 1 << 62 for number in ids):
        raise UsageError("an id is a positive number")
    return ids


async def identify(call: Call) -> object:
    """Begin to look for sources."""
    wanted: IdentifyRequest = call.body
    call.runtime.librarian.identify(call.session, _checked(wanted.ids))
    return await work(call)


async def cancel(call: Call) -> object:
    """Stop what goes on."""
    await call.runtime.librarian.cancel()
    return await work(call)


async def usage(call: Call) -> object:
    """Say what fills the disks."""
    return await asyncio.to_thread(usage_json, call.runtime.library.index)


async def parts(call: Call) -> object:
    """List parts that nobody goes on with."""
    runtime = call.runtime
    if runtime.library.last_scan is None:
        await runtime.library.scan()
    downloads, seen = runtime.downloads.list(), runtime.library.scanner.parts

    def find() -> list[OrphanPart]:
        roots = [root for root in runtime.library.index.roots() if root.listed and root.available]
        return find_orphan_parts(roots, seen, downloads, lease_seconds=runtime.settings.lease_timeout_seconds)

    found = await asyncio.to_thread(find)
    return {
        "parts": [_part_json(part, with_path=call.local) for part in found],
        "bytes": sum(part.size_bytes for part in found),
    }


def _part_json(part: OrphanPart, *, with_path: bool) -> dict[str, object]:
    row: dict[str, object] = {
        "name": printable(part.name),
        "folder": part.folder_name,
        "size_bytes": part.size_bytes,
        "modified_at": part.modified_at,
        "source": scrub(part.source) if part.source is not None else None,
    }
    return {**row, "path": printable(part.path)} if with_path else row


async def unreferenced(call: Call) -> object:
    """List what no saved workflow names."""
    # Late: an engine that only downloads starts 40 ms sooner without the workflow readers.
    from ...provision.keeping.unreferenced import find_unreferenced, workflow_folders

    runtime = call.runtime
    layout, node_inputs = runtime.sessions.layout(), runtime.sessions.node_inputs()
    user_dir = _user_dir(runtime.state_dir, layout.base_path)

    def find() -> dict[str, object]:
        folders = workflow_folders(user_dir) if user_dir is not None else []
        found = find_unreferenced(runtime.library.index.each(LibraryFilter()), folders, layout, node_inputs)
        return {
            "files": [file_json(file, with_path=call.local) for file in found.files],
            "bytes": sum(file.size_bytes for file in found.files),
            "workflows": found.workflows,
            "unreadable": list(found.unreadable),
        }

    return await asyncio.to_thread(find)


def _user_dir(state_dir: Path, base_path: Path | None) -> Path | None:
    """Return the user folder: the one that our state lies in, else that of the installation."""
    if state_dir.parent.name == "user":
        return state_dir.parent
    return base_path / "user" if base_path is not None else None


LIBRARY_WORK: dict[str, Handler] = {
    "library.work": work,
    "library.scan": scan,
    "library.verify": verify,
    "library.identify": identify,
    "library.cancel": cancel,
    "library.usage": usage,
    "library.parts": parts,
    "library.unreferenced": unreferenced,
}
