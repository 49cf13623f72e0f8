"""Models by name."""

from __future__ import annotations

from ...errors import UsageError
from ...net.secrets import scrub
from ...records.json import to_json
from .call import Call, Handler

_DEFAULT_LIMIT = 20


async def search(call: Call) -> object:
    """Search; who goes away ends the search."""
    runtime, query = call.runtime, call.query
    try:
        limit = int(query.get("limit", str(_DEFAULT_LIMIT)))
    except ValueError:
        raise UsageError(f"`limit` cannot be `{query['limit'][:20]}`", hint="it is a number") from None
    found = await runtime.networks.of(call.session).sources.search.find(
        query.get("q", ""),
        folder_name=query.get("folder") or None,
        provider=query.get("provider") or None,
        limit=limit,
        credentials=runtime.credentials(call.session),
    )
    data = to_json(found)
    for error in data["errors"].values():
        error["message"] = scrub(error["message"])
    return data


SEARCH: dict[str, Handler] = {"sources.search": search}
