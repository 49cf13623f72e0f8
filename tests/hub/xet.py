"""Xet's storage as hf_xet reads it: reconstructions of files, and packs of chunks ("xorbs").

Sources: xet-core `cas_types` (QueryReconstructionResponse), `cas_object` (the eight bytes before each chunk: version,
length, scheme, unpacked length), and what hf_xet 1.8 asks for. Chunks here are neither compressed nor shared.
"""

from __future__ import annotations

import re
import time

from .blobs import BytesBlob
from .replies import Reply, Request, as_json, file_reply
from .world import MODIFIED, Stored, World

TOKEN = "xet_stow_reader"
_CHUNK_BYTES = 64 << 10
_VERSION, _STORED = 0, 0
_PATH = re.compile(r"^/xet/(?:v1/reconstructions|xorbs)/([0-9a-f]{64})$")


def xet_hash(sha256: str) -> str:
    """Give the name of a file on Xet: 64 hex digits too, and never its SHA-256."""
    return sha256[::-1]


def token_reply(world: World) -> Reply:
    """Answer `/api/…/xet-read-token/…` (huggingface_hub `utils/_xet.py`: body for hf_xet, headers for the library)."""
    expires = int(time.time()) + 3600
    endpoint = f"{world.urls.cdn}/xet"
    headers = [
        ("X-Xet-Cas-Url", endpoint),
        ("X-Xet-Access-Token", TOKEN),
        ("X-Xet-Token-Expiration", str(expires)),
    ]
    return as_json({"accessToken": TOKEN, "exp": expires, "casUrl": endpoint}, headers=headers)


def packed(data: bytes) -> bytes:
    """Give a file's chunks in one pack."""
    out = bytearray()
    for at in range(0, len(data), _CHUNK_BYTES):
        chunk = data[at : at + _CHUNK_BYTES]
        length = len(chunk).to_bytes(3, "little")
        out += bytes([_VERSION]) + length + bytes([_STORED]) + length + chunk
    return bytes(out)


def xet_reply(world: World, objects: dict[str, Stored], request: Request) -> Reply:
    """Answer everything below `/xet/` on the storage port."""
    match = _PATH.match(request.path)
    found = {xet_hash(world.digests(stored.blob).sha256): stored for stored in objects.values()} if match else {}
    stored = found.get(match[1]) if match else None
    if stored is None:
        return as_json({"error": "not found"}, 404)
    data = b"".join(bytes(chunk) for chunk in stored.blob.chunks(0, stored.blob.size))
    body = packed(data)
    if "/xorbs/" in request.path:
        return file_reply(request, BytesBlob(body), file=stored.label, etag='"xorb"', modified=MODIFIED)
    if request.bearer != TOKEN:
        return as_json({"error": "unauthorized"}, 401)
    name, chunks = "a" * 64, -(-len(data) // _CHUNK_BYTES)
    whole = {"start": 0, "end": chunks}
    url = f"{world.urls.cdn}/xet/xorbs/{match[1] if match else ''}"
    return as_json(
        {
            "offset_into_first_range": 0,
            "terms": [{"hash": name, "unpacked_length": len(data), "range": whole}],
            "fetch_info": {
                name: [{"range": whole, "url": url, "url_range": {"start": 0, "end": len(body) - 1}}],
            },
        }
    )
