"""docs/http.md: the route table in words."""

from __future__ import annotations

import dataclasses
import typing

from comfystow.core.engine.protocol import HTTP_PREFIX
from comfystow.core.engine.routes import ROUTES, Route, Where
from comfystow.core.records.download import Download

_HEAD = f"""\
# HTTP

ComfyUI's own server serves these under `{HTTP_PREFIX}` and passes them on to the engine; `GET
{HTTP_PREFIX}/openapi.json` is the same table for programs. A body is a JSON object with the fields named here and no
others; fields with `?` may be left out. What fails has the right status and `{{"error": {{"code", "message", "hint",
"retryable"}}}}`.

**Who may ask.** A request that changes something needs `Content-Type: application/json` and `X-ComfyStow: 1`. An
`Origin`, if one is sent, must be the server's own or one in `COMFYSTOW_ALLOW_ORIGINS`. From another machine also the
access secret in `X-ComfyStow-Secret` (`comfystow auth secret` shows it), unless the owner set
`COMFYSTOW_ALLOW_REMOTE=1`. After five wrong secrets a caller waits, 1 s at first and at most a minute: 429 with
`Retry-After`. The password page counts with it. Behind a proxy callers are told apart by what it says of them
(`X-Forwarded-For` and the like), and have twenty tries together, one more every 10 s.

**Events** come over ComfyUI's websocket: `comfystow.downloads` `{{downloads: [Download]}}` with those that changed,
at most four times a second and 200 at once, and `comfystow.library`, `comfystow.system`, `comfystow.notice`. After a
reconnect read the state again.
"""

_ENGINE_HEAD = """\
## Between the engine and its callers

On the engine's socket only (in the run directory, readable by its owner), never passed on from a browser. The caller
names its session in `X-ComfyStow-Session`. A session lives as long as its event stream, and while a download of its
own may still need its tokens; `not_attached` and `engine_unavailable` mean: attach again, and ask again.
"""


def http_page() -> str:
    """Give docs/http.md."""
    served = [route for route in ROUTES if not route.internal]
    internal = [route for route in ROUTES if route.internal]
    fields = ", ".join(f"`{item.name}`" for item in dataclasses.fields(Download) if item.name not in _PRIVATE)
    return "\n".join(
        [
            _HEAD,
            _table(served),
            f"\nA **Download** has {fields}, and `eta_seconds`; unknown is `null`.\n",
            _ENGINE_HEAD,
            _table(internal),
            "",
        ]
    )


_PRIVATE = frozenset({"dest_path", "session_id", "part_dir", "base_path"})


def _table(routes: list[Route]) -> str:
    rows = ["| route | body | answer | does |", "| --- | --- | --- | --- |"]
    for route in routes:
        where = " (by ComfyUI's process)" if route.where is Where.HOST else ""
        answer = f"{route.status}: {route.returns}" if route.status != 200 else route.returns
        rows.append(f"| `{route.method} {route.path}` | {_body(route)} | {answer} | {route.summary}{where} |")
    return "\n".join(rows)


def _body(route: Route) -> str:
    if route.request is None:
        return "-"
    return " ".join(f"`{item.name}{_optional(item)}`" for item in dataclasses.fields(route.request))


def _optional(item: dataclasses.Field[typing.Any]) -> str:
    needed = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
    return "" if needed else "?"
