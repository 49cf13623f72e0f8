"""A folder's files behind git's own server, for builds that clone."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .comfyui import free_port

_START_SECONDS = 10.0


@contextmanager
def git_origin(tree: Path, tag: str, folder: Path) -> Iterator[str]:
    """Serve the files of `tree` as one commit with a tag; gives the address. `folder` holds the repository meanwhile."""
    repository = folder / "origin.git"
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "--git-dir", str(repository)]
    work = [*git, "--work-tree", str(tree), "-c", "core.bare=false"]
    subprocess.run([*git, "init", "--quiet", "--bare"], check=True)
    subprocess.run([*work, "add", "--force", "."], check=True, cwd=tree)
    subprocess.run([*work, "commit", "--quiet", "--message", "as released"], check=True, cwd=tree)
    subprocess.run([*git, "tag", tag], check=True)
    port = free_port()
    words = ["git", "daemon", "--export-all", "--listen=127.0.0.1", f"--port={port}", f"--base-path={folder}"]
    daemon = subprocess.Popen([*words, str(folder)], stdin=subprocess.DEVNULL)
    url = f"git://127.0.0.1:{port}/{repository.name}"
    try:
        deadline = time.monotonic() + _START_SECONDS
        while subprocess.run(["git", "ls-remote", url], capture_output=True, check=False).returncode != 0:
            if time.monotonic() > deadline or daemon.poll() is not None:
                raise RuntimeError("git's server does not answer")
            time.sleep(0.1)
        yield url
    finally:
        daemon.terminate()
        daemon.wait(10)
