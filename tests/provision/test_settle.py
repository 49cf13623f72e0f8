"""One name at several places: the digests at the sources tell whether somebody has to choose."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from comfystow.core.provision.needs.settle import settled
from comfystow.core.records.workflow import Candidate, Confidence
from hub.server import Hub
from support.wayout import WayOut, way_out

TAESD, COPY = "hf://Comfy-Stow/taesd-demo/taesd.safetensors", "hf://Comfy-Stow/taesd-demo/vae/taesd_copy.safetensors"
OTHER = "hf://Comfy-Stow/lora-demo/stow_style.safetensors"


@pytest.fixture
async def way(hub: Hub) -> AsyncIterator[WayOut]:
    async with way_out(hub) as opened:
        yield opened


def likely(source: str) -> Candidate:
    return Candidate(source=source, confidence=Confidence.LIKELY, reason="a list has it")


async def settle(way: WayOut, *sources: str) -> tuple[Candidate, ...]:
    return await settled([likely(source) for source in sources], way.sources, way.nobody)


async def test_places_with_the_same_bytes_are_one_file_and_need_no_choice(way: WayOut) -> None:
    first, second = await settle(way, TAESD, COPY)
    assert (first.source, first.confidence) == (TAESD, Confidence.HIGH)
    assert "all 2 places of the name hold the same bytes" in first.reason
    assert first.sha256 == second.sha256
    assert first.size_bytes


async def test_different_bytes_stay_a_choice_with_what_tells_them_apart(way: WayOut) -> None:
    found = await settle(way, TAESD, OTHER)
    assert {row.confidence for row in found} == {Confidence.LIKELY}
    assert len({row.sha256 for row in found}) == len({row.size_bytes for row in found}) == 2


async def test_a_place_that_refuses_proves_nothing(way: WayOut) -> None:
    found = await settle(way, TAESD, "hf://Comfy-Stow/gated-demo/stow_gated.safetensors")
    assert {row.confidence for row in found} == {Confidence.LIKELY}


async def test_a_single_place_and_what_is_sure_are_left_alone(hub: Hub, way: WayOut) -> None:
    hub.clear_requests()
    assert await settle(way, TAESD) == (likely(TAESD),)
    sure = Candidate(source=COPY, confidence=Confidence.HIGH, reason="embedded")
    assert await settled([sure, likely(TAESD), likely(OTHER)], way.sources, way.nobody) == (
        sure,
        likely(TAESD),
        likely(OTHER),
    )
    assert hub.requests() == []
