"""The folder of a download: the caller's word, the header's, the source's, the name's, in this order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from comfystow.core.downloads.look import decide
from comfystow.core.errors import FolderUnknownError, HeaderError, StalledError
from comfystow.core.records.download import DownloadRequest, DownloadState
from comfystow.core.records.source import ResolvedFile, UrlSource
from comfystow.core.sources.inspection import Inspection
from hub import architectures
from safetensors.numpy import save
from support.queues import TAESD, Stage, request

URL = "https://example.org/x.safetensors"


def file(name: str = "x.safetensors", **more: Any) -> ResolvedFile:
    return ResolvedFile(source=UrlSource(url=URL), url=URL, filename=name, **more)


def seen(folder: str | None, kind: str = "lora", **more: Any) -> Inspection:
    return Inspection(ref="x", kind=kind if folder else None, folder=folder, evidence=("a tensor",), **more)


ANY = DownloadRequest(source=URL)
NAMED = DownloadRequest(source=URL, folder_name="clip")


def test_the_header_goes_before_the_source_and_says_so() -> None:
    looked = decide(ANY, file(folder_hint="checkpoints"), seen("loras", base_model="SDXL"))
    assert (looked.file.folder_hint, looked.file.base_model_hint) == ("loras", "SDXL")
    assert looked.warnings == (
        "its header says that it is a lora, which belongs in `loras`; "
        "`checkpoints` is what its source says; it goes where its header says",
    )


def test_the_caller_goes_before_the_header_and_is_told() -> None:
    looked = decide(NAMED, file(folder_hint="loras"), seen("loras"))
    assert looked.file.folder_hint == "loras"
    assert looked.warnings[0].endswith("belongs in `loras`; `text_encoders` was asked for")
    assert decide(NAMED, file(), seen("text_encoders")).warnings == ()
    assert decide(ANY, file(folder_hint="unet"), seen("diffusion_models")).warnings == ()


def test_a_header_that_does_not_decide_leaves_it_to_the_source_and_never_to_the_name() -> None:
    assert decide(ANY, file(folder_hint="vae"), seen(None)).file.folder_hint == "vae"
    assert decide(ANY, file("my_lora.safetensors"), seen(None)).file.folder_hint is None


def test_what_fits_two_folders_is_asked_for() -> None:
    with pytest.raises(FolderUnknownError) as caught:
        decide(ANY, file(), seen(None, alternatives=("text_encoders", "clip_vision")))
    assert caught.value.hint == "choose one of text_encoders, clip_vision"


def test_a_name_decides_where_there_is_no_header() -> None:
    looked = decide(ANY, file("4x_ESRGAN.pth"), None)
    assert looked.file.folder_hint == "upscale_models"
    assert "only its name says" in looked.warnings[0]
    assert decide(ANY, file("whatever.pth"), None).file.folder_hint is None


def test_a_look_that_failed_is_an_error_only_where_nothing_else_tells() -> None:
    assert decide(ANY, file(folder_hint="vae"), None, StalledError("slow")).file.folder_hint == "vae"
    with pytest.raises(StalledError):
        decide(ANY, file(), None, StalledError("slow"))
    with pytest.raises(HeaderError):
        decide(ANY, file(), None, HeaderError("damaged"))


async def test_a_download_goes_where_its_header_says(stage: Stage) -> None:
    data = save(architectures.lora(3, rank=4, every=8), architectures.LORA_METADATA)
    stage.hub.add_file("me/odd", "vae/style.safetensors", data=data)
    stage.hub.add_file("me/odd", "whatever.safetensors", data=save({"nobody.knows": np.zeros(4, np.float16)}))
    async with stage.runtime() as runtime:
        rows = [
            await runtime.downloads.wait((await runtime.downloads.submit(request(source, None))).id)
            for source in (TAESD, "hf://me/odd/vae/style.safetensors", "hf://me/odd/whatever.safetensors")
        ]
        [item] = (
            await runtime.planner.plan([request("hf://me/odd/vae/style.safetensors", "vae")], stage.session())
        ).items
    assert [row.folder_name for row in rows] == ["vae", "loras", None]
    assert rows[0].warnings == ()
    assert "its source says" in rows[1].warnings[0]
    assert (stage.models / "loras" / "style.safetensors").is_file()
    assert rows[2].state is DownloadState.FAILED
    assert rows[2].error is not None
    assert rows[2].error.code == "folder_unknown"
    assert (item.kind, item.base_model, item.folder_name) == ("lora", "SD 1.5", "vae")
    assert "`vae` was asked for" in item.warnings[0]
