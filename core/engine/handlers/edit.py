"""Workflows with something written into them; the document that was given stays as it is."""

from __future__ import annotations

from ...records.json import to_json
from ..bodies import EditRequest
from .call import Call, Handler
from .needs import finder_of, need_document, origins_of


async def relink(call: Call) -> object:
    """Let nodes name the files that are here under another name, where that is sure."""
    from ...workflow.edit import relink as edited
    from ...workflow.knowledge import renames

    request: EditRequest = call.body
    document = need_document(request.workflow, request.prompt)
    needs = await finder_of(call).needs(document, call.session)
    wanted = renames(needs.statuses)
    changed, count = edited(document, wanted)
    rows = [{"from": row.old, "to": row.new, "nodes": [use.node_id for use in row.uses]} for row in wanted]
    return {"document": changed, "changed": count, "renames": rows}


async def embed(call: Call) -> object:
    """Write into the nodes where their models come from, so that the next person needs no search."""
    from ...provision.needs.known_sources import with_origins
    from ...workflow.edit import embed as edited
    from ...workflow.knowledge import sources_to_embed

    request: EditRequest = call.body
    document = need_document(request.workflow, request.prompt)
    needs = await finder_of(call).needs(document, call.session, search=request.search)
    known = sources_to_embed(with_origins(needs.statuses, origins_of(call)))
    said = {(row.required.folder_name, row.required.name) for row in needs.statuses if row.required.url is not None}
    changed, count = edited(document, known)
    rows = [
        {
            "name": row.name,
            "url": row.url,
            "directory": row.folder_name,
            "hash": row.sha256,
            "hash_type": "SHA256" if row.sha256 is not None else None,
            "nodes": [use.node_id for use in row.uses],
            "adds": "digest" if (row.folder_name, row.name) in said else "address",
        }
        for row in known
    ]
    return {"document": changed, "written": count, "models": to_json(rows)}


EDIT: dict[str, Handler] = {"workflow.relink": relink, "workflow.embed": embed}
