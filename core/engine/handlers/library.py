"""The library: what is in it, and scans."""

from __future__ import annotations

import asyncio

from ...errors import NotFoundHereError, UsageError
from ...library.view import details_json, file_json, printable, totals_json
from ...records.library import LibraryFilter, LibraryRoot, LibrarySort
from .call import Call, Handler

_DEFAULT_LIMIT = 100
_MOST_ROWS = 10_000
_YES = frozenset({"1", "true", "yes"})


async def list_files(call: Call) -> object:
    """List a page, and the totals."""
    wanted = _filter(call)
    sort, descending = _sort(call), call.query.get("descending") in _YES
    offset, limit = _number(call, "offset", 0), min(_number(call, "limit", _DEFAULT_LIMIT), _MOST_ROWS)
    index = call.runtime.library.index

    def read() -> dict[str, object]:
        page = index.page(wanted, sort=sort, descending=descending, offset=offset, limit=limit)
        return {
            "files": [file_json(file, with_path=call.local) for file in page.files],
            "count": page.count,
            "totals": totals_json(index.totals(), call.runtime.library.scanning),
            "roots": [_root_json(root, with_path=call.local) for root in index.roots() if _shown(root)],
        }

    return await asyncio.to_thread(read)


def _root_json(root: LibraryRoot, *, with_path: bool) -> dict[str, object]:
    row: dict[str, object] = {
        "id": root.id,
        "name": root.folder_names[0],
        "folders": list(root.folder_names),
        "available": root.available,
        "scanned_at": root.scanned_at,
    }
    return {**row, "path": printable(root.path)} if with_path else row


def _shown(root: LibraryRoot) -> bool:
    """Leave out the folders of a layout that have never been there."""
    return root.listed and (root.available or root.scanned_at is not None)


def _filter(call: Call) -> LibraryFilter:
    query = call.query
    return LibraryFilter(
        text=query.get("q", "")[:200],
        folder=query.get("folder") or None,
        kind=query.get("kind") or None,
        base_model=query.get("base") or None,
        root_id=_number(call, "root", 0) or None,
        damaged=query.get("damaged") in _YES,
        duplicates=query.get("duplicates") in _YES,
        unidentified=query.get("unidentified") in _YES,
    )


def _sort(call: Call) -> LibrarySort:
    text = call.query.get("sort") or LibrarySort.NAME.value
    try:
        return LibrarySort(text)
    except ValueError:
        raise UsageError(f"`{text[:40]}` is no order", hint=f"one of {', '.join(LibrarySort)}") from None


def _number(call: Call, name: str, default: int) -> int:
    text = call.query.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise UsageError(f"`{name}` cannot be `{text[:20]}`", hint="it is a number from 0 on")
    return int(text)


async def show(call: Call) -> object:
    """Show one file."""
    text = call.parameters["id"]
    known = text.isascii() and text.isdigit() and len(text) < 16
    file = await asyncio.to_thread(call.runtime.library.index.get, int(text)) if known else None
    if file is None:
        raise NotFoundHereError(f"there is no file `{text[:60]}` in the library", hint="`GET /library` lists them")
    return details_json(file, with_path=call.local)


LIBRARY: dict[str, Handler] = {"library.list": list_files, "library.show": show}
