"""What is taken without asking, and what is left to a person (pure)."""

from __future__ import annotations

from comfystow.core.downloads.manager import DownloadState
from comfystow.core.provision.needs.choice import choose
from comfystow.core.provision.needs.jobs import JobState, state_of
from comfystow.core.records.download import Download, DownloadRequest
from comfystow.core.records.workflow import (
    Candidate,
    Confidence,
    ModelStatus,
    NodeMode,
    NodeUse,
    Presence,
    RequiredModel,
)


def a_status(*confidences, near=None, presence=Presence.MISSING, mode=NodeMode.ACTIVE, name="a/x.sft"):
    candidates = [Candidate(source=f"hf://a/b/{c}.sft", confidence=c, reason="", name=name) for c in confidences]
    use = NodeUse(node_id="1", node_type="VAELoader", mode=mode)
    return ModelStatus(
        required=RequiredModel(name=name, folder_name="vae", uses=(use,)),
        presence=Presence.NEAR if near else presence,
        near_name="old/x.sft" if near else None,
        near_confidence=near,
        near_reason="moved" if near else None,
        candidates=tuple(candidates),
    )


def test_sure_candidate_is_taken_once_under_the_workflows_name() -> None:
    choices = choose([a_status(Confidence.HIGH), a_status(Confidence.EXACT)])
    (request,) = choices.requests
    assert (request.source, request.folder_name, request.subfolder, request.filename) == (
        "hf://a/b/high.sft", "vae", "a", "x.sft",
    )  # fmt: skip
    assert (choices.near, choices.open) == ((), ())


def test_file_that_was_moved_is_not_fetched_again() -> None:
    choices = choose([a_status(Confidence.HIGH, near=Confidence.HIGH)])
    assert choices.requests == ()
    assert [status.near_name for status in choices.near] == ["old/x.sft"]


def test_file_that_only_looks_alike_is_fetched() -> None:
    choices = choose([a_status(Confidence.HIGH, near=Confidence.GUESS)])
    assert len(choices.requests) == 1
    assert choices.near == ()


def test_likely_and_guess_are_left_to_a_person() -> None:
    choices = choose([a_status(Confidence.LIKELY, Confidence.GUESS), a_status(name="y.sft")])
    assert choices.requests == ()
    assert [len(status.candidates) for status in choices.open] == [2, 0]


def test_what_only_muted_nodes_name_is_nobodys_business() -> None:
    choices = choose([a_status(Confidence.HIGH, mode=NodeMode.MUTED), a_status(presence=Presence.PRESENT)])
    assert (choices.requests, choices.open, choices.present) == ((), (), 1)


def a_download(state):
    return Download(id="d", request=DownloadRequest(source="x"), state=state, source="x")


def test_state_of_a_job_is_that_of_its_downloads() -> None:
    done, running, waiting = (
        a_download(s) for s in (DownloadState.COMPLETED, DownloadState.RUNNING, DownloadState.WAITING)
    )
    failed, paused = a_download(DownloadState.FAILED), a_download(DownloadState.PAUSED)
    assert state_of([done, running, waiting], refused=0, lacking=0) is JobState.RUNNING
    assert state_of([done, waiting, paused, failed], refused=0, lacking=0) is JobState.WAITING
    assert state_of([done, failed], refused=0, lacking=0) is JobState.FAILED
    assert state_of([done], refused=1, lacking=0) is JobState.FAILED
    assert state_of([done, None], refused=0, lacking=2) is JobState.INCOMPLETE
    assert state_of([], refused=0, lacking=0) is JobState.COMPLETED
