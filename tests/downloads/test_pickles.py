"""Downloads of pickles, where the owner allows them: scanned before they get their name."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

from comfystow.core.records.download import DownloadState
from support.queues import Stage, request


class Evil:
    """Writes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return (exec, (f"open({str(self.path)!r}, 'w').close()",))


def archived(data: bytes) -> bytes:
    """Pack a pickle as torch does (`torch.save`): `archive/data.pkl` in a zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/version", "3\n")
    return out.getvalue()


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
