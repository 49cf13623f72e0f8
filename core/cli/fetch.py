"""Submit downloads and follow them to their end: what `get` and `ensure` have in common."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..engine.connection import error_of_code
from ..engine.sync_client import SyncEngineClient
from ..errors import AuthRequiredError, LicenceRequiredError, NotEnoughSpaceError, NotFoundHereError, StowError
from ..records.download import DownloadState, ErrorInfo, WaitingFor
from ..records.json import to_json
from .output import say
from .progress import Display, open_display

#: Nobody who waits for a command will come and change these: it ends, and says what to do.
_STOPPERS: dict[str, tuple[type[StowError], str]] = {
    WaitingFor.TOKEN: (AuthRequiredError, "it waits for a token"),
    WaitingFor.LICENCE: (LicenceRequiredError, "it waits for its licence to be accepted"),
    WaitingFor.SPACE: (NotEnoughSpaceError, "it waits for space"),
}
_OVER = {state.value for state in DownloadState if state.final}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One reference, and how it is wanted."""

    ref: str
    folder_name: str | None = None
    subfolder: str | None = None
    filename: str | None = None
    sha256: str | None = None
    connections: int | None = None
    limit_rate_bytes_per_second: int | None = None

    def body(self) -> dict[str, object]:
        """Return the body of `POST /downloads`."""
        names = ("folder_name", "subfolder", "filename", "sha256", "connections", "limit_rate_bytes_per_second")
        given = {name: getattr(self, name) for name in names}
        return {"source": self.ref, **{name: value for name, value in given.items() if value is not None}}


@dataclass(slots=True, kw_only=True)
class Result:
    """What became of one reference."""

    ref: str
    download: dict[str, Any] = field(default_factory=dict)
    error: StowError | None = None
    ours: bool = False
    bytes_before: int = 0
    started_at: float = field(default_factory=time.monotonic)
    seconds: float | None = None

    @property
    def settled(self) -> bool:
        """True when there is nothing to wait for."""
        if self.error is not None or self.download.get("state") in _OVER | {DownloadState.PAUSED.value}:
            return True
        return self.download.get("waiting_for") in _STOPPERS

    @property
    def path(self) -> str | None:
        """Where the file is, once it is there."""
        done = self.download.get("state") == DownloadState.COMPLETED.value
        return self.download.get("dest_path") if done else None

    def to_json(self) -> dict[str, object]:
        """Return the row of `get --json`."""
        download = self.download
        return {
            "ref": self.ref,
            "state": download.get("state"),
            "path": self.path,
            "folder": download.get("folder_name"),
            "size_bytes": download.get("bytes_total"),
            "sha256": _sha256(download.get("digest")),
            "bytes_fetched": self._bytes_fetched(),
            "seconds": self.seconds,
            "error": _error_json(self.error),
        }

    def _bytes_fetched(self) -> int | None:
        if not self.download:
            return None
        if self.download.get("linked"):
            return 0
        return max(0, int(self.download.get("bytes_done") or 0) - self.bytes_before)


def _sha256(digest: object) -> str | None:
    return digest.removeprefix("sha256:") if isinstance(digest, str) and digest.startswith("sha256:") else None


def _error_json(error: StowError | None) -> dict[str, object] | None:
    data: dict[str, object] | None = to_json(ErrorInfo.of(error)) if error is not None else None
    return data


def submit_all(client: SyncEngineClient, wanted: list[Wanted], results: list[Result]) -> list[Result]:
    """Hand all to the engine, and fill `results`; one that is refused has its error, and the others go on."""
    known = {row["id"]: row for row in client.call("GET", "/downloads")["downloads"]}
    for item in wanted:
        result = Result(ref=item.ref)
        results.append(result)
        try:
            result.download = _submit(client, item)
        except StowError as err:
            result.error = err
        before = known.get(str(result.download.get("id")))
        result.ours = bool(result.download) and (before is None or before["state"] in _OVER | {"paused"})
        result.bytes_before = int(result.download.get("bytes_done") or 0)
    return results


