"""A real pod on this machine: `comfystow pod up` with a folder as its volume, on ports of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .ask import Reply, ask
from .comfyui import free_port
from .leftovers import MARK, end_marked
from .setup.environments import link_folder
from .setup.workshop import CHECKOUT, ComfyInstall

UP_SECONDS = 240.0


class RunningPod:
    """Start it, ask it, end it. `volume` is its volume; our extension lies in its `custom_nodes`."""

    def __init__(self, install: ComfyInstall, volume: Path, env: Mapping[str, str] | None = None) -> None:
        self.install, self.volume = install, volume
        self.run_dir = Path(tempfile.mkdtemp(prefix="pod-"))
        self.ports = {name: free_port() for name in ("comfyui", "jupyter", "files", "ssh")}
        self._mark = self.run_dir.name
        self.env = self._environment(env or {})
        self.process: subprocess.Popen[bytes] | None = None
        self.log_file = self.run_dir / "pod.log"
        (volume / "custom_nodes").mkdir(parents=True, exist_ok=True)
        if not (volume / "custom_nodes" / "comfystow").exists():
            link_folder(CHECKOUT, volume / "custom_nodes" / "comfystow")

    def _environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.upper().startswith(("COMFYSTOW_", "HF_", "CIVITAI_", "PYTEST_", "RUNPOD_"))
            and not name.upper().endswith(("_PROXY", "PUBLIC_KEY"))
        }
        ports = {f"COMFYSTOW_{name.upper()}_PORT": str(port) for name, port in self.ports.items()}
        return {
            **kept,
            **ports,
            MARK: self._mark,
            "COMFYSTOW_RUN_DIR": str(self.run_dir / "r"),
            "COMFYSTOW_VOLUME": str(self.volume),
            "COMFYUI_PATH": str(self.install.root),
            "COMFYSTOW_LISTEN": "127.0.0.1",
            "COMFYSTOW_COMFYUI_ARGUMENTS": "--cpu --disable-api-nodes",
            "COMFYSTOW_SERVICE_GRACE_SECONDS": "40",  # a slow machine's services end late, and that is no failure
            "DO_NOT_TRACK": "1",
            **extra,
        }

    def words(self, *words: str) -> list[str]:
        """Give the command line of a command of ours."""
        return [str(self.install.python), str(CHECKOUT / "__main__.py"), *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the pod's environment."""
        return subprocess.run(
            self.words(*words), env=self.env, cwd="/", capture_output=True, text=True, timeout=90, check=False
        )

    def launch(self) -> RunningPod:
        """Start it, without waiting for anything."""
        with self.log_file.open("ab") as sink:
            self.process = subprocess.Popen(
                self.words("pod", "up"), env=self.env, cwd="/", stdin=subprocess.DEVNULL, stdout=sink,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        return self

    def up(self) -> RunningPod:
        """Start it, and wait until everything has started."""
        self.launch()
        self.until(lambda: self.state()["settled"], "the boot report")
        return self

    def state(self) -> dict[str, Any]:
        """Give what `pod health --json` says."""
        done = self.run("pod", "health", "--json")
        data = json.loads(done.stdout)
        return {"settled": False, "services": [], "boot": [], **data, "code": done.returncode}

    def service(self, name: str) -> dict[str, Any]:
        """Give one service."""
        return next(row for row in self.state()["services"] if row["name"] == name)

    def line(self, what: str) -> dict[str, Any]:
        """Give one line of the boot report."""
        return next(row for row in self.state()["boot"] if row["what"] == what)

    def ask(self, service: str, path: str, method: str = "GET", body: object = None, **options: Any) -> Reply:
        """Ask a service."""
        return ask(method, f"http://127.0.0.1:{self.ports[service]}{path}", body, **options)

    def until(self, look: Callable[[], Any], what: str, seconds: float = UP_SECONDS) -> Any:
        """Wait until something is true, and give it; fail with the pod's log."""
        deadline = time.monotonic() + seconds
        while not (found := look()):
            alive = self.process is not None and self.process.poll() is None
            if not alive or time.monotonic() > deadline:
                raise AssertionError(f"{what} did not come\n{self.log[-6000:]}")
            time.sleep(0.2)
        return found

    @property
    def log(self) -> str:
        """Give the container's output."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    @property
    def passwords(self) -> dict[str, str]:
        """Give the passwords that are kept."""
        data: dict[str, str] = json.loads((self.volume / "user" / "__comfystow" / "pod-passwords.json").read_text())
        return data

    @property
    def secret(self) -> str:
        """Give the access secret."""
        return (self.volume / "user" / "__comfystow" / "access-secret").read_text().strip()

    def end(self, seconds: float = 60) -> int:
        """Ask it to end, as a container's runtime does; give its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def close(self) -> None:
        """End everything, whatever is left."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
        end_marked(self._mark)
        shutil.rmtree(self.run_dir, ignore_errors=True)
