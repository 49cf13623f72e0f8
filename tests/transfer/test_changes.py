"""Addresses that expire, tokens that are refused, files that change while they come."""

from __future__ import annotations

import asyncio
import dataclasses
from itertools import pairwise
from typing import Any

import pytest
from comfystow.core.config import Settings
from comfystow.core.errors import AuthRequiredError, ChecksumMismatchError, SizeMismatchError
from comfystow.core.net.credentials import Credentials
from support.transfers import job, left_behind, resolved, sha256_of

SIZE = 6_000_000


def slow_drops(hub, rate: int = 8_000_000, **spec: Any) -> None:
    """Make the way long enough for something to happen on it."""
    hub.fault("rate", origin="cdn", bytes_per_second=rate, **spec)
    hub.fault("drop", origin="cdn", after_bytes=400_000, fraction=0.5, times=8, **spec)


def token(hub, value: str | None) -> Credentials:
    settings = Settings(hf_endpoint=hub.hf_url)
    return Credentials.load(settings, environment={"HF_TOKEN": value} if value else {}, secrets_dir=None)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("connections", [1, 8])
async def test_expired_signature_is_renewed_without_losing_a_byte(engine, hub, tmp_path, connections, known):
    row = hub.add_file("me/repo", "signed.bin", size_bytes=SIZE)
    hub.settings(signature_seconds=0.2)
    slow_drops(hub, rate=4_000_000 // connections)
    file = resolved(row["url"], **({"sha256": row["sha256"], "size_bytes": SIZE} if known else {}))
    result = await engine.fetch(job(file, tmp_path / "signed.bin", connections=connections))
    assert sha256_of(tmp_path / "signed.bin") == row["sha256"]
    assert result.restarted == 0
    assert result.bytes_fetched == SIZE
    assert len(hub.requests(origin="hf")) > 1


async def test_all_signatures_revoked_midway(engine, hub, tmp_path):
    row = hub.add_file("me/repo", "revoked.bin", size_bytes=SIZE)
    slow_drops(hub)
    task = asyncio.create_task(engine.fetch(job(resolved(row["url"]), tmp_path / "revoked.bin", connections=4)))
    await asyncio.sleep(0.2)
    hub.revoke_signatures()
    assert (await task).bytes_fetched == SIZE
    assert sha256_of(tmp_path / "revoked.bin") == row["sha256"]


async def test_token_is_sent_to_its_own_host_only(engine, hub, tmp_path):
    row = next(row for row in hub.files(digests=True) if "stow_gated.safetensors" in str(row))
    url = f"{hub.hf_url}/Comfy-Stow/gated-demo/resolve/main/stow_gated.safetensors"
    await engine.fetch(job(resolved(url), tmp_path / "g.safetensors"), credentials=token(hub, hub.hf_token))
    assert sha256_of(tmp_path / "g.safetensors") == row["sha256"]
    names = [{name.lower() for name, _ in request["headers"]} for request in hub.requests(origin="cdn")]
    assert names
    assert not any("authorization" in found for found in names)


async def test_refused_token_asks_the_source_once_and_then_says_so(engine, hub, tmp_path):
    url = f"{hub.hf_url}/Comfy-Stow/gated-demo/resolve/main/stow_gated.safetensors"
    asked = []

    async def renew():
        asked.append(1)
        return resolved(url)

    with pytest.raises(AuthRequiredError):
        await engine.fetch(job(resolved(url), tmp_path / "g.safetensors"), renew=renew, credentials=token(hub, None))
    assert len(asked) == 1
    assert [name for name in left_behind(tmp_path) if name.endswith(".safetensors")] == []


@pytest.mark.parametrize("etag", [True, False], ids=["new-etag", "same-etag"])
@pytest.mark.parametrize("known", [True, False], ids=["digest", "no-digest"])
@pytest.mark.parametrize("connections", [1, 8])
async def test_changed_content_is_never_mixed(engine, hub, tmp_path, connections, known, etag):
    row = hub.add_direct("changing.bin", size_bytes=SIZE)
    dest = tmp_path / "changing.bin"
    slow_drops(hub)
    hub.fault("change", file="changing.bin", after_requests=3, etag=etag)
    file = resolved(row["url"], **({"sha256": row["sha256"]} if known else {}))
    if known:
        # The source still promises the old content, which nobody has any more.
        with pytest.raises(ChecksumMismatchError) as caught:
            await engine.fetch(job(file, dest, connections=connections))
        assert row["sha256"] in caught.value.message
        assert not dest.exists()
        return
    notes = []
    result = await engine.fetch(
        job(file, dest, connections=connections), on_progress=lambda progress: notes.append(progress.note)
    )
    assert result.restarted >= 1
    hub.clear_faults()
    hub.fault("change", file="changing.bin", after_requests=0)
    again = await engine.fetch(job(resolved(row["url"]), tmp_path / "other.bin"))
    assert sha256_of(dest) == again.digest.hex != row["sha256"]
    assert any(note and "starting over" in note for note in notes)


@pytest.mark.parametrize("connections", [1, 8])
async def test_source_that_names_the_new_digest_gets_the_new_file(engine, hub, tmp_path, connections):
    row = hub.add_direct("moving.bin", size_bytes=SIZE)
    with hub.faulty("change", file="moving.bin"):
        new = await engine.fetch(job(resolved(row["url"]), tmp_path / "new.bin"))
    old = resolved(row["url"], sha256=row["sha256"], size_bytes=SIZE)

    async def renew():
        return dataclasses.replace(old, digest=new.digest)

    slow_drops(hub)
    hub.fault("change", file="moving.bin", after_requests=3)
    result = await engine.fetch(job(old, tmp_path / "moving.bin", connections=connections), renew=renew)
    assert sha256_of(tmp_path / "moving.bin") == new.digest.hex == result.digest.hex
    assert result.verified == "digest"
    assert result.restarted >= 1


async def test_mismatch_is_quarantined_and_names_both_digests(engine, hub, tmp_path):
    row = hub.add_direct("bad.bin", size_bytes=1_000_000)
    promised = "ab" * 32
    with pytest.raises(ChecksumMismatchError) as caught:
        await engine.fetch(job(resolved(row["url"], sha256=promised), tmp_path / "bad.bin"))
    assert promised in caught.value.message
    assert row["sha256"] in caught.value.message
    assert left_behind(tmp_path) == ["bad.bin.part.bad"]


async def test_other_size_than_promised_is_refused(engine, hub, tmp_path):
    row = hub.add_direct("size.bin", size_bytes=1_000_000)
    with pytest.raises(SizeMismatchError):
        await engine.fetch(job(resolved(row["url"], size_bytes=999_999), tmp_path / "size.bin"))
    assert not (tmp_path / "size.bin").exists()


@pytest.mark.parametrize("kind", ["blake3", "autov1", "autov2", "autov3", "crc32", "sha1"])
async def test_other_kinds_of_digest(engine, hub, tmp_path, kind):
    import hashlib
    import zlib

    from blake3 import blake3
    from comfystow.core.errors import HeaderMismatchError
    from comfystow.core.records.source import Digest

    row = hub.add_file("me/repo", "kinds.safetensors", size_bytes=3_000_000)
    await engine.fetch(job(resolved(row["url"]), tmp_path / "plain.safetensors"))
    data = (tmp_path / "plain.safetensors").read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    right = {
        "blake3": blake3(data).hexdigest(),
        "autov1": hashlib.sha256(data[0x100000:0x110000]).hexdigest()[:8],
        "autov2": hashlib.sha256(data).hexdigest()[:10],
        "autov3": hashlib.sha256(data[header:]).hexdigest()[:12],
        "crc32": f"{zlib.crc32(data):08x}",
        "sha1": hashlib.sha1(data).hexdigest(),
    }[kind]
    file = dataclasses.replace(resolved(row["url"]), digest=Digest(kind, right))
    result = await engine.fetch(job(file, tmp_path / "right.safetensors"))
    assert result.verified == ("header" if kind in {"autov1", "autov3"} else "digest")
    wrong = dataclasses.replace(file, digest=Digest(kind, right[:-1] + ("0" if right[-1] != "0" else "1")))
    with pytest.raises((ChecksumMismatchError, HeaderMismatchError)):
        await engine.fetch(job(wrong, tmp_path / "wrong.safetensors"))


@pytest.mark.parametrize("connections", [1, 8])
async def test_with_a_digest_no_byte_is_fetched_twice_over_pauses_and_drops(engine, hub, tmp_path, connections):
    row = hub.add_file("me/repo", "once.bin", size_bytes=SIZE)
    work = job(
        resolved(row["url"], sha256=row["sha256"], size_bytes=SIZE), tmp_path / "once.bin", connections=connections
    )
    with hub.faulty("rate", origin="cdn", bytes_per_second=4_000_000 // connections):
        task = asyncio.create_task(engine.fetch(work))
        await asyncio.sleep(0.6)
        task.cancel()
        await asyncio.wait([task])
    hub.clear_requests()
    result = await engine.fetch(work)
    assert sha256_of(work.dest) == row["sha256"]
    ranges = [request["range"] for request in hub.requests(origin="cdn")]
    spans = sorted(tuple(int(end) for end in text.removeprefix("bytes=").split("-")) for text in ranges)
    assert sum(last + 1 - first for first, last in spans) == result.bytes_fetched
    assert all(last < first for (_, last), (first, _) in pairwise(spans))


@pytest.mark.parametrize("times", [1, None], ids=["once", "always"])
async def test_wrong_range_behind_a_digest_is_found_at_its_seam(engine, hub, tmp_path, times):
    row = hub.add_direct("seam.bin", size_bytes=SIZE)
    hub.fault("rate", file="seam.bin", bytes_per_second=4_000_000)
    hub.fault("wrong_body", file="seam.bin", shift=50_000, min_offset=1, times=times)
    work = job(resolved(row["url"], sha256=row["sha256"], size_bytes=SIZE), tmp_path / "seam.bin", connections=4)
    result = await engine.fetch(work)
    assert sha256_of(work.dest) == row["sha256"]
    assert (result.verified, result.restarted) == ("digest", 1)


async def test_wrong_digest_over_right_ranges_fetches_nothing_again(engine, hub, tmp_path):
    row = hub.add_direct("right.bin", size_bytes=SIZE)
    hub.fault("rate", file="right.bin", bytes_per_second=4_000_000)
    work = job(resolved(row["url"], sha256="0" * 64, size_bytes=SIZE), tmp_path / "right.bin", connections=4)
    with pytest.raises(ChecksumMismatchError):
        await engine.fetch(work)
    assert hub.bytes_sent("direct/right.bin") < SIZE + 200_000  # what was looked at again around the seams
    assert left_behind(tmp_path) == ["right.bin.part.bad"]
