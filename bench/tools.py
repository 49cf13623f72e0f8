"""The competitors, started as a user starts them at their best, and our engine, warm."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Item:
    """A file on the server."""

    url: str
    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of one tool took; memory is that of its largest process."""

    wall: float
    cpu: float
    memory: int
    ok: bool
    connections: tuple[int, ...] = ()
    fetched: int | None = None


class OurEngine:
    """Our engine process; started once, as in use."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "engine_process.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._process.stdout.readline()
        self.pid = self._process.pid

    def fetch(
        self, items: list[Item], folder: Path, *, connections: int | None, verify: bool = True, hashing: bool = True
    ) -> Run:
        files = [
            {
                "url": item.url,
                "dest": str(folder / item.name),
                "size": item.size_bytes,
                "sha256": item.sha256 if verify else None,
            }
            for item in items
        ]
        began = time.monotonic()
        self._process.stdin.write(json.dumps({"files": files, "connections": connections, "hash": hashing}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        wall = time.monotonic() - began
        if answer["error"]:
            print(f"ours: {answer['error']}", file=sys.stderr)
        ok = answer["error"] is None
        return Run(wall, answer["cpu"], answer["memory"], ok, tuple(answer["connections"]), answer["fetched"])

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(20)


def run_command(command: list[str], *, timeout: float = 300, env: dict[str, str] | None = None) -> Run:
    """Run a tool and take its CPU and memory from the kernel."""
    began = time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **(env or {})}
    )
    timer = threading.Timer(timeout, process.kill)
    timer.start()
    _, status, usage = os.wait4(process.pid, 0)
    timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, process.returncode == 0)


_NO_PROXY = {"no_proxy": "*"}


def aria2(
    items: list[Item],
    folder: Path,
    *,
    checksum: bool = False,
    files: int = 5,
    connections: int = 16,
    certificate: Path | None = None,
) -> Run:
    """aria2c -x16 -s16 -k1M; with `checksum` it verifies SHA-256 as we do."""
    command = ["aria2c", "-q", f"-x{connections}", f"-s{connections}", "-k1M", f"-j{files}", "-d", str(folder)]
    command += ["--file-allocation=falloc", "--no-conf"]
    if certificate is not None:
        command.append(f"--ca-certificate={certificate}")
    if len(items) == 1:
        if checksum:
            command.append(f"--checksum=sha-256={items[0].sha256}")
        return run_command([*command, "-o", items[0].name, items[0].url], env=_NO_PROXY)
    listing = folder / "list.txt"
    listing.write_text("".join(f"{item.url}\n  out={item.name}\n" for item in items))
    result = run_command([*command, "-i", str(listing)], env=_NO_PROXY)
    listing.unlink()
    return result


def curl(items: list[Item], folder: Path, *, certificate: Path | None = None) -> Run:
    """curl, one connection; several files with -Z."""
    command = ["curl", "-s", "--fail"] + (["-Z", "--parallel-max", "16"] if len(items) > 1 else [])
    if certificate is not None:
        command += ["--cacert", str(certificate)]
    for item in items:
        command += ["-o", str(folder / item.name), item.url]
    return run_command(command, env=_NO_PROXY)


_HUB = (
    "import sys; from huggingface_hub import hf_hub_download; "
    "hf_hub_download('me/repo', sys.argv[1], local_dir=sys.argv[2])"
)


def hub(items: list[Item], folder: Path) -> Run:
    """huggingface_hub with a local endpoint; Xet off, as no Xet server can be had."""
    endpoint = items[0].url.rsplit("/", 1)[0]
    env = {**_NO_PROXY, "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    return run_command([sys.executable, "-c", _HUB, items[0].name, str(folder)], env=env)


@dataclass(slots=True)
class Contender:
    """One row of a case: a name and how to run it."""

    name: str
    run: Callable[[list[Item], Path], Run]
    runs: list[Run] = field(default_factory=list)


def fresh(folder: Path) -> Path:
    """Give an empty folder on a disk that has written everything down."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.sync()
    return folder
