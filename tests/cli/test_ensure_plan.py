"""What `ensure` takes without asking, and what it leaves to a person (pure)."""

from __future__ import annotations

from comfystow.core.cli.ensure import _plan


def a_model(**changes):
    candidate = {"source": "hf://a/b/x.sft", "url": None, "folder": "vae", "sha256": None, "confidence": "high"}
    return {
        "name": "x.sft", "folder": "vae", "state": "missing", "candidates": [candidate],
        "near_name": None, "near_confidence": None, "near_reason": None,
    } | changes  # fmt: skip


def test_sure_candidate_is_taken_once() -> None:
    wanted, without = _plan([a_model(), a_model()])
    assert [(item.ref, item.folder_name, item.filename) for item in wanted] == [("hf://a/b/x.sft", "vae", "x.sft")]
    assert without == []


def test_file_that_was_moved_is_not_fetched_again() -> None:
    moved = a_model(state="near", near_name="old/x.sft", near_confidence="high", near_reason="in another subfolder")
    wanted, without = _plan([moved])
    assert wanted == []
    assert "here as `old/x.sft`" in without[0].message


def test_file_that_only_looks_alike_is_fetched() -> None:
    wanted, without = _plan(
        [a_model(state="near", near_name="y.sft", near_confidence="guess", near_reason="like name")]
    )
    assert len(wanted) == 1
    assert without == []


def test_guess_is_shown_and_not_taken() -> None:
    guess = a_model(candidates=[a_model()["candidates"][0] | {"confidence": "guess"}])
    wanted, without = _plan([guess])
    assert wanted == []
    assert "hf://a/b/x.sft (guess)" in (without[0].hint or "")
