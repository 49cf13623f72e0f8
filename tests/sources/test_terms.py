"""Licence and gate of a file, as its source states them, in a plan."""

from __future__ import annotations

import pytest
from comfystow.core.sources.terms import Terms, read_card
from support.queues import Stage, request


@pytest.fixture
def stage(hub, tmp_path) -> Stage:
    return Stage(hub, tmp_path)


@pytest.mark.parametrize(
    ("told", "terms"),
    [
        ({"cardData": {"license": "apache-2.0"}, "gated": False}, Terms(licence="apache-2.0", gated=False)),
        ({"cardData": {"license": ["mit", "cc-by-4.0"]}, "gated": "auto"}, Terms(licence="mit, cc-by-4.0", gated=True)),
        (
            {"cardData": {"license": "other", "license_name": "flux-1-dev-non-commercial"}, "gated": "manual"},
            Terms(licence="flux-1-dev-non-commercial", gated=True),
        ),
        ({"cardData": {"license": "other"}}, Terms(licence="other")),
        ({"cardData": None, "gated": True}, Terms(gated=True)),
        ({"cardData": {"license": {"a": 1}}, "gated": 7}, Terms()),
        ({"cardData": {"license": "x" * 5000}}, Terms(licence="x" * 120)),
        ([], Terms()),
        (None, Terms()),
    ],
)
def test_cards_are_read(told: object, terms: Terms) -> None:
    assert read_card(told) == terms


async def test_plan_shows_terms_and_asks_once_for_a_repository(stage: Stage, hub) -> None:
    async with stage.runtime() as runtime:
        wanted = [request(filename=f"{name}.safetensors") for name in "abc"]
        plan = await runtime.planner.plan(wanted, stage.session())
    assert {(item.licence, item.gated) for item in plan.items} == {("mit", False)}
    asked = [row for row in hub.requests(origin="hf") if "expand=cardData" in row["target"]]
    assert 1 <= len(asked) <= len(wanted)  # those that are planned at the same moment may ask at the same moment
    assert len({row["target"] for row in asked}) == 1


async def test_plan_shows_what_a_creator_allows(stage: Stage) -> None:
    async with stage.runtime() as runtime:
        plan = await runtime.planner.plan([request("civitai://1001@2001", "loras")], stage.session())
    assert plan.items[0].licence is not None
    assert "commercial" in plan.items[0].licence


async def test_plan_does_not_wait_for_terms_that_nobody_tells(stage: Stage, hub) -> None:
    hub.fault("status", status=500, origin="hf", path="/api/models/*")
    async with stage.runtime() as runtime:
        plan = await runtime.planner.plan([request()], stage.session())
    assert (plan.items[0].licence, plan.items[0].gated, plan.items[0].error) == (None, None, None)
