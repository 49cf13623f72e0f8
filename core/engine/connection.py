"""HTTP to the engine with the standard library: a request, its answer, and the errors of our tree."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any

from ..errors import EngineError, NotAttachedError, StowError
from .info import EngineInfo
from .protocol import EngineStatus

_ATTACH_AGAIN = {(kind.http_status, kind.code) for kind in (EngineError, NotAttachedError)}

#: What a connection to an engine that ends or ended raises, other than a time-out.
BROKEN = (ConnectionError, FileNotFoundError, http.client.HTTPException)


class _UnixConnection(http.client.HTTPConnection):
    """http.client over a unix socket."""

    def __init__(self, path: str, timeout_seconds: float | None) -> None:
        super().__init__("localhost", timeout=timeout_seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(self._path)
        except OSError:
            self.sock.close()
            raise


def connect(info: EngineInfo, timeout_seconds: float | None) -> http.client.HTTPConnection:
    """Return a connection to an engine, made with the first request."""
    if info.socket is not None:
        return _UnixConnection(info.socket, timeout_seconds)
    return http.client.HTTPConnection("127.0.0.1", info.port, timeout=timeout_seconds)


def headers_for(info: EngineInfo, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what every request carries."""
    headers = {"Content-Type": "application/json", "X-ComfyStow": "1", **(extra or {})}
    if info.token is not None:
        headers["Authorization"] = f"Bearer {info.token}"
    return headers


def send(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: object,
    headers: Mapping[str, str],
) -> tuple[int, Any]:
    """Make one request and read its JSON, or its text where it answers in plain text (`/metrics`).

    Raises: OSError and HTTPException as they come; see `BROKEN`.
    """
    data = None if body is None else json.dumps(body).encode("utf-8")
    connection.request(method, path, body=data, headers=dict(headers))
    with connection.getresponse() as response:
        text = response.read()
        plain = response.headers.get_content_type() == "text/plain"
    if plain and response.status == http.client.OK:
        return response.status, text.decode("utf-8")
    try:
        return response.status, json.loads(text) if text else None
    except ValueError:
        raise http.client.HTTPException(f"no JSON from the engine: {text[:80]!r}") from None


def ask_status(info: EngineInfo, timeout_seconds: float) -> EngineStatus | None:
    """Ask an engine who it is; None when nobody answers there. Raises: EngineError: somebody listens but is silent."""
    from ..records.json import from_json

    connection = connect(info, timeout_seconds)
    try:
        status, data = send(connection, "GET", "/engine", None, headers_for(info))
        return from_json(EngineStatus, data, strict=False) if status == http.client.OK else None
    except TimeoutError:
        raise EngineError(
            f"the engine (process {info.pid}) does not answer",
            hint=f"look at its log; if it hangs, `kill {info.pid}` and try again",
        ) from None
    except (*BROKEN, StowError):
        return None
    finally:
        connection.close()


def error_from_json(status: int, data: object) -> StowError:
    """Make the error of our tree again from an answer `{"error": {code, message, hint, retryable}}`."""
    error = data.get("error") if isinstance(data, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        return EngineError(f"the engine answered {status} and said nothing more")
    return error_of_code(str(error.get("code")))(error["message"], hint=error.get("hint"))


def attach_again(status: int, data: object) -> bool:
    """Tell whether an answer only asks to attach again: this engine is about to end, or has forgotten the session."""
    error = data.get("error") if isinstance(data, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return (status, code) in _ATTACH_AGAIN


def error_of_code(code: str) -> type[StowError]:
    """Return the class of a code; one that a newer engine made up is the base class."""
    pending: list[type[StowError]] = [StowError]
    while pending:
        kind = pending.pop()
        if kind.code == code:
            return kind
        pending.extend(kind.__subclasses__())
    return StowError
