"""A secret in a link that somebody pastes: it is sent to its host, and stands in no log, event or error."""

from __future__ import annotations

import json
import logging

import pytest
from comfystow.core.downloads.view import download_json
from comfystow.core.errors import ConflictError
from comfystow.core.records.download import DownloadState
from support.queues import Stage, listening, reached, request

SECRETS = ("pasted-and-secret", "signed-and-secret")


async def test_a_secret_of_a_link_is_in_no_log_event_or_error(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="comfystow")
    link = f"{stage.hub.cdn_url}/nothing/x.safetensors?token={SECRETS[0]}&X-Amz-Signature={SECRETS[1]}"
    said: list[str] = []
    async with stage.runtime() as runtime, listening(runtime) as heard:
        taken = await runtime.downloads.submit(request(link))
        failed = await reached(runtime, taken.id, DownloadState.FAILED)
        said.append(json.dumps(download_json(failed, with_paths=True)))
        for act in (runtime.downloads.resume(taken.id), runtime.downloads.move(taken.id, 0)):
            with pytest.raises(ConflictError) as refused:
                await act
            said.append(str(refused.value))
    said += [caplog.text, json.dumps(heard)]
    assert "/nothing/x.safetensors" in caplog.text
    for secret in SECRETS:
        assert [text for text in said if secret in text] == []
