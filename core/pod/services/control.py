"""`pod.sock` (0600, machine-local): one JSON line asks, one answers; `core/engine/podfile.py` is the other end."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from ...errors import StowError, UsageError
from ...records.download import ErrorInfo
from ...records.json import to_json

_log = logging.getLogger("comfystow.pod")

_MOST_QUESTION_BYTES = 4096

Answerer = Callable[[str, str | None], Awaitable[Any]]


async def serve_control(path: Path, answer: Answerer) -> asyncio.AbstractServer:
    """Listen; `answer` is given what to do and the service, and may raise StowError."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            said = await _answered(await reader.readline(), answer)
            writer.write(json.dumps(said).encode("utf-8") + b"\n")
            await writer.drain()
        except (ConnectionError, ValueError):
            _log.info("somebody left while the controller answered")
        finally:
            writer.close()

    return await asyncio.start_unix_server(talk, sock=_listening(path), limit=_MOST_QUESTION_BYTES)


def _listening(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


async def _answered(line: bytes, answer: Answerer) -> Any:
    try:
        return await answer(*_read(line))
    except StowError as err:
        return {"error": to_json(ErrorInfo.of(err))}


def _read(line: bytes) -> tuple[str, str | None]:
    try:
        data = json.loads(line)
        do, service = data["do"], data.get("service")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError("a question is one JSON object with `do`") from None
    if not isinstance(do, str) or not (service is None or isinstance(service, str)):
        raise UsageError("`do` and `service` are texts")
    return do, service
