"""What files at their sources hold, before they are downloaded."""

from __future__ import annotations

import asyncio

from ...errors import StowError, UsageError
from ...net.secrets import scrub
from ...records.download import ErrorInfo
from ...records.json import to_json
from ...records.source import LocalSource, StoreSource
from ...sources.expand import expand
from ...sources.inspection import Inspection, inspect_remote
from ..bodies import ExpandRequest, InspectRequest
from .call import Call, Handler

_MOST_REFS = 100
_AT_ONCE = 8


async def inspect(call: Call) -> object:
    """Look into each; one that fails has its error."""
    request: InspectRequest = call.body
    if len(request.refs) > _MOST_REFS:
        raise UsageError(f"{len(request.refs)} references are too many at once", hint=f"at most {_MOST_REFS}")
    gate = asyncio.Semaphore(_AT_ONCE)

    async def look(ref: str) -> Inspection:
        async with gate:
            try:
                return await _inspected(call, ref)
            except StowError as err:
                return Inspection(ref=scrub(ref), error=ErrorInfo.of(err))

    return {"files": to_json(await asyncio.gather(*map(look, request.refs)))}


async def _inspected(call: Call, ref: str) -> Inspection:
    network, credentials = call.runtime.networks.of(call.session), call.runtime.credentials(call.session)
    source = network.sources.parse(ref)
    if isinstance(source, LocalSource) or (isinstance(source, StoreSource) and source.url.startswith("file:")):
        raise UsageError("a file of this machine is not looked into from here", hint="comfystow inspect FILE")
    file = await network.sources.resolve(source, credentials)
    return await inspect_remote(network.client, scrub(ref), file, credentials)


async def expand_source(call: Call) -> object:
    """List what patterns choose."""
    request: ExpandRequest = call.body
    network = call.runtime.networks.of(call.session)
    found = await expand(
        network.sources.huggingface,
        network.sources.parse(request.source),
        call.runtime.credentials(call.session),
        include=request.include,
        exclude=request.exclude,
        allow_pickle=network.settings.allow_pickle,
    )
    return to_json(found)


INSPECT: dict[str, Handler] = {"sources.inspect": inspect, "sources.expand": expand_source}
