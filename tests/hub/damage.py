"""What faults make of a reply before it goes out: another reply, or the same with wrong headers or bytes."""

from __future__ import annotations

import http.client

from .blobs import FlippedBlob, ResizedBlob, ShiftedBlob
from .catalogue import lfs_pointer
from .faults import Strikes
from .replies import Reply, html, redirect, text, xml_error


def replaced(reply: Reply, target: str, strikes: Strikes) -> Reply | None:
    """Give the reply that a fault sends instead, or None."""
    by_kind = strikes.by_kind
    instead: Reply | None = None
    if "status" in by_kind or "max_connections" in by_kind:
        fault = by_kind.get("status") or by_kind["max_connections"]
        body = fault.get("body") or f"{http.client.responses.get(fault['status'], 'Error')}\n"
        instead = text(body, fault["status"], fault.get("content_type", "text/plain; charset=utf-8"))
        if fault["retry_after"] is not None:
            instead.set("Retry-After", str(fault["retry_after"]))
    elif "rate_limit" in by_kind:
        fault = by_kind["rate_limit"]
        instead = text("We had to rate limit you.", 429)
        # huggingface_hub utils/_http.py parse_ratelimit_headers, draft-ietf-httpapi-ratelimit-headers-09.
        bucket = "resolvers" if "/resolve/" in target else "api"
        instead.set("RateLimit", f'"{bucket}";r=0;t={fault["retry_after"]}')
        policy = f'"fixed window";"{bucket}";q={fault["quota"]};w={fault["window_seconds"]}'
        instead.set("RateLimit-Policy", policy)
        instead.set("Retry-After", str(fault["retry_after"]))
    elif "expired" in by_kind:
        instead = xml_error(403, "AccessDenied", "Request has expired")
    elif "redirect" in by_kind or "redirect_private" in by_kind:
        fault = by_kind.get("redirect") or by_kind["redirect_private"]
        instead = redirect(fault["location"], fault["status"])
    elif "redirect_loop" in by_kind:
        instead = redirect(target, by_kind["redirect_loop"]["status"])
    elif "html_login" in by_kind:
        instead = html("Log in to continue", by_kind["html_login"]["status"])
    elif "xml_error" in by_kind:
        instead = xml_error(by_kind["xml_error"]["status"], "InternalError", "We encountered an internal error.")
    elif "lfs_pointer" in by_kind:
        instead = text(lfs_pointer("0" * 64, reply.blob.size))
    if instead is not None:
        instead.file = reply.file
    return instead


def damaged(reply: Reply, strikes: Strikes) -> Reply:
    """Change what a file's reply says or carries."""
    changed = strikes.get("change")
    if reply.remake is not None and (changed is not None or strikes.get("ignore_range") is not None):
        blob, etag = reply.blob, dict(reply.headers)["ETag"]
        if changed is not None:
            blob = ResizedBlob(FlippedBlob(blob), blob.size + changed["resize"])
            etag = f'"changed-{etag.strip(chr(34))}"' if changed["etag"] else etag
        reply = reply.remake(blob, etag, strikes.get("ignore_range") is None)
    if (wrong := strikes.get("content_range")) is not None and reply.status == 206:
        start, total = reply.start + wrong["start_shift"], reply.blob.size + wrong["total_shift"]
        reply.set("Content-Range", f"bytes {start}-{start + reply.length - 1}/{total}")
    if (wrong := strikes.get("wrong_body")) is not None:
        if wrong["shift"]:
            reply.blob = ShiftedBlob(reply.blob, wrong["shift"])
        else:
            first = b"".join(reply.blob.chunks(0, 8))
            keep = 8 + int.from_bytes(first, "little") if wrong["keep_header"] else 0
            reply.blob = FlippedBlob(reply.blob, keep)
    return reply
