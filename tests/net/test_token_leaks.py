"""No redirect of any shape takes a token to a foreign origin: every request that the hub logged is looked at."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from comfystow.core.errors import StowError
from comfystow.core.net.location import FIRST_BYTE, get_json, locate
from comfystow.core.net.ranged import read_range
from comfystow.core.records.source import ResolvedFile, UrlSource
from comfystow.core.transfer.engine import TransferEngine
from comfystow.core.transfer.job import TransferJob, TransferLimits
from support.wayout import place, way_out

FILE = "/Comfy-Stow/taesd-demo/resolve/main/taesd.safetensors"
STATUSES = (301, 302, 303, 307, 308)


def shapes(hub) -> dict[str, str]:
    """Give every way to write a Location that leads, or seems to lead, away from the hub's own origin."""
    cdn, hf = place(hub.cdn_url), place(hub.hf_url)
    path = "/direct/bait.safetensors"
    return {
        "another port": f"http://{cdn}{path}",
        "scheme-relative": f"//{cdn}{path}",
        "upper case": f"HTTP://{cdn}{path}",
        "another name": f"http://localhost:{cdn.split(':')[1]}{path}",
        "own host as user": f"http://{hf}@{cdn}{path}",
        "own host as user and password": f"http://huggingface.co:443@{cdn}{path}",
        "backslash": f"http://{cdn}\\@{hf}{path}",
        "own host in the path": f"http://{cdn}/http://{hf}{path}",
        "own host in the query": f"http://{cdn}{path}?next=http://{hf}/",
        "own host in the fragment": f"http://{cdn}{path}#@{hf}",
        "tab": f"http://{cdn}\t{path}",
        "civitai": f"{hub.civitai_url}/api/v1/me",
        "mapped address": f"http://[::ffff:127.0.0.1]:{cdn.split(':')[1]}{path}",
        "number": f"http://2130706433:{cdn.split(':')[1]}{path}",
    }


NAMES = [
    "another port", "scheme-relative", "upper case", "another name", "own host as user", "own host as user and password",
    "backslash", "own host in the path", "own host in the query", "own host in the fragment", "tab", "civitai",
    "mapped address", "number",
]  # fmt: skip


def authorizations(hub) -> list[tuple[str, str]]:
    """List (origin, value) of every Authorization header that any origin received."""
    return [
        (row["origin"], value)
        for row in hub.requests()
        for name, value in row["headers"]
        if name.lower() in {"authorization", "proxy-authorization", "cookie"}
    ]


def assert_no_leak(hub) -> None:
    own = {"hf": hub.hf_token, "civitai": hub.civitai_token}
    for origin, value in authorizations(hub):
        assert value == f"Bearer {own.get(origin, 'nothing goes there')}"
    for row in hub.requests(origin="cdn"):
        assert hub.hf_token not in str(row)
        assert hub.civitai_token not in str(row)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("name", NAMES)
async def test_no_shape_of_redirect_leaks_a_token(hub, name: str, status: int) -> None:
    hub.add_direct("bait.safetensors", data=b"x" * 5000)
    async with way_out(hub, allow=("127.0.0.0/8", "localhost")) as way:
        hub.fault("redirect", origin="hf", path="*/resolve/*", methods=["GET", "HEAD"], location=shapes(hub)[name],
                  status=status)  # fmt: skip
        url, told = f"{hub.hf_url}{FILE}", []
        for ask in (
            locate(way.client, url, credentials=way.member, span=FIRST_BYTE),
            read_range(way.client, url, 0, 8, way.member),
            way.sources.resolve(way.sources.parse(url), way.member),
            get_json(way.client, url, credentials=way.member),
        ):
            try:
                await ask
            except StowError as err:
                told.append(f"{err!r} {err.hint}")
    assert hub.hf_token not in str(told)
    assert set(authorizations(hub)) == {("hf", f"Bearer {hub.hf_token}")}
    assert_no_leak(hub)


