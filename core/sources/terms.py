"""Under which terms a file may be used, as its source states them: asked for plans, never for a download itself."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ..config import Settings
from ..errors import StowError
from ..net.client import HttpClient
from ..net.credentials import Credentials
from ..net.location import get_json
from ..records.source import CivitaiSource, HuggingFaceSource, RepoType, ResolvedFile

_log = logging.getLogger("comfystow.sources")

_CACHE_ENTRIES = 512
_MAX_TEXT = 120
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is known of a file's terms; None is unknown.

    `licence` is the name of a licence, or what a creator allows in words. `gated` means that it has to be accepted on
    the model's page, by the account of the token.
    """

    licence: str | None = None
    gated: bool | None = None


class TermsReader:
    """Asks for terms, once a repository."""

    def __init__(self, client: HttpClient, settings: Settings) -> None:
        self._client = client
        self._endpoint = settings.hf_endpoint.rstrip("/")
        self._offline = settings.hf_offline
        self._known: dict[tuple[RepoType, str], Terms] = {}

    async def of(self, file: ResolvedFile, credentials: Credentials | None) -> Terms:
        """Return the terms of a resolved file; a source that does not answer leaves them unknown."""
        match file.source:
            case HuggingFaceSource(repo_type=repo_type, repo_id=repo_id):
                key = (repo_type, repo_id)
                if key not in self._known:
                    terms = await self._card(repo_type, repo_id, credentials)
                    if terms is None:
                        return Terms()
                    if len(self._known) >= _CACHE_ENTRIES:
                        self._known.clear()
                    self._known[key] = terms
                return self._known[key]
            case CivitaiSource():
                return Terms(licence=_allowed(file.metadata.get("licence")), gated=False)
            case _:
                return Terms()

    async def _card(self, repo_type: RepoType, repo_id: str, credentials: Credentials | None) -> Terms | None:
        """Ask the Hub's API (https://huggingface.co/docs/hub/api, "Get a model": `expand`); spaces have no gate."""
        if self._offline:
            return None
        wanted = "expand=cardData" if repo_type is RepoType.SPACE else "expand=cardData&expand=gated"
        url = f"{self._endpoint}/api/{repo_type.value}s/{quote(repo_id)}?{wanted}"
        try:
            return read_card(await get_json(self._client, url, credentials=credentials))
        except StowError as err:
            _log.info("the terms of %s are not known: %s", repo_id, err.message)
            return None


def read_card(data: Any) -> Terms:
    """Read what the Hub tells of a repository (pure).

    The card's `license` is an identifier or a list of them; for `other` the card names its own licence in
    `license_name` (https://huggingface.co/docs/hub/repositories-licenses).
    """
    if not isinstance(data, dict):
        return Terms()
    card = data.get("cardData")
    card = card if isinstance(card, dict) else {}
    stated = card.get("license")
    names = [text for text in (stated if isinstance(stated, list) else [stated]) if isinstance(text, str) and text]
    own = card.get("license_name")
    if isinstance(own, str) and own and names in ([], ["other"]):
        names = [own]
    gated = data.get("gated")
    return Terms(
        licence=_short(", ".join(names)) if names else None,
        gated=gated not in {False, ""} if isinstance(gated, bool | str) else None,
    )


def _allowed(licence: object) -> str | None:
    """Put what a creator on Civitai allows into words."""
    if not isinstance(licence, dict):
        return None
    uses = licence.get("commercial_use")
    uses = [use for use in uses if isinstance(use, str) and use != "None"] if isinstance(uses, list) else []
    words = [
        "credit required" if licence.get("credit_required") else "no credit required",
        f"commercial use: {', '.join(uses)}" if uses else "no commercial use",
        "derivatives allowed" if licence.get("derivatives") else "no derivatives",
    ]
    return _short("; ".join(words))


def _short(text: str) -> str:
    return _SPACES.sub(" ", text).strip()[:_MAX_TEXT]
