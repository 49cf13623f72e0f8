"""A Docker engine of the tests' own, with BuildKit: its folder, socket and processes are gone when it is closed.

It needs root, `dockerd` (Debian's docker.io) and a kernel that mounts overlayfs; where it cannot start, NoEngineError says
why. Nothing is asked of a registry: the base image is made of Debian's packages, and what names another frontend than
BuildKit's own (`# syntax=`) is taken out of the Dockerfile.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

from .setup.cache import Cache
from .setup.say import SetupError, run

START_SECONDS = 30.0
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
BASE_IMAGE = "localhost/debian:bookworm"
_SUITE, _MIRROR = "bookworm", "http://deb.debian.org/debian"
#: Debian's own client: others that lie on the path may need plug-ins that are not there.
_CLIENT = "/usr/bin/docker"


_PR_SET_PDEATHSIG = 1
#: What the builds of the tests lay down at most, and the free memory from which on it may lie there.
_LAYERS_BYTES = 8 << 30
_ENOUGH_BYTES = 14 << 30


class NoEngineError(RuntimeError):
    """No engine can run here; the text says why."""


class DockerEngine:
    """One `dockerd`, whose containers and builds share the host's network; with room its layers lie in memory."""

    def __init__(self, folder: Path, *, in_memory: bool = True) -> None:
        self._in_memory = in_memory
        # The path of a socket has about 107 bytes, and the layers want a real file system under them.
        self.folder = Path(tempfile.mkdtemp(prefix="docker-", dir=folder))
        self._socket_dir = Path(tempfile.mkdtemp(prefix="stow-docker-"))
        self.log = self.folder / "dockerd.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")},
            "DOCKER_HOST": f"unix://{self._socket_dir}/d.sock",
            "DOCKER_BUILDKIT": "1",
            "DOCKER_CONFIG": str(self.folder / "client"),
        }

    def start(self) -> DockerEngine:
        """Start it. Raises: NoEngineError."""
        _refuse_where_none_can_run()
        command = ["dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=overlay2"]
        command += ["--data-root", str(self.folder / "data"), "--exec-root", str(self.folder / "exec")]
        command += ["--pidfile", str(self.folder / "pid"), "--host", self._env["DOCKER_HOST"]]
        if self._in_memory:
            self._use_memory()
        with self.log.open("wb") as sink:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        deadline = time.monotonic() + START_SECONDS
        while self.docker("version", check=False).returncode != 0:
            if self._process.poll() is not None or time.monotonic() > deadline:
                tail = self.log.read_text(errors="replace").splitlines()[-3:]
                self.close()
                raise NoEngineError("dockerd does not start here: " + " / ".join(tail))
            time.sleep(0.2)
        return self

    def _use_memory(self) -> None:
        """Put the layers into memory where there is plenty: hundreds of thousands of files, written and removed."""
        if _available_bytes() >= _ENOUGH_BYTES:
            words = ["mount", "-t", "tmpfs", "-o", f"size={_LAYERS_BYTES}", "tmpfs", str(self.folder)]
            subprocess.run(words, check=False, capture_output=True)

    def docker(
        self,
        *words: str | Path,
        check: bool = True,
        timeout_seconds: float = 600,
        stdin: IO[bytes] | int = subprocess.DEVNULL,
    ) -> subprocess.CompletedProcess[str]:
        """Run the client; fails with what it said."""
        return self.run(_CLIENT, *words, check=check, timeout_seconds=timeout_seconds, stdin=stdin)

    def run(
        self,
        program: str | Path,
        *words: str | Path,
        check: bool = True,
        timeout_seconds: float = 600,
        stdin: IO[bytes] | int = subprocess.DEVNULL,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program that talks to this engine; fails with what it said."""
        done = subprocess.run(
            [str(program), *map(str, words)],
            env=self._env,
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
        if check and done.returncode != 0:
            said = f"{done.returncode}\n{done.stdout}{done.stderr}"
            raise AssertionError(f"{Path(program).name} {' '.join(map(str, words[:3]))} …: {said}")
        return done

    def import_base(self, archive: Path) -> None:
        """Make the base image out of a tar of its files."""
        with archive.open("rb") as file:
            self.docker("import", "-", BASE_IMAGE, stdin=file)

    def close(self) -> None:
        """End the engine by its process, undo its mounts, remove its folders."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            # What it started (containerd, shims) lives in the same session or has it in its command line.
            for pid in _naming(self.folder):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.kill()
            process.wait(10)
        for mount in _mounts_below(self.folder):
            subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
        for folder in (self.folder, self._socket_dir):
            shutil.rmtree(folder, ignore_errors=True)


def _refuse_where_none_can_run() -> None:
    if os.name != "posix" or os.geteuid() != 0:
        raise NoEngineError("only root may start a Docker engine")
    for program, package in (("dockerd", "docker.io"), ("mmdebstrap", "mmdebstrap"), (_CLIENT, "docker.io")):
        if shutil.which(program) is None:
            raise NoEngineError(f"`{program}` is not installed (Debian: {package})")


def _end_with_parent() -> None:
    """Let the kernel end the engine when who started it is killed (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _available_bytes() -> int:
    """Read how much memory programs may still take (proc(5), MemAvailable)."""
    found = re.search(r"^MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _naming(folder: Path) -> list[int]:
    """List the processes whose command line names the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.fsencode(folder) in (entry / "cmdline").read_bytes() and int(entry.name) != os.getpid():
                found.append(int(entry.name))
    return found


def _mounts_below(folder: Path) -> list[str]:
    """List the mount points in the folder, the deepest first."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    points = [line.split()[4] for line in lines]
    return sorted((point for point in points if Path(point).is_relative_to(folder)), reverse=True)


def debian_base(cache: Cache) -> Path:
    """Make a tar of the smallest Debian that knows apt, and this machine's certificates. Raises: NoEngineError."""

    def build(path: Path) -> None:
        command: list[str | Path] = ["mmdebstrap", "--variant=minbase", "--include=ca-certificates"]
        if CERTIFICATES.exists():
            command.append(f"--customize-hook=copy-in {CERTIFICATES} /etc/ssl/certs")
        run([*command, _SUITE, path / "base.tar", _MIRROR], log=cache.log("debian-base"))

    _refuse_where_none_can_run()
    try:
        return cache.entry("debian-base", [_SUITE, _MIRROR, "minbase"], "making a base image", build) / "base.tar"
    except SetupError as err:
        raise NoEngineError(f"no base image: {str(err).splitlines()[0]}") from err


def without_syntax(dockerfile: str) -> str:
    """Take out the line that would fetch BuildKit's frontend from a registry."""
    return re.sub(r"\A# syntax=.*\n", "", dockerfile)