@pytest.mark.parametrize("name", NAMES)
async def test_no_shape_of_redirect_leaks_a_token_of_a_transfer(hub, name: str, tmp_path: Path) -> None:
    """The transfer makes the walk on connections of its own, by the same rule."""
    hub.add_direct("bait.safetensors", data=b"x" * 5000)
    hub.fault("redirect", origin="hf", path="*/resolve/*", location=shapes(hub)[name], status=302)
    url, told = f"{hub.hf_url}{FILE}", ""
    async with way_out(hub, allow=("127.0.0.0/8", "localhost"), free_space_floor_bytes=0) as way:
        limits = replace(TransferLimits.of(way.settings), retry_limit=1, retry_base_seconds=0.01)
        engine = TransferEngine(limits, way.client, way.client.gate)
        file = ResolvedFile(source=UrlSource(url=url), url=url, filename="bait.safetensors", size_bytes=5000)
        try:
            job = TransferJob(file=file, dest=tmp_path / "bait.safetensors", owner="test")
            await engine.fetch(job, credentials=way.member)
        except StowError as err:
            told = f"{err!r} {err.hint}"
        finally:
            await asyncio.to_thread(engine.close)
    assert hub.hf_token not in told
    assert set(authorizations(hub)) == {("hf", f"Bearer {hub.hf_token}")}
    assert_no_leak(hub)


async def test_the_real_walks_of_both_sites_leak_nothing(hub, way) -> None:
    for text in ("hf://Comfy-Stow/gated-demo/stow_gated.safetensors", "hf://Comfy-Stow/taesd-demo/config.json",
                 "civitai://1003@2020?file=3020"):  # fmt: skip
        file = await way.sources.resolve(way.sources.parse(text), way.member)
        await locate(way.client, file.url, credentials=way.member, span=FIRST_BYTE)
    assert {origin for origin, _ in authorizations(hub)} == {"hf", "civitai"}
    assert_no_leak(hub)


async def test_a_renamed_repository_keeps_the_token_on_its_relative_redirect(hub, way) -> None:
    await locate(way.client, f"{hub.hf_url}/Comfy-Stow/taesd-old-name/resolve/main/taesd.safetensors",
                            credentials=way.member, span=FIRST_BYTE)  # fmt: skip
    assert [origin for origin, _ in authorizations(hub)] == ["hf", "hf"]


async def test_a_token_does_not_come_back_after_a_foreign_hop(hub, way) -> None:
    """A foreign host that redirects back has chosen the URL; it may not spend the token."""
    file = hub.add_direct("bait.safetensors", data=b"x" * 5000)
    hub.fault("redirect", origin="cdn", path="/direct/*", location=f"{hub.hf_url}{FILE}", status=302)
    hub.fault("redirect", origin="hf", path="*/resolve/main/*", location=file["url"], status=302, times=1)
    await locate(way.client, f"{hub.hf_url}{FILE}", credentials=way.member, span=FIRST_BYTE)
    assert [row["origin"] for row in hub.requests()] == ["hf", "cdn", "hf", "cdn"]
    assert authorizations(hub) == [("hf", f"Bearer {hub.hf_token}")]


async def test_a_foreign_link_that_leads_to_the_hub_gets_no_token(hub, way) -> None:
    file = hub.add_direct("bait.safetensors", data=b"x" * 5000)
    hub.fault("redirect", origin="cdn", path="/direct/*", location=f"{hub.hf_url}{FILE}", status=302)
    await locate(way.client, file["url"], credentials=way.member, span=FIRST_BYTE)
    assert authorizations(hub) == []


async def test_a_refusal_that_repeats_the_token_is_scrubbed(hub, way) -> None:
    body = f'{{"error": "bad token {hub.civitai_token} in ?token={hub.civitai_token}"}}'
    hub.fault("status", origin="civitai", path="/api/*", status=403, body=body, content_type="application/json")
    with pytest.raises(StowError) as caught:
        await way.sources.resolve(way.sources.parse("civitai://1001"), way.member)
    assert hub.civitai_token not in way.member.scrub(f"{caught.value} {caught.value.hint}")


async def test_logs_and_errors_of_a_whole_run_hold_no_token(hub, way, caplog) -> None:
    told = []
    with caplog.at_level("DEBUG"):
        for text in ("hf://Comfy-Stow/nope/x", "civitai://1003", "hf://Comfy-Stow/private-demo", "civitai://1002"):
            try:
                await way.sources.resolve(way.sources.parse(text), way.member)
            except StowError as err:
                told.append(f"{err!r} {err.hint}")
    assert len(told) == 3
    assert hub.hf_token not in f"{told} {caplog.text}"
    assert hub.civitai_token not in f"{told} {caplog.text}"
