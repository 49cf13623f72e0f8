"""The way over Xet, by the real hf_xet against the hub's storage; and HTTPS wherever that way fails."""

from __future__ import annotations

import asyncio
import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from comfystow.core.config import Settings
from comfystow.core.net.credentials import Credentials
from comfystow.core.records.source import HuggingFaceSource
from support.transfers import QUICK, job, left_behind, open_engine, resolved, sha256_of

SIZE = 3_000_000
LIMITS = replace(QUICK, xet=True, stall_timeout_seconds=3.0, response_timeout_seconds=10.0)


@pytest.fixture(autouse=True)
def hub_home(tmp_path_factory, monkeypatch) -> None:
    """hf_xet writes logs and staging below this."""
    monkeypatch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hf")))


@pytest.fixture
def model(hub) -> dict[str, Any]:
    hub.settings(xet_headers=True)
    return hub.add_file("me/repo", "model.safetensors", size_bytes=SIZE)


def known(row: dict[str, Any], **facts: Any) -> Any:
    """Describe a file of the Hub as its resolver does."""
    file = resolved(row["url"], size_bytes=SIZE, sha256=row["sha256"], **facts)
    return replace(file, source=HuggingFaceSource(repo_id="me/repo", filename="model.safetensors"))


def over_xet(hub) -> list[str]:
    return [row["target"] for row in hub.requests(origin="cdn") if row["target"].startswith("/xet/xorbs/")]


def over_https(hub) -> list[str]:
    return [row["target"] for row in hub.requests(origin="cdn") if not row["target"].startswith("/xet/")]


async def fetch(engine, file, dest: Path, **options: Any) -> tuple[Any, list[Any]]:
    seen: list[Any] = []
    result = await engine.fetch(job(file, dest, **options), on_progress=seen.append)
    return result, seen


async def test_file_comes_over_xet_and_is_proven(hub, model, tmp_path):
    with open_engine(LIMITS) as engine:
        result, seen = await fetch(engine, known(model), tmp_path / "model.safetensors")
    assert sha256_of(tmp_path / "model.safetensors") == model["sha256"]
    assert (result.verified, result.bytes_fetched) == ("digest", SIZE)
    assert over_xet(hub)
    assert not over_https(hub)
    assert any(progress.note == "over Xet" for progress in seen)
    assert seen[-1].bytes_done == SIZE
    assert left_behind(tmp_path) == ["model.safetensors"]


async def test_gated_file_gets_its_token_by_the_users(hub, tmp_path):
    hub.settings(xet_headers=True)
    row = next(row for row in hub.files(digests=True) if "stow_gated.safetensors" in str(row))
    url = f"{hub.hf_url}/Comfy-Stow/gated-demo/resolve/main/stow_gated.safetensors"
    file = replace(known({"url": url, "sha256": row["sha256"]}), size_bytes=row["size"])
    tokens = Credentials.load(
        Settings(hf_endpoint=hub.hf_url), environment={"HF_TOKEN": hub.hf_token}, secrets_dir=None
    )
    with open_engine(LIMITS) as engine:
        await engine.fetch(job(file, tmp_path / "g.safetensors"), credentials=tokens)
    assert sha256_of(tmp_path / "g.safetensors") == row["sha256"]
    assert over_xet(hub)
    sent = [dict(request["headers"]).get("Authorization", "") for request in hub.requests(origin="cdn")]
    assert not any(hub.hf_token in value for value in sent)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "stall", "origin": "cdn", "path": "/xet/*"},
        {"kind": "status", "status": 404, "origin": "cdn", "path": "/xet/*"},
        {"kind": "status", "status": 403, "origin": "hf", "path": "*xet-read-token*"},
        {"kind": "redirect", "location": "https://evil.example/x", "origin": "hf", "path": "*xet-read-token*"},
    ],
    ids=["stall", "refused", "no token", "token elsewhere"],
)
async def test_https_where_xet_fails(hub, model, tmp_path, fault):
    hub.fault(**fault)
    hub.fault("rate", file="model.safetensors", bytes_per_second=4_000_000)
    with open_engine(LIMITS) as engine:
        _, seen = await fetch(engine, known(model), tmp_path / "model.safetensors")
    assert sha256_of(tmp_path / "model.safetensors") == model["sha256"]
    assert over_https(hub)
    assert any("plain HTTPS" in (progress.note or "") for progress in seen)
    assert left_behind(tmp_path) == ["model.safetensors"]


async def test_wrong_bytes_over_xet_are_fetched_again_over_https(hub, model, tmp_path):
    hub.fault("wrong_body", origin="cdn", path="/xet/xorbs/*")
    with open_engine(LIMITS) as engine:
        await fetch(engine, known(model), tmp_path / "model.safetensors")
    assert sha256_of(tmp_path / "model.safetensors") == model["sha256"]
    assert over_https(hub)


async def test_missing_package_is_named_and_https_brings_the_file(hub, model, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "hf_xet" else find(name, *rest)
    )
    hub.fault("rate", file="model.safetensors", bytes_per_second=4_000_000)
    with open_engine(LIMITS) as engine:
        _, seen = await fetch(engine, known(model), tmp_path / "model.safetensors")
    assert any("hf_xet is not installed" in (progress.note or "") for progress in seen)
    assert over_https(hub)
    assert not over_xet(hub)


async def test_pause_ends_hf_xet_and_leaves_no_half_file(hub, model, tmp_path):
    hub.fault("stall", origin="cdn", path="/xet/xorbs/*")
    work = job(known(model), tmp_path / "model.safetensors")
    with open_engine(replace(LIMITS, stall_timeout_seconds=60.0, response_timeout_seconds=60.0)) as engine:
        task = asyncio.create_task(engine.fetch(work))
        while not over_xet(hub):
            await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
        assert not any(name.endswith(".xet") for name in left_behind(tmp_path))
        hub.clear_faults()
        await engine.fetch(work)
    assert sha256_of(work.dest) == model["sha256"]


@pytest.mark.parametrize("why", ["begun", "limited", "no digest", "switched off"])
async def test_https_where_xet_cannot_do_what_is_asked(hub, model, tmp_path, why):
    file, limits, options = known(model), LIMITS, {}
    if why == "limited":
        options["limit_rate_bytes_per_second"] = 50_000_000
    elif why == "no digest":
        file = replace(file, digest=None)
    elif why == "switched off":
        limits = replace(LIMITS, xet=False)
    work = job(file, tmp_path / "model.safetensors", **options)
    if why == "begun":
        with (
            open_engine(replace(LIMITS, xet=False)) as engine,
            hub.faulty("rate", file="model.safetensors", bytes_per_second=1_000_000),
        ):
            task = asyncio.create_task(engine.fetch(work))
            await asyncio.sleep(0.4)
            task.cancel()
            await asyncio.wait([task])
    with open_engine(limits) as engine:
        await engine.fetch(work)
    assert sha256_of(work.dest) == model["sha256"]
    assert not over_xet(hub)