def _submit(client: SyncEngineClient, item: Wanted) -> dict[str, Any]:
    """Submit one; what an earlier command paused or gave up goes on."""
    download: dict[str, Any] = client.call("POST", "/downloads", item.body())
    again = {"paused": "resume", "failed": "retry", "cancelled": "retry"}.get(download["state"])
    if again is not None:
        download = client.call("POST", f"/downloads/{download['id']}/{again}")
    return download


def fetch(client: SyncEngineClient, wanted: list[Wanted]) -> list[Result]:
    """Submit and wait. Ctrl-C pauses what this command submitted, and goes on to the caller."""
    results: list[Result] = []
    try:
        submit_all(client, wanted, results)
        with open_display() as display:
            _follow(client, results, display)
    except KeyboardInterrupt:
        _pause(client, results)
        raise
    return results


def _follow(client: SyncEngineClient, results: list[Result], display: Display) -> None:
    taken = [result for result in results if result.error is None]

    def take(rows: list[dict[str, Any]], *, whole: bool) -> bool:
        """Take what changed; true when all is settled."""
        told = {row["id"]: row for row in rows}
        for result in taken:  # two references may mean one download
            row = told.get(result.download["id"])
            if result.settled or (row is None and not whole):
                continue
            if row is None:
                result.error = _forgotten(result)
                continue
            result.download = {**result.download, **row}
            if result.settled:  # events carry no host paths; asked at once, for the history is short
                result.download = _details(client, result.download)
            display.show(result.download)
        return all(result.settled for result in taken)

    follow(client, take)
    for result in taken:
        if result.error is None:
            _settle(result)


def _details(client: SyncEngineClient, download: dict[str, Any]) -> dict[str, Any]:
    try:
        found: dict[str, Any] = client.call("GET", f"/downloads/{download['id']}")
    except NotFoundHereError:
        return download
    return found


def _forgotten(result: Result) -> StowError:
    return NotFoundHereError(
        f"the queue has forgotten `{result.ref}`: it has ended",
        hint="the same command again says how; what arrived is not fetched twice",
    )


class Take(Protocol):
    """What is told of downloads: the `whole` list, or those that changed."""

    def __call__(self, rows: list[dict[str, Any]], *, whole: bool) -> bool:
        """Take them; true when it has enough."""


def follow(client: SyncEngineClient, take: Take) -> None:
    """Hand `take` all downloads, then each that changes, until it has enough; over engines' ends."""
    while True:
        for event in client.events():
            topic = event["topic"]
            if topic == "downloads":
                enough = take(event["data"]["downloads"], whole=False)
            else:  # the first word, a heartbeat, or word of lost events: look at everything
                enough = take(client.call("GET", "/downloads")["downloads"], whole=True)
            if enough:
                return
        time.sleep(0.05)


def _settle(result: Result) -> None:
    """Turn how a download ended into the error that the command reports."""
    result.seconds = round(time.monotonic() - result.started_at, 3)
    state, told = result.download["state"], result.download.get("error")
    if state == DownloadState.COMPLETED:
        return
    if isinstance(told, dict):
        result.error = error_of_code(told["code"])(told["message"], hint=told.get("hint"))
        return
    kind, message = _STOPPERS.get(str(result.download.get("waiting_for")), (StowError, f"it was {state}"))
    result.error = kind(message, hint=result.download.get("note"))


def _pause(client: SyncEngineClient, results: list[Result]) -> None:
    ours = [result for result in results if result.ours and result.download and not result.settled]
    for result in ours:
        try:
            client.call("POST", f"/downloads/{result.download['id']}/pause")
        except StowError as err:
            say(f"could not pause {result.ref}: {err.message}")
    if ours:
        say("paused; the same command goes on, and so does `comfystow downloads resume`")
