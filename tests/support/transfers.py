"""An engine on loopback, quick to give up waiting, for the tests of transfers."""

from __future__ import annotations

import hashlib
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from comfystow.core.config import Settings
from comfystow.core.net.client import HttpClient, HttpLimits
from comfystow.core.net.egress import EgressGate
from comfystow.core.net.hosts import AllowList
from comfystow.core.records.source import Digest, ResolvedFile, UrlSource
from comfystow.core.transfer.engine import TransferEngine
from comfystow.core.transfer.job import TransferJob, TransferLimits

_FETCH = Path(__file__).resolve().parents[1] / "transfer" / "fetch_in_process.py"
QUICK = TransferLimits(
    free_space_floor_bytes=0,
    connect_timeout_seconds=2.0,
    response_timeout_seconds=3.0,
    stall_timeout_seconds=0.6,
    retry_base_seconds=0.02,
    retry_max_seconds=0.2,
    retry_limit=8,
    lease_timeout_seconds=1.5,
    lease_heartbeat_seconds=0.3,
    progress_seconds=0.05,
    tick_seconds=0.02,
)
_owners = itertools.count()


def loopback_gate(*hosts: str) -> EgressGate:
    """Give a gate that lets loopback through and nothing else."""
    return EgressGate(AllowList.build(Settings(allow_hosts=hosts or ("127.0.0.1", "localhost"))))


@contextmanager
def open_engine(limits: TransferLimits = QUICK, gate: EgressGate | None = None) -> Iterator[TransferEngine]:
    """Give an engine that ends with the block."""
    gate = gate or loopback_gate()
    engine = TransferEngine(limits, HttpClient(HttpLimits(response_timeout_seconds=3.0), gate), gate)
    try:
        yield engine
    finally:
        engine.close()


def resolved(url: str, **facts: Any) -> ResolvedFile:
    """Describe a file at a URL; `sha256` may be given as hex."""
    if (sha256 := facts.pop("sha256", None)) is not None:
        facts["digest"] = Digest("sha256", sha256)
    facts.setdefault("filename", url.rsplit("/", 1)[-1])
    return ResolvedFile(source=UrlSource(url=url), url=url, **facts)


def job(file: ResolvedFile, dest: Path, **options: Any) -> TransferJob:
    """Make a job with an owner of its own."""
    options.setdefault("owner", f"test-{next(_owners)}")
    return TransferJob(file=file, dest=dest, **options)


def sha256_of(path: Path) -> str:
    """Return the digest of what is on the disk."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def left_behind(folder: Path) -> list[str]:
    """Return the names in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir())


def start_process(url: str, dest: Path, **options: object) -> subprocess.Popen[bytes]:
    """Start an engine of its own that brings one file."""
    arguments = json.dumps({"url": url, "dest": str(dest), **options})
    return subprocess.Popen([sys.executable, str(_FETCH), arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
