"""Downloads of pickles, where the owner allows them: scanned before they get their name."""

from __future__ import annotations

import pickle

from comfystow.core.records.download import DownloadState
from support.pickled import Evil, archived
from support.queues import Stage, request


async def test_a_download_of_one_is_refused_and_never_gets_its_name(stage: Stage) -> None:
    stage.hub.add_file("me/pickles", "evil.ckpt", data=archived(pickle.dumps(Evil(stage.models / "ran"), 2)))
    stage.hub.add_file("me/pickles", "good.ckpt", data=archived(pickle.dumps({"a": 1}, 2)))
    async with stage.runtime(allow_pickle=True) as runtime:
        evil, good = [
            await runtime.downloads.wait((await runtime.downloads.submit(request(source, "vae"))).id)
            for source in ("hf://me/pickles/evil.ckpt", "hf://me/pickles/good.ckpt")
        ]
    assert evil.state is DownloadState.FAILED
    assert evil.error is not None
    assert evil.error.code == "dangerous_pickle"
    assert not (stage.models / "vae" / "evil.ckpt").exists()
    assert good.state is DownloadState.COMPLETED
    assert (stage.models / "vae" / "good.ckpt").exists()
    assert not (stage.models / "ran").exists()
