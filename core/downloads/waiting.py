"""What waiting downloads wait for, and whether it has gone. Nothing of it is kept: a new engine judges anew."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..errors import StowError
from ..net.credentials import Credentials
from ..net.location import FIRST_BYTE, locate
from ..records.download import Download, WaitingFor
from ..records.session import Session
from .network import Networks
from .placement import Places


@dataclass(slots=True)
class _Wait:
    """How the cause looked when the wait began. `tokens` are headers; they stay in memory."""

    tokens: tuple[str, ...]
    until: float


class Waits:
    """Knows, for each download that waits, whether it may go on."""

    def __init__(
        self,
        *,
        networks: Networks,
        places: Places,
        session_of: Callable[[Download], Session | None],
        generating: Callable[[], bool],
        licence_seconds: float,
    ) -> None:
        self._networks = networks
        self._places = places
        self._session_of = session_of
        self._generating = generating
        self._licence_seconds = licence_seconds
        self._waits: dict[str, _Wait] = {}
        self._known: dict[str | None, tuple[Credentials, tuple[str, str]]] = {}

    def look(self) -> None:
        """Begin a look at all that wait: what a caller's tokens are is read once for each look."""
        self._known.clear()

    def begin(self, download: Download, delay_seconds: float | None = None) -> None:
        """Note the start of a wait."""
        self._known.clear()
        licence = download.waiting_for is WaitingFor.LICENCE
        delay = self._licence_seconds if licence else delay_seconds or 0.0
        self._waits[download.id] = _Wait(tokens=self._tokens(download), until=time.monotonic() + delay)

    def end(self, download_id: str) -> None:
        """Forget a wait."""
        self._waits.pop(download_id, None)

    async def is_over(self, download: Download, others: Iterable[Download]) -> bool:
        """Tell whether the cause has gone."""
        wait = self._waits.get(download.id)
        if wait is None:  # begun by an engine before us
            return True
        match download.waiting_for:
            case WaitingFor.GENERATION:
                return not self._generating()
            case WaitingFor.SPACE:
                settings = self._networks.settings_of(self._session_of(download))
                return await self._places.fits(download, others, settings.free_space_floor_bytes)
            case WaitingFor.TOKEN:
                return self._tokens(download) != wait.tokens
            case WaitingFor.LICENCE:
                return self._tokens(download) != wait.tokens or await self._licence_accepted(download, wait)
            case WaitingFor.HOST:
                return time.monotonic() >= wait.until
            case None:
                return True

    async def _licence_accepted(self, download: Download, wait: _Wait) -> bool:
        """Ask the source, now and then: nobody tells us when somebody accepts a licence on its page."""
        if time.monotonic() < wait.until:
            return False
        wait.until = time.monotonic() + self._licence_seconds
        session = self._session_of(download)
        network, credentials = self._networks.of(session), self._networks.credentials(session)
        try:
            file = await network.sources.resolve(network.sources.parse(download.request.source), credentials)
            await locate(network.client, file.url, credentials=credentials, span=FIRST_BYTE)
        except StowError:
            return False
        return True

    def _tokens(self, download: Download) -> tuple[str, ...]:
        """Return what would be sent to the places that a download may ask."""
        session = self._session_of(download)
        key = session.server_id if session is not None else None
        if key not in self._known:
            settings = self._networks.settings_of(session)
            endpoints = (settings.hf_endpoint, settings.civitai_endpoint)
            self._known[key] = (self._networks.credentials(session), endpoints)
        credentials, endpoints = self._known[key]
        urls = (*endpoints, download.url or download.source)
        return tuple(credentials.headers_for(url).get("Authorization", "") for url in urls)
