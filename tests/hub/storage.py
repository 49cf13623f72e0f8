"""The storage origin: what the signed URLs of both sites lead to.

Sources: Hugging Face redirects to CloudFront (`cdn.hf.co/xet-bridge-us/<repo>/<hash>?...&Expires=&Policy=&Signature=
&Key-Pair-Id=`, ngxson/wllama#248), Civitai to an R2 presigned URL (`X-Amz-*`, civitai/civitai#975). The storage's own
ETag of a Hub file is 64 hex digits too, but not the file's SHA-256 (nullata/llamaMan#70).
"""

from __future__ import annotations

import hashlib
import re
import struct
import urllib.parse
import zlib
from collections.abc import Callable, Sequence

from .blobs import Blob, BytesBlob
from .replies import Reply, Request, file_reply, text, xml_error
from .world import MODIFIED, Stored, World
from .xet import xet_reply

_PREVIEW = re.compile(r"^/preview/[0-9a-f]{32}/original=true/\d+\.jpeg$")


class Storage:
    """Application of the storage port."""

    def __init__(self, world: World, catalogues: Sequence[Callable[[], dict[str, Stored]]]) -> None:
        self._world = world
        self._catalogues = catalogues

    def __call__(self, request: Request) -> Reply:
        path = urllib.parse.unquote(request.path)
        if path.startswith("/xet/"):
            return xet_reply(self._world, self._world.objects, request)
        if request.method not in ("GET", "HEAD"):
            return xml_error(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        if _PREVIEW.match(path):
            return _preview()
        if path.startswith("/direct/"):
            return self._direct(request, path.removeprefix("/direct/"))
        stored = self._find(path)
        r2 = (stored is not None and stored.bucket == "r2") or request.first("X-Amz-Signature") is not None
        if r2 and request.headers.get("Authorization") is not None:
            # R2 with a presigned URL and an Authorization header: caru-ini/modal-comfyui#19.
            return self._about(stored, xml_error(400, "InvalidRequest", "Missing x-amz-content-sha256"))
        if r2:
            expires = (request.first("X-Amz-Credential") or "").split("/")[0]
            state = self._world.signature_state(path, expires, request.first("X-Amz-Signature"))
        else:
            state = self._world.signature_state(path, request.first("Policy"), request.first("Signature"))
        if state != "valid":
            return self._about(stored, _refused(state, r2=r2))
        if stored is None:
            return xml_error(404, "NoSuchKey", "The specified key does not exist.")
        digests = self._world.digests(stored.blob)
        etag = storage_etag(digests.sha256, stored.blob, r2=r2)
        headers = [("Content-Disposition", request.first("response-content-disposition") or "attachment")]
        return file_reply(request, stored.blob, file=stored.label, etag=etag, modified=MODIFIED, headers=headers)

    def _find(self, path: str) -> Stored | None:
        """Find an object; a URL signed before a restart of the hub leads to one that was not handed out yet."""
        if path not in self._world.objects:
            for catalogued in self._catalogues:
                self._world.objects.update(catalogued())
        return self._world.objects.get(path)

    @staticmethod
    def _about(stored: Stored | None, reply: Reply) -> Reply:
        reply.file = stored.label if stored is not None else ""
        return reply

    def _direct(self, request: Request, name: str) -> Reply:
        """Serve a plain file of a plain web server (RFC 9110), for direct URLs and for benchmarks."""
        blob = self._world.direct.get(name)
        if blob is None:
            return text("404 Not Found\n", 404)
        etag = f'"{hashlib.sha256(blob.key.encode()).hexdigest()[:16]}"'
        return file_reply(request, blob, file=f"direct/{name}", etag=etag, modified=MODIFIED)


def storage_etag(sha256: str, blob: Blob, *, r2: bool) -> str:
    """Give the validator of a stored object: opaque, and never the file's SHA-256."""
    digest = hashlib.sha256(f"xet:{sha256}".encode()).hexdigest()
    # S3 writes the ETag of a multipart upload as 32 hex digits and the number of parts.
    return f'"{digest[:32]}-{blob.size // (100 << 20) + 1}"' if r2 else f'"{digest}"'


def _refused(state: str, *, r2: bool) -> Reply:
    """CloudFront says AccessDenied for both; R2 has ExpiredRequest (cloudflare/cloudflare-docs#32436)."""
    if not r2:
        return xml_error(403, "AccessDenied", "Access denied")
    if state == "expired":
        return xml_error(403, "ExpiredRequest", "Request has expired")
    return xml_error(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")


def _preview() -> Reply:
    """Draw a model's preview picture: 64 by 64, two colours, as PNG (W3C PNG, chunks IHDR, IDAT, IEND)."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + bytes([40, 90, 140] * (64 - y) + [230, 180, 90] * y) for y in range(64))
    size = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return Reply(headers=[("Content-Type", "image/png")], blob=BytesBlob(data), length=len(data))
