"""The way over Xet, Hugging Face's deduplicated storage, by the package hf_xet: an addition, never the only way.

The Hub names a file's Xet hash and the route to a short-lived token in the headers of `/resolve/` (huggingface_hub
`utils/_xet.py`); both requests are ours and pass the gate, as does the address of the storage that the answer names.
What hf_xet then connects to is its own choice. It neither limits its rate nor goes on from a part, so a limited
download and one that has begun stay on plain HTTPS; one whose bytes stop coming goes there.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import ServerError, StowError
from ..net.client import HttpClient
from ..net.credentials import Credentials
from ..net.hosts import origin_of
from ..net.location import get_json
from ..net.secrets import scrub
from ..records.download import DownloadState
from ..records.source import HuggingFaceSource, ResolvedFile
from .job import Blocking, TransferLimits
from .part.part import Part
from .telling import Teller

_log = logging.getLogger("comfystow.transfer")

_CHILD = Path(__file__).with_name("xet_child.py")
_HASH = re.compile(r"[0-9a-f]{64}")
_AUTH_LINK = re.compile(r'<([^<>\s]+)>\s*;\s*rel="?xet-auth"?')
_PAGE = "https://huggingface.co"
_TICK_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class XetPass:
    """What lets hf_xet fetch one file."""

    hash: str
    endpoint: str
    token: str
    expires_at: int
    refresh_url: str
    refresh_headers: Mapping[str, str]

    def __repr__(self) -> str:
        return f"XetPass({self.hash[:12]}…, {self.endpoint})"


def may_use_xet(file: ResolvedFile, part: Part) -> bool:
    """Tell whether a file can come over Xet: one of the Hub, which its digest will prove, and of which nothing came."""
    return (
        isinstance(file.source, HuggingFaceSource)
        and file.digest is not None
        and file.digest.algorithm == "sha256"
        and bool(file.size_bytes)
        and not part.done.total
    )


async def ask_pass(client: HttpClient, file: ResolvedFile, credentials: Credentials | None) -> XetPass | None:
    """Ask the Hub for the hash and a token; None where the file is not on Xet. Raises: StowError."""
    head = await client.request("HEAD", file.url, credentials=credentials)
    hash_ = (head.headers.get("X-Xet-Hash") or "").lower()
    route = _route(head.headers, file.url)
    if _HASH.fullmatch(hash_) is None or route is None:
        return None
    told = await get_json(client, route, credentials=credentials)
    try:
        endpoint, token, expires_at = str(told["casUrl"]), str(told["accessToken"]), int(told["exp"])
    except (KeyError, TypeError, ValueError):
        raise ServerError("the Hub's answer for a Xet token is no token") from None
    await client.gate.check(endpoint)
    return XetPass(
        hash=hash_,
        endpoint=endpoint.rstrip("/"),
        token=token,
        expires_at=expires_at,
        refresh_url=route,
        refresh_headers=credentials.headers_for(route) if credentials is not None else {},
    )


def _route(headers: Mapping[str, str], url: str) -> str | None:
    """Return the token's route, on the host that the file was asked from: a mirror repeats the Hub's own name."""
    match = _AUTH_LINK.search(headers.get("Link") or "")
    route = match[1] if match else headers.get("X-Xet-Refresh-Route") or ""
    here = urlsplit(url)
    if route.startswith(f"{_PAGE}/"):
        route = f"{here.scheme}://{here.netloc}{route.removeprefix(_PAGE)}"
    return route if route and origin_of(route) == origin_of(url) else None


class XetWay:
    """Brings one file over Xet, or says why it comes over HTTPS instead."""

    def __init__(
        self,
        part: Part,
        limits: TransferLimits,
        teller: Teller,
        *,
        blocking: Blocking,
    ) -> None:
        self._part, self._limits = part, limits
        self._teller, self._blocking = teller, blocking
        self.refusal: str | None = None
        """Why it did not work, in words for people."""

    async def bring(self, client: HttpClient, file: ResolvedFile, credentials: Credentials | None) -> bool:
        """Put the whole file into the part; False: nothing is there, and `refusal` may say why.

        Raises: LockedError: the lease was lost. A cancellation ends hf_xet and leaves nothing behind.
        """
        if importlib.util.find_spec("hf_xet") is None:
            self.refusal = "hf_xet is not installed"
            return False
        try:
            found = await ask_pass(client, file, credentials)
        except StowError as err:
            self.refusal = err.message
            return False
        if found is None:
            return False
        whole = self._part.path.with_name(f"{self._part.path.name}.xet")
        try:
            self.refusal = await self._run(found, whole, file.size_bytes or 0)
            if self.refusal is None and whole.stat().st_size != file.size_bytes:
                self.refusal = "it brought another size"
            if self.refusal is None:
                await self._blocking(lambda: self._part.adopt_whole(whole))
        finally:
            whole.unlink(missing_ok=True)
        if self.refusal is not None:
            _log.info("%s: Xet failed (%s)", self._part.path.name, self.refusal)
        return self.refusal is None

    async def _run(self, found: XetPass, whole: Path, size_bytes: int) -> str | None:
        loop = asyncio.get_running_loop()
        lines: asyncio.Queue[str | None] = asyncio.Queue()
        process = await self._blocking(lambda: _start(whole))

        def read() -> None:
            for line in process.stdout:
                loop.call_soon_threadsafe(lines.put_nowait, line)
            loop.call_soon_threadsafe(lines.put_nowait, None)

        order = {
            "hash": found.hash,
            "size_bytes": size_bytes,
            "dest": str(whole),
            "endpoint": found.endpoint,
            "token": found.token,
            "expires_at": found.expires_at,
            "refresh_url": found.refresh_url,
            "refresh_headers": dict(found.refresh_headers),
        }
        reading = loop.run_in_executor(None, read)
        try:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(order) + "\n")
                process.stdin.flush()
            return await self._follow(lines)
        finally:
            process.kill()
            process.wait()
            await asyncio.wait([reading])
            process.stdin.close()
            process.stdout.close()

    async def _follow(self, lines: asyncio.Queue[str | None]) -> str | None:
        """Return None when all has come, else why not."""
        loop = asyncio.get_running_loop()
        heard_at = beat_at = loop.time()
        patience = self._limits.response_timeout_seconds
        while True:
            try:
                line = await asyncio.wait_for(lines.get(), _TICK_SECONDS)
            except TimeoutError:
                line = ""
            now = loop.time()
            if now - beat_at >= self._limits.lease_heartbeat_seconds:
                beat_at = now
                self._part.check_lease()
                self._part.write_journal(self._part.done)
            if line is None:
                return "hf_xet ended without a word"
            if not line:
                if now - heard_at > patience:
                    return "no byte came for too long"
                continue
            heard_at, patience = now, self._limits.stall_timeout_seconds
            told = json.loads(line)
            if told.get("done"):
                return None
            if "error" in told:
                return scrub(str(told["error"]))  # addresses in it are signed
            self._tell(now, int(told["bytes_done"]))

    def _tell(self, now: float, bytes_done: int) -> None:
        self._teller.tell_numbers(
            DownloadState.RUNNING,
            now,
            bytes_done=bytes_done,
            bytes_total=self._part.size_bytes,
            bytes_fetched=bytes_done,
            connections=1,
            note="over Xet",
        )


def _start(whole: Path) -> subprocess.Popen[str]:
    whole.unlink(missing_ok=True)
    # The tokens of the environment are not for a package that may send them where it likes.
    environment = {name: value for name, value in os.environ.items() if "TOKEN" not in name.upper()}
    return subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, "-P", str(_CHILD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
    )
