"""Records, their JSON, and the table of states."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from comfystow.core.errors import UsageError
from comfystow.core.records.download import (
    MOVES,
    Download,
    DownloadRequest,
    DownloadState,
    ErrorInfo,
    Verified,
    WaitingFor,
)
from comfystow.core.records.json import from_json, to_json
from comfystow.core.records.model import Folder, FolderLayout, ModelRef
from comfystow.core.records.session import Session
from comfystow.core.records.source import CivitaiSource, Digest, HuggingFaceSource, RepoType


def a_download(**changes) -> Download:
    values = {
        "id": "d1",
        "request": DownloadRequest(source="hf://a/b/c.sft", folder_name="vae"),
        "state": DownloadState.WAITING,
        "source": "hf://a/b/c.sft",
        "digest": Digest.parse("ab" * 32),
        "waiting_for": WaitingFor.TOKEN,
        "error": ErrorInfo(code="x", message="y"),
        "verified": Verified.DIGEST,
    }
    return Download(**(values | changes))


def test_download_survives_json() -> None:
    download = a_download()
    assert from_json(Download, json.loads(json.dumps(to_json(download)))) == download


def test_session_with_its_layout_survives_json() -> None:
    layout = FolderLayout(folders={"vae": Folder(directories=(Path("/m/vae"),), suffixes=frozenset({".sft"}))})
    session = Session(server_id="s", layout=layout, environment={"HF_TOKEN": "secret"})
    assert from_json(Session, to_json(session)) == session
    assert "secret" not in repr(session)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"source": 3}, "source must be str"),
        ({}, "needs `source`"),
        ({"source": "x", "extra": 1}, "has no `extra`"),
        ([], "must be an object"),
        ({"source": "x", "connections": True}, "connections must be int"),
        ({"source": "x", "connections": "4"}, "connections must be int"),
    ],
)
def test_wrong_request_names_the_key(data: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        from_json(DownloadRequest, data)


def test_unknown_key_of_a_newer_version_is_dropped_when_asked_to() -> None:
    assert from_json(DownloadRequest, {"source": "x", "new": 1}, strict=False).source == "x"


def test_every_state_has_its_moves_and_only_final_states_need_a_user() -> None:
    assert set(MOVES) == set(DownloadState)
    for state, targets in MOVES.items():
        assert state not in targets
        if state.active:
            assert {DownloadState.PAUSED, DownloadState.CANCELLED, DownloadState.QUEUED} <= targets


def test_digest_refuses_what_is_none() -> None:
    for text in ("", "sha256:", "sha256:xyz", "md9:00", "ab" * 31):
        with pytest.raises(ValueError, match="digest"):
            Digest.parse(text)


def test_sources_spell_themselves_canonically() -> None:
    assert (
        str(HuggingFaceSource(repo_id="a/b", filename="x/y.sft", revision="refs/pr/1")) == "hf://a/b@refs/pr/1/x/y.sft"
    )
    assert str(HuggingFaceSource(repo_id="a/b", filename="y", repo_type=RepoType.DATASET)) == "hf://datasets/a/b/y"
    assert str(CivitaiSource(model_id=1, version_id=2, file_id=3)) == "civitai://1@2?file=3"


def test_destination_prefers_the_directory_named_like_the_folder(tmp_path) -> None:
    roots = (tmp_path / "unet", tmp_path / "diffusion_models")
    layout = FolderLayout(folders={"diffusion_models": Folder(directories=roots)})
    assert layout.destination("unet") == roots[1]
    assert layout.destination("nothing") is None


def test_find_takes_the_first_hit_and_never_leaves_the_root(tmp_path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for root in (first, second):
        (root / "sub").mkdir(parents=True)
        (root / "sub" / "x.sft").write_bytes(b"")
    (tmp_path / "secret").write_bytes(b"")
    layout = FolderLayout(folders={"vae": Folder(directories=(first, second))})
    assert layout.find(ModelRef("vae", "sub\\x.sft")) == first / "sub" / "x.sft"
    assert layout.find(ModelRef("vae", "../secret")) is None
    assert layout.find(ModelRef("vae", str(tmp_path / "secret"))) is None
