"""The fault table: whatever the server does, the file is right or absent, the error says why, and the part resumes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from comfystow.core.errors import StowError
from hub.server import Hub
from support.transfers import job, left_behind, resolved, sha256_of

SIZE = 5 * (1 << 20) + 12_346  # the hub makes headers for even sizes


@dataclass(frozen=True)
class Case:
    """A fault. `absent` lists the codes it may end with; empty: the file must arrive in spite of it.

    With `while_it_lasts` the fault stays, so the file cannot arrive; then it is cleared, and the part goes on.
    """

    name: str
    rules: tuple[dict[str, Any], ...]
    absent: tuple[str, ...] = ()
    absent_unknown: tuple[str, ...] | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def rule(kind: str, **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "file": "faulty.safetensors", **spec}


SLOW = rule("rate", bytes_per_second=20_000_000)
CASES = [
    Case("drop", (rule("drop", after_bytes=300_001, fraction=0.6, times=12),)),
    Case("reset", (rule("drop", after_bytes=77_777, reset=True, fraction=0.6, times=12),)),
    Case("drop at once", (rule("no_reply", fraction=0.5, times=10),)),
    Case("503 with Retry-After", (rule("status", status=503, retry_after=1, times=1),)),
    Case("503 without Retry-After", (rule("status", status=503, times=4),)),
    Case("429", (rule("rate_limit", retry_after=1, times=1),)),
    Case("429 above two connections", (SLOW, rule("max_connections", limit=2))),
    Case("stall", (rule("stall", after_bytes=500_000, fraction=0.5, times=4),)),
    Case("stall before the head", (rule("delay", seconds=20, times=1, skip=1),)),
    Case("slow loris", (rule("slow_loris", after_bytes=200_000, every=3, times=3),)),
    Case("one slow peer", (rule("slow_loris", chunk_bytes=20_000, interval_seconds=0.1, times=1, skip=2),)),
    Case("Range ignored always", (rule("ignore_range"),)),
    Case("Range ignored now and then", (rule("ignore_range", every=3), rule("drop", after_bytes=2_000_000, times=5))),
    Case("Range ignored and drops", (rule("ignore_range"), rule("drop", after_bytes=3_500_000, times=3))),
    Case("206 with bytes from elsewhere", (rule("wrong_body", shift=100_000, min_offset=1, times=3),)),
    Case("206 always with bytes from elsewhere", (rule("wrong_body", shift=100_000, min_offset=1),)),
    Case("wrong Content-Range", (rule("content_range", start_shift=3, fraction=0.5, times=6),)),
    Case("always wrong Content-Range", (rule("content_range", start_shift=3),)),
    Case("wrong total", (rule("content_range", start_shift=0, total_shift=7, min_offset=1, times=1),)),
    Case("short body", (rule("short_body", missing_bytes=100_000, fraction=0.5, times=6),)),
    Case("short body told", (rule("short_body", missing_bytes=1000, declared="short", fraction=0.5, times=6),)),
    Case("gzip now and then", (rule("gzip", every=3, times=3),)),
    Case("gzip always", (rule("gzip"),), absent=("range_refused", "server_error")),
    Case("no length", (rule("no_length"),)),
    Case("chunked and drops", (rule("no_length"), rule("drop", after_bytes=2_500_000, times=2))),
    Case("endless header", (rule("huge_header", bytes=200_000, times=2),)),
    Case("weak ETag", (rule("headers", set={"ETag": 'W/"x"'}), rule("drop", after_bytes=300_001, times=5))),
    Case("no ETag", (rule("headers", remove=["ETag"]), rule("drop", after_bytes=300_001, times=5))),
    Case("a page now and then", (rule("html_login", every=3, times=3, skip=1),)),
    Case("XML now and then", (rule("xml_error", every=3, times=3, skip=1),)),
    Case("login page", (rule("html_login"),), absent=("not_a_model",)),
    Case("XML error", (rule("xml_error"),), absent=("not_a_model",)),
    Case("LFS pointer", (rule("lfs_pointer"),), absent=("size_mismatch", "not_a_model")),
    Case("404", (rule("status", status=404),), absent=("not_found_at_source",)),
    Case("410", (rule("status", status=410),), absent=("gone",)),
    Case("401", (rule("status", status=401),), absent=("token_required",)),
    Case("503 for good", (rule("status", status=503),), absent=("server_error",)),
    Case("redirect loop", (rule("redirect_loop", path="*"),), absent=("source_error",)),
    Case("redirect to a private address", (rule("redirect_private", path="*"),), absent=("host_not_allowed",)),
    Case(
        "redirect to a host that is not listed",
        (rule("redirect", path="*", location="https://evil.example/model.safetensors"),),
        absent=("host_not_allowed",),
    ),
    Case(
        "all bytes wrong",
        (rule("wrong_body"),),
        absent=("checksum_mismatch",),
        absent_unknown=("header_mismatch",),
    ),
]


@pytest.fixture
def model(hub: Hub) -> dict[str, Any]:
    """Give a model in a repository: a redirect, then a signed address on the storage."""
    return hub.add_file("me/faulty", "faulty.safetensors", size_bytes=SIZE)


@pytest.mark.parametrize("known", [True, False], ids=["digest", "no-digest"])
@pytest.mark.parametrize("connections", [1, 8])
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_right_or_absent(engine, hub: Hub, model, tmp_path: Path, case: Case, connections: int, known: bool):
    facts = {"size_bytes": SIZE, "sha256": model["sha256"]} if known else {}
    dest = tmp_path / "model.safetensors"
    for spec in case.rules:
        hub.fault(**spec)
    work = job(resolved(model["url"], **facts), dest, connections=connections)
    absent = case.absent if known or case.absent_unknown is None else case.absent_unknown
    if absent:
        with pytest.raises(StowError) as caught:
            await engine.fetch(work)
        assert caught.value.code in absent
        assert caught.value.hint
        assert not dest.exists()
        hub.clear_faults()
    result = await engine.fetch(work)
    assert sha256_of(dest) == model["sha256"]
    assert result.verified == ("digest" if known else "header")
    assert left_behind(tmp_path) == ["model.safetensors"]
